"""Addresses without the credentials that people write into them."""

import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

# behind a colon all up to the last @ is a password: it may hold a slash, or another @
_USER = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<user>[^/\s:@]*:(?!:)[^\s'\"]*|[^/\s]+)@")
_QUERY = re.compile(r"(?P<address>[a-zA-Z][a-zA-Z0-9+.-]*://[^?\s]*)\?(?P<query>[^\s#'\"]*)")
_SECRET = re.compile(r"signature|sig$|token|key|credential|secret|password|passwd|auth", re.IGNORECASE)


def redacted(text: str) -> str:
    """The text, with user:password@ and the secret parts of queries taken out of its URLs.

    A user's name alone stays where it is a part of the address: sftp://me@host.
    """
    return _QUERY.sub(_without_secrets, _USER.sub(_without_user, text))


def redact(tree: Any) -> Any:
    """The same tree of dicts and lists, with every text in it redacted."""
    if isinstance(tree, dict):
        return {key: redact(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [redact(value) for value in tree]
    return redacted(tree) if isinstance(tree, str) else tree


def _without_user(match: re.Match[str]) -> str:
    scheme, user = match["scheme"], match["user"]
    secret = ":" in user or scheme.lower().startswith("http")  # a user without a password is a token there
    return f"{scheme}://" if secret else match[0]


def _without_secrets(match: re.Match[str]) -> str:
    fields = parse_qsl(match["query"], keep_blank_values=True)
    kept = [(name, value) for name, value in fields if not _SECRET.search(name)]
    if len(kept) == len(fields):
        return match[0]
    return match["address"] + (f"?{urlencode(kept, quote_via=quote)}" if kept else "")
