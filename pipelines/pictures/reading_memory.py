"""How much memory reading a picture may take: a share of what is free, because several are read side by side."""

import psutil

from magic.checks import require

USABLE_SHARE = 0.8
"""Of the free memory: the rest is left to whatever else needs some meanwhile."""


def free_bytes() -> int:
    """What a process that reads alone may take on this machine."""
    return int(USABLE_SHARE * psutil.virtual_memory().available)


def require_bytes(num_bytes: int, max_bytes: int) -> None:
    """Refuse a picture that takes more memory than there is for it.

    Args:
        num_bytes: that reading it takes.
        max_bytes: that it may take.

    Raises:
        ValueError: if it takes more.
    """
    require(
        num_bytes <= max_bytes,
        f"a picture that is read with {max_bytes / 1e6:,.0f} MB of memory, the share of each reader of what is free",
        f"one that takes {num_bytes / 1e6:,.0f} MB",
        "shrink it, or use fewer CPUs or more memory",
    )
