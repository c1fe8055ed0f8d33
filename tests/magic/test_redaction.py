import pytest

from magic.redaction import redact, redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pa55@host/a.jpg, s3://bucket/b", "https://host/a.jpg, s3://bucket/b"),
        ("zip://*.png::https://token@host/x.zip", "zip://*.png::https://host/x.zip"),
        ("https://h/a.jpg?id=3&X-Amz-Signature=f00&sig=1", "https://h/a.jpg?id=3"),
        ("https://h/a.jpg?access_token=f00", "https://h/a.jpg"),
        ("['https://h/a.jpg?sig=f00', 'https://h/b']", "['https://h/a.jpg', 'https://h/b']"),
        ("postgresql://me:pa%40ss@db/mlflow", "postgresql://db/mlflow"),
        ("postgresql+psycopg://me:a/b@c@db/mlflow", "postgresql+psycopg://db/mlflow"),
        ("https://me:p@ss/word@host/x", "https://host/x"),
        ("postgresql://db/mlflow?password=f00&sslmode=require", "postgresql://db/mlflow?sslmode=require"),
        ("zip://a.png::https://token@host/x.zip", "zip://a.png::https://host/x.zip"),
        ("sftp://me@host/a?.jpg", "sftp://me@host/a?.jpg"),
        ("s3://bucket/key?.png", "s3://bucket/key?.png"),
        ("https://h/a.jpg?sig=1&id=3#access_token=x", "https://h/a.jpg?id=3"),
        ("https://h/a.jpg?id=3;token=x&y", "https://h/a.jpg?id=3&y"),
        ("https://h/a?X-Amz-Date=1&X-Amz-Expires=2&X%2DAmz%2DSignature=3", "https://h/a"),
        ("HTTPS://me:hush@h/a.jpg?Key-Pair-Id=1&Policy=2", "HTTPS://h/a.jpg"),
        ("401, message='Unauthorized', url='http://h/a?token=f00'", "401, message='Unauthorized', url='http://h/a'"),
        ("a mail to me@host and c:\\d@e", "a mail to me@host and c:\\d@e"),
    ],
)
def test_credentials_are_taken_out_of_addresses(text, shown):
    assert redacted(text) == shown
    assert redact({"a": [text, 1, None], "b": {text: (text,)}}) == {"a": [shown, 1, None], "b": {shown: [shown]}}
