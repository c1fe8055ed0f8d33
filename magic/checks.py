"""The one form of error that a user's input may cause."""


def require(ok: bool, expected: str, got: object, advice: str) -> None:
    """Raise the one kind of error that a user's input may cause.

    Raises:
        ValueError: if not ok, saying what was expected, what came and what to do.
    """
    if not ok:
        raise ValueError(f"expected {expected}, got {got!r}; {advice}")
