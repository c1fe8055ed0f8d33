"""What is written into a setting's annotation is found where it is asked for."""

from dataclasses import dataclass, field
from typing import Annotated

from magic.options import FREE, MEMORY, PICTURES, PLACE, RESULT, WORDS, settings_of


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
