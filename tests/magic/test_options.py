"""What is written into a setting's annotation is found where it is asked for."""

import math
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Annotated, Literal, get_type_hints

import pytest

from jobs.commands import COMMANDS, GROUPS
from magic.options import FREE, MEMORY, PICTURES, PLACE, RESULT, WORDS, check_values, settings_of


@dataclass(frozen=True)
class Inner:
    urls: Annotated[tuple[str, ...], PICTURES] = ()
    threads: Annotated[int, FREE] = 1
    seed: Annotated[int, MEMORY] = 0
    title: str = ""


@dataclass(frozen=True)
class Outer:
    inner: Annotated[Inner, RESULT, WORDS] = field(default_factory=Inner)
    out: Annotated[str | None, FREE, PLACE] = None
    keep_from: int = 0


def test_nested_settings_inherit_what_they_do_not_say():
    found = {setting.name: (setting.effect, setting.names) for setting in settings_of(Outer)}
    assert found == {
        "inner.urls": (RESULT, PICTURES),
        "inner.threads": (FREE, WORDS),
        "inner.seed": (MEMORY, WORDS),
        "inner.title": (RESULT, WORDS),
        "out": (FREE, PLACE),
        "keep_from": (None, None),
    }


def test_an_instance_has_values_and_a_class_has_none():
    given = Outer(inner=Inner(urls=("a", "b")), out="here")
    assert {setting.name: setting.value for setting in settings_of(given)}["inner.urls"] == ("a", "b")
    assert {setting.value for setting in settings_of(Outer)} == {None}
    assert next(setting.option for setting in settings_of(given) if setting.name == "keep_from") == "--keep-from"


def test_a_setting_knows_whether_it_was_changed():
    changed = {
        setting.name for setting in settings_of(Outer(inner=Inner(urls=("a",), threads=0))) if setting.is_changed
    }
    assert changed == {"inner.urls", "inner.threads"}


def commands():
    return [*COMMANDS, *(command for group in GROUPS for command in group.commands)]


def dataclasses_of(kind):
    """A dataclass of settings, and all those within."""
    hints = get_type_hints(kind)
    return {kind}.union(*(dataclasses_of(hint) for hint in hints.values() if is_dataclass(hint)))


@dataclass(frozen=True)
class Typed:
    width_px: int = 1
    share: float | None = None
    is_on: bool = False
    kind: Literal["a", "b"] = "a"
    urls: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        check_values(self)


def test_values_of_their_types_are_taken():
    Typed(width_px=2**62, share=3, is_on=True, kind="b", urls=("x",), inner=Inner())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width_px", "48", "width-px to be a whole number, got '48'"),
        ("width_px", 1.0, "width-px to be a whole number, got 1.0"),
        ("width_px", True, "width-px to be a whole number, got True"),
        ("width_px", None, "width-px to be a whole number, got None"),
        ("width_px", 10**40, "width-px to be a whole number, got 1000"),
        ("share", "0.5", "share to be a finite number or left out, got '0.5'"),
        ("share", math.nan, "share to be a finite number or left out, got nan"),
        ("is_on", 1, "is-on to be true or false, got 1"),
        ("kind", ["a"], r"kind to be one of a, b, got \['a'\]"),
        ("urls", "x", "urls to be a list, each text, got 'x'"),
        ("urls", ("x", 3), r"urls to be a list, each text, got \('x', 3\)"),
        ("inner", {"urls": []}, r"inner to be Inner, got \{'urls': \[\]\}"),
        ("kind", "x" * 10**6, "kind to be one of a, b, got 'xxx"),
    ],
)
def test_values_of_another_type_are_refused_in_a_short_line(name, value, message):
    with pytest.raises(ValueError, match=f"expected {message}") as told:
        Typed(**{name: value})
    assert len(str(told.value)) < 500


EVERY_KIND = sorted(set[type]().union(*(dataclasses_of(command.settings) for command in commands())), key=repr)
NEEDED = {
    "name": "x",
    "steps": 1,
    "model": "m",
    "out": "o",
    "poster": "p",
    "to": ("a.png",),
    "pictures": ("p",),
    "figure": "fig7",
}
"""Settings that have no default."""


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan], ids=str)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, part.name)
        for kind in EVERY_KIND
        for part in fields(kind)
        if "float" in str(get_type_hints(kind)[part.name])
    ],
)
def test_no_setting_of_any_command_may_be_infinite_or_no_number(kind, name, value):
    needed = {part.name: NEEDED[part.name] for part in fields(kind) if part.default is part.default_factory is MISSING}
    given = (value,) if "tuple" in str(get_type_hints(kind)[name]) else value
    with pytest.raises(
        ValueError, match=rf"expected {name.replace('_', '-')} to be .*a finite number.*, got .*(inf|nan)"
    ):
        kind(**needed, **{name: given})
