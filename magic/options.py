"""What is known of a setting beside its type: written into its annotation, where the setting is declared.

    steps: Annotated[int, FREE]
    out: Annotated[str, FREE, PLACE]
    seed: Annotated[int, MEMORY] = 0

Every setting of a command says whether it shapes the result, and text says what it names. A setting that holds a
dataclass of further settings says so for all of them; each of these may differ by an annotation of its own. Imports
nothing heavy.
"""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum, auto
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from magic.checks import is_number, require
from magic.systems import System


class Effect(Enum):
    """What a setting changes."""

    RESULT = auto()
    """It shapes the result: two runs of one job must agree in it."""
    MEMORY = auto()
    """It shapes the memory set, and with it the result."""
    FREE = auto()
    """It changes how the work is done, not what comes of it: it may differ between two runs of one job."""


class Names(Enum):
    """What a setting's text names."""

    PLACE = auto()
    """A file or folder that a command reads or writes where it runs: a cluster has to reach it."""
    PICTURES = auto()
    """Pictures to read: those of the user's machine are copied to where a cluster reaches them."""
    WORDS = auto()
    """Nothing on storage: a name, an alias, an address of a server."""


RESULT, MEMORY, FREE = Effect.RESULT, Effect.MEMORY, Effect.FREE
PLACE, PICTURES, WORDS = Names.PLACE, Names.PICTURES, Names.WORDS


@dataclass(frozen=True, slots=True)
class ReadBy:
    """A setting that these systems alone read; any other system wants its default."""

    systems: tuple[System, ...]


def read_by(*systems: System) -> ReadBy:
    """Annotate a setting that these systems alone read."""
    return ReadBy(systems)


class Setting(NamedTuple):
    """One setting of a command, and what is known of it."""

    name: str
    """Dotted: content.urls."""
    value: Any
    """None where the settings' class was asked, not an instance."""
    default: Any
    """MISSING for a setting that has to be given."""
    effect: Effect | None
    """None: nobody has classified it."""
    names: Names | None
    read_by: ReadBy | None

    @property
    def option(self) -> str:
        """As it is typed: --content.urls, --keep-from."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_changed(self) -> bool:
        """Whether the value is another than the default."""
        return bool(self.value != self.default)


def settings_of(config: Any) -> Iterator[Setting]:
    """All settings of a command, those within nested dataclasses under dotted names.

    Args:
        config: an instance of a settings dataclass, or the class itself; a class has no values.
    """
    yield from _settings(config, "", (None, None))


def _settings(config: Any, prefix: str, inherited: tuple[Effect | None, Names | None]) -> Iterator[Setting]:
    kind = config if isinstance(config, type) else type(config)
    hints = get_type_hints(kind, include_extras=True)
    for part in fields(kind):
        notes = getattr(hints[part.name], "__metadata__", ())
        effect, names = _of_type(notes, Effect) or inherited[0], _of_type(notes, Names) or inherited[1]
        value = None if config is kind else getattr(config, part.name)
        nested = value if is_dataclass(value) else getattr(hints[part.name], "__origin__", hints[part.name])
        if is_dataclass(nested):
            yield from _settings(nested, f"{prefix}{part.name}.", (effect, names))
        else:
            default = part.default if part.default_factory is MISSING else part.default_factory()
            yield Setting(f"{prefix}{part.name}", value, default, effect, names, _of_type(notes, ReadBy))


def _of_type(notes: tuple[Any, ...], kind: type) -> Any:
    return next((note for note in notes if isinstance(note, kind)), None)


_NOUNS: dict[type, str] = {
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    str: "text",
    NoneType: "left out",
}
"""What an error calls the types of settings."""


def check_values(config: Any) -> None:
    """Refuse a value that its setting's type does not have: text for a number, infinity, a word that is no choice.

    Every dataclass of settings calls this first in its __post_init__. The command line gives the right types, though
    it takes "inf" for a number; a JSON file may hold anything.

    Raises:
        ValueError: for the first such value.
    """
    hints = get_type_hints(type(config))
    for part in fields(config):
        value, hint = getattr(config, part.name), hints[part.name]
        require(_is_of(value, hint), f"{part.name.replace('_', '-')} to be {_words(hint)}", value, "give such a one")


def _is_of(value: Any, hint: Any) -> bool:
    """Whether a type has a value. Whole numbers are floats, too; truth values are no numbers."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_is_of(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is tuple:
        return isinstance(value, tuple) and all(_is_of(each, parts[0]) for each in value)
    if hint in (int, float):
        return is_number(value) and isinstance(value, int | hint)
    return isinstance(value, hint)


def _words(hint: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(map(_words, parts))
    if origin is Literal:
        return "one of " + ", ".join(parts)
    if origin is tuple:
        return f"a list, each {_words(parts[0])}"
    return _NOUNS.get(hint) or str(hint.__name__)
