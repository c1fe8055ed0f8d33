"""Texts without the credentials that people write into addresses. Whatever leaves the process goes through here.

While it works, a process keeps addresses as they were given, because pictures could not be read without the
credentials in them. Records, tables, what MLflow is told, what is printed and logged, and errors that other processes
may log are redacted where they are written.
"""

import re
from typing import Any
from urllib.parse import unquote

# a password reaches from the colon to the last @ before a space or quote, because it may hold a slash or another @
_USER = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<user>[^/\s:@]*:(?!:)[^\s'\"]*|[^/\s]+)@")
_QUERY = re.compile(r"(?P<address>[a-zA-Z][a-zA-Z0-9+.-]*://[^?#\s'\"]*)(?P<query>[?#][^\s'\"]*)")
_FIELD = re.compile(r"([?#&;])([^?#&;]*)")
_SECRET = re.compile(
    r"signature|sig$|token|key|credential|secret|pass|pwd|auth|hmac|jwt|session|policy|^x-(amz|goog)-", re.IGNORECASE
)


def redacted(text: str) -> str:
    """The text without user:password@ and without the secret fields of queries in its URLs.

    A user name without a password stays where it is a part of the address, as in sftp://me@host. In http addresses it
    is removed, because a user name alone is a token there. All fields of a signed S3 or Google address go, so that one
    that is signed anew gives the same text.

    >>> redacted("https://me:hush@host/a.jpg?id=3&X-Amz-Signature=f00 is damaged")
    'https://host/a.jpg?id=3 is damaged'
    """
    return _QUERY.sub(_without_secrets, _USER.sub(_without_user, text))


def redact(tree: Any) -> Any:
    """A copy of a tree of dictionaries and lists in which every text is redacted. Tuples become lists."""
    if isinstance(tree, dict):
        return {redact(key): redact(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [redact(value) for value in tree]
    return redacted(tree) if isinstance(tree, str) else tree


def _without_user(match: re.Match[str]) -> str:
    scheme, user = match["scheme"], match["user"]
    is_secret = ":" in user or scheme.lower().startswith("http")  # http: a user name without a password is a token
    return f"{scheme}://" if is_secret else match[0]


def _without_secrets(match: re.Match[str]) -> str:
    kept, opening = "", ""
    for sign, field in _FIELD.findall(match["query"]):
        first = opening if opening and sign in "&;" else sign  # where the fields before it went
        name, is_field, _ = field.partition("=")
        is_secret = is_field and _SECRET.search(unquote(name))
        kept += "" if is_secret else f"{first}{field}"
        opening = first if is_secret and first in "?#" else ""
    return f"{match['address']}{kept}"
