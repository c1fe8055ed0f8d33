"""Which aliases a model's version may have. Imports nothing heavy, so that settings check them before any work."""

import re

ALIAS_PATTERN = re.compile(r"(?!latest$|v?\d+$)[a-z0-9_-]{1,255}", re.IGNORECASE | re.ASCII)


def check_alias(alias: str) -> None:
    """Refuse an alias that MLflow does not allow, or that reads like a version.

    Raises:
        ValueError: unless it consists of letters, digits, '-' and '_', at most 255 of them, and is neither "latest" nor
            like "v1" or "1".
    """
    if ALIAS_PATTERN.fullmatch(alias) is None:
        raise ValueError(
            f"expected an alias of letters, digits, '-' and '_', but neither latest nor v1 nor 1, got {alias[:300]!r}; "
            "choose another"
        )
