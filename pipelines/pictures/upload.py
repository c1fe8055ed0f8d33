"""Copies pictures of this machine to storage that every machine of a cluster reaches."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipelines.pictures.picture_urls import list_pictures
from pipelines.progress import counted
from pipelines.storage.door import absolute, exists, fetch, file_name, is_local, join, write_object

FOLDER_DIGITS = 16
"""Of the digest that names a folder of copies."""
NUM_THREADS = 8


def upload_pictures(urls: Sequence[str], target: str) -> tuple[str, ...]:
    """Copy the local ones among files, folders and globs, each into a folder named by what it holds.

    The same pictures always go to the same place, and existing copies are not sent again.

    Args:
        urls: of pictures; those on storage stay where they are.
        target: URL below which the copies go.

    Returns:
        As many URLs: of a file's copy, or of the folder with the copies.

    Raises:
        ValueError: if a URL leads to no picture.
    """
    return tuple(_upload(url, target) if is_local(url) else url for url in urls)


def _upload(url: str, target: str) -> str:
    pictures = list_pictures([url])
    digests = [hashlib.sha256(fetch(picture)).hexdigest() for picture in pictures]
    names = _names(pictures)
    contents = "\n".join(f"{digest} {name}" for digest, name in zip(digests, names, strict=True))
    folder = join(target, hashlib.sha256(contents.encode()).hexdigest()[:FOLDER_DIGITS])
    copies = [join(folder, name) for name in names]
    with ThreadPoolExecutor(NUM_THREADS) as threads:
        sent = threads.map(_send, pictures, copies)
        for _ in counted(sent, f"uploading {url}", len(copies), "picture"):
            pass
    return copies[0] if is_file(url) else folder


def is_file(url: str) -> bool:
    """Whether a local URL is that of a single file."""
    return Path(absolute(url)).is_file()


def _names(pictures: Sequence[str]) -> list[str]:
    """The files' names, numbered where two are alike."""
    names = [file_name(picture) for picture in pictures]
    if len(set(names)) == len(names):
        return names
    return [f"{number:06d}-{name}" for number, name in enumerate(names)]


def _send(picture: str, copy: str) -> None:
    if not exists(copy):  # the folder is named by a digest, so an existing copy is this picture
        write_object(copy, fetch(picture))
