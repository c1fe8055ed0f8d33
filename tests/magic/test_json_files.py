"""What is no object that can be worked with is told in one line."""

import pytest

from magic.json_files import parse_object


def test_an_object_is_read():
    assert parse_object(b'{"a": [1, 2.5e3, null], "b": {"a": true}}', "a test") == {
        "a": [1, 2500.0, None],
        "b": {"a": True},
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no JSON: Expecting value"),
        (b"\xff\xfe\xfa", "no JSON: 'utf-"),
        (b"[" * 100_000, "no JSON: maximum recursion depth"),
        (b"[1]", "JSON that is no object"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice in an object"),
        (b'{"b": {"a": 1, "a": 1}}', "the key 'a' stands twice in an object"),
        (b'{"\\u001b[31m": 1}', r"the key '\\x1b\[31m' cannot be printed"),
        (b'{"a": NaN}', "'NaN' is no number that can be computed with"),
        (b'{"a": -Infinity}', "'-Infinity' is no number"),
        (b'{"a": 1e999}', "'1e999' is no number"),
        (b'{"a": 1' + b"0" * 30 + b"}", "'10000.* is no number"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "no JSON: Exceeds the limit"),
    ],
)
def test_anything_else_is_one_line(data, message):
    with pytest.raises(ValueError, match=rf"expected a test, got .*{message}.*; put the file back as it was") as told:
        parse_object(data, "a test")
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 500
