"""The one form of error that a user's input may cause."""


def require(ok: bool, expected: str, got: object, advice: str) -> None:
    """Refuse what a user gave, in three parts: what was expected, what came, what to do.

    Args:
        ok: whether the input is acceptable.
        expected: what is acceptable, in words.
        got: what came; it is shown by its repr.
        advice: what the user can do.

    Raises:
        ValueError: if not ok.
    """
    if not ok:
        raise ValueError(f"expected {expected}, got {got!r}; {advice}")


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
