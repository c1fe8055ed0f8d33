"""The one form of error that a user's input may cause, and how errors and names are told in one line."""

import math
import reprlib

MAX_NAME, MAX_LINE = 300, 900
"""Characters of a name, and of a whole message, that people still read; longer ones lose their middle."""

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = MAX_NAME
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = 20
_REPR.maxlevel = 4


def require(ok: bool, expected: str, got: object, advice: str) -> None:
    """Refuse what a user gave, in three parts: what was expected, what came, what to do.

    Args:
        ok: whether the input is acceptable.
        expected: what is acceptable, in words.
        got: what came; it is shown by its repr, shortened where that is long.
        advice: what the user can do.

    Raises:
        ValueError: if not ok.
    """
    if not ok:
        raise ValueError(f"expected {expected}, got {short_repr(got)}; {advice}")


def short_repr(value: object) -> str:
    """A value's repr, shortened so that it fits into a line that people read."""
    return _REPR.repr(value)


def printable(text: str) -> str:
    r"""A text whose control characters are written out: a file may have any name, a terminal or a log takes orders.

    >>> print(printable("a\x1b[2J\n\u202egnp\udcff.png"))
    a\x1b[2J\n\u202egnp\xff.png
    """
    return "".join(character if character.isprintable() else _written_out(character) for character in text)


def _written_out(character: str) -> str:
    """A character's escape; of a byte that is not UTF-8, which Python keeps as a lone surrogate, that byte's."""
    is_byte = "\udc80" <= character <= "\udcff"
    return f"\\x{ord(character) - 0xDC00:02x}" if is_byte else character.encode("unicode_escape").decode()


def shown(name: str) -> str:
    """A name as messages show it: printable, and not longer than anyone reads."""
    return _shortened(printable(name), MAX_NAME)


def _shortened(text: str, max_chars: int) -> str:
    half = max_chars // 2
    return text if len(text) <= max_chars else f"{text[:half]} ... {text[-half:]}"


def is_number(value: object) -> bool:
    """Whether a value is a number that can be computed with: finite, and no integer of more than 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, printable; the name of its type, if it has no text."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return _shortened(printable(line), MAX_LINE)


def typed_line(error: BaseException) -> str:
    """An error in one line: its type, and the first line of its text, if it has any."""
    name, line = type(error).__name__, first_line(error)
    return name if line == name else f"{name}: {line}"


def require_positive(config: object, *names: str) -> None:
    """Refuse options that are given but not above zero.

    Args:
        config: the settings.
        names: of the options; None as a value means that an option is left out.

    Raises:
        ValueError: for the first one that is not above zero.
    """
    for name in names:
        value = getattr(config, name)
        require(value is None or value > 0, f"{name.replace('_', '-')} > 0", value, "leave it out")


def require_plain_name(name: str) -> None:
    """Refuse a name that a folder, a run or a registered model cannot have everywhere.

    Raises:
        ValueError: unless it consists of letters, digits, '-', '_' and '.', with at least one letter or digit.
    """
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    require(plain.isalnum(), "a name of letters, digits, '-', '_' and '.'", name, "rename it")
