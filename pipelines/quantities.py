"""Sizes and times, for people."""

_UNITS_S = (("days", 86400), ("hours", 3600), ("minutes", 60))


def duration(seconds: float) -> str:
    """A time in the largest unit of which there are two or more.

    >>> duration(90), duration(7200)
    ('90 seconds', '2.0 hours')
    """
    for unit, length in _UNITS_S:
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def gigabytes(size_bytes: float) -> str:
    """A size in MB or GB, with three significant digits.

    >>> gigabytes(5e6), gigabytes(2.5e9)
    ('5 MB', '2.5 GB')
    """
    return f"{size_bytes / 1e9:.3g} GB" if size_bytes >= 1e8 else f"{size_bytes / 1e6:.3g} MB"
