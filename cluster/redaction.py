"""Texts without the credentials that people write into addresses."""

import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

# a password reaches from the colon to the last @ before a space or quote, because it may hold a slash or another @
_USER = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<user>[^/\s:@]*:(?!:)[^\s'\"]*|[^/\s]+)@")
_QUERY = re.compile(r"(?P<address>[a-zA-Z][a-zA-Z0-9+.-]*://[^?\s]*)\?(?P<query>[^\s#'\"]*)")
_SECRET = re.compile(r"signature|sig$|token|key|credential|secret|password|passwd|auth", re.IGNORECASE)


def redacted(text: str) -> str:
    """The text without user:password@ and without the secret fields of queries in its URLs.

    A user name without a password stays where it is a part of the address, as in sftp://me@host. In http addresses it
    is removed, because a user name alone is a token there.
    """
    return _QUERY.sub(_without_secrets, _USER.sub(_without_user, text))


def redact(tree: Any) -> Any:
    """A copy of a tree of dictionaries and lists in which every text value is redacted. Tuples become lists."""
    if isinstance(tree, dict):
        return {key: redact(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [redact(value) for value in tree]
    return redacted(tree) if isinstance(tree, str) else tree


def _without_user(match: re.Match[str]) -> str:
    scheme, user = match["scheme"], match["user"]
    is_secret = ":" in user or scheme.lower().startswith("http")  # http: a user name without a password is a token
    return f"{scheme}://" if is_secret else match[0]


def _without_secrets(match: re.Match[str]) -> str:
    fields = parse_qsl(match["query"], keep_blank_values=True)
    public = [(name, value) for name, value in fields if not _SECRET.search(name)]
    if len(public) == len(fields):
        return match[0]  # as it was written: urlencode might write it differently
    return match["address"] + (f"?{urlencode(public, quote_via=quote)}" if public else "")
