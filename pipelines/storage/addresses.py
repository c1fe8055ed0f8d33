"""What a text names on storage: one set of rules for what a user types and for what is read from a file.

    s3://bucket/folder       PROTOCOL://... of the table below; behind the bucket or host every character is literal
    file:///home/me/a.png    a path of this machine; %20 is a blank in it, unless there is a file of that very name
    ~/photos, ../a::b?.png   a path of this machine, and every character in it is a part of the name

There are no chains of protocols (zip://a.png::s3://...), and no protocols by which a file could send its reader
somewhere else (reference://...). Imports nothing heavy.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from magic.checks import first_line, require

LOCAL, MEMORY, WEB = "file", "memory", ("http", "https")
_PREFIX = re.compile(r"([a-z][a-z0-9+.-]*):(//)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Protocol:
    """A kind of storage."""

    example: str
    settings: str = ""
    """Variables of the environment that its library takes endpoint and credentials from."""
    is_writable: bool = True


_AWS = "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"
_AZURE = "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING"
PROTOCOLS = {
    LOCAL: Protocol("file:///FOLDER/NAME"),
    MEMORY: Protocol("memory://FOLDER/NAME"),
    "http": Protocol("http://HOST/NAME", is_writable=False),
    "https": Protocol("https://HOST/NAME", is_writable=False),
    "s3": Protocol("s3://BUCKET/NAME", _AWS),
    "s3a": Protocol("s3a://BUCKET/NAME", _AWS),
    "gs": Protocol("gs://BUCKET/NAME", _GOOGLE),
    "gcs": Protocol("gcs://BUCKET/NAME", _GOOGLE),
    "az": Protocol("az://CONTAINER/NAME", _AZURE),
    "abfs": Protocol("abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/NAME", _AZURE),
}
"""All that are taken, by what stands before ://."""


class Address(NamedTuple):
    """A place on storage."""

    protocol: str
    root: str
    """PROTOCOL://BUCKET or PROTOCOL://HOST; nothing for paths of this machine."""
    path: str
    """What follows the root, as it is; of this machine an absolute path."""

    @property
    def url(self) -> str:
        """The one spelling of it: protocols in lower case, paths of this machine absolute and without file://."""
        return self.root + self.path

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine."""
        return self.protocol == LOCAL


def parse(text: str) -> Address:
    """The place that a path or URL names.

    Raises:
        ValueError: if it is empty, no name that can be written down, of a protocol that is not taken, or incomplete.
    """
    _require_name(text)
    match = _PREFIX.match(text)
    protocol = match[1].lower() if match else ""
    if match and match[2] and protocol in PROTOCOLS:
        rest = text[match.end() :]
        return _of_file_url(rest) if protocol == LOCAL else _remote(protocol, rest)
    is_path = "://" not in text and protocol not in (*PROTOCOLS, "models")
    require(
        is_path or os.path.lexists(text),
        f"a path, or an address that begins with one of {', '.join(f'{name}://' for name in PROTOCOLS)}",
        text,
        "chains of protocols are not taken; a path may begin with ./",
    )
    return Address(LOCAL, "", _absolute(text))


def is_utf8(name: str) -> bool:
    """Whether a name can be written down. Of a file it may be any bytes, which Python keeps as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def advice_on(text: str) -> str:
    """What to do about an address of which nothing can be read."""
    match = _PREFIX.match(text)
    protocol = PROTOCOLS.get(match[1].lower()) if match else None
    return f"check the URL, and {protocol.settings}" if protocol and protocol.settings else "check the URL"


def _require_name(text: str) -> None:
    require(bool(text.strip()), "a path or a URL", text, "name one")
    require("\0" not in text, "a path or a URL", text, "leave the character \\x00 out")
    require(is_utf8(text), "a name in UTF-8", text, "rename it")


def _of_file_url(rest: str) -> Address:
    """The path in what follows file://."""
    path = rest.removeprefix("localhost")
    require(path.startswith("/"), "file:///PATH", f"file://{rest}", "write the path alone, or in full")
    if not os.path.lexists(path):
        path = unquote(path, errors="surrogateescape")
        _require_name(path)
    return Address(LOCAL, "", _absolute(path))


def _remote(protocol: str, rest: str) -> Address:
    rest = rest.lstrip("/") if protocol == MEMORY else rest  # there are no buckets in memory
    authority, slash, path = rest.partition("/")
    url = f"{protocol}://{rest}"
    problem = "" if authority else "nothing before the first /"
    try:
        if protocol in WEB:
            _ = urlsplit(url).port
    except ValueError as error:
        problem = first_line(error)
    require(not problem, f"an address as in {PROTOCOLS[protocol].example}", f"{url} ({problem})", "correct it")
    return Address(protocol, f"{protocol}://{authority}", slash + path)


def _absolute(path: str) -> str:
    """A path of this machine, absolute; ~ is the home folder, and a link before `..` is followed as usual."""
    known = path if os.path.lexists(path) else os.path.expanduser(path)  # noqa: PTH111 - pathlib fails at ~nobody
    whole = Path(known).resolve() if ".." in Path(known).parts else Path(known).absolute()
    return "/" + str(whole).lstrip("/")
