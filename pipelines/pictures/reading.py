"""The pictures of a source, read by this process alone."""

import hashlib
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from magic.checks import require, shown
from magic.scene.memory import PictureList
from pipelines.pictures.decoding import decode, reason_of
from pipelines.pictures.picture_urls import list_pictures
from pipelines.pictures.reading_memory import free_bytes
from pipelines.pictures.settings import SourceConfig
from pipelines.storage.door import MAX_PICTURE_BYTES, fetch


def picture_shares(config: SourceConfig) -> dict[str, float]:
    """The URL of every picture of a source, and how often it is used.

    Raises:
        ValueError: if a URL leads to nothing.
    """
    if not config.shares:
        return dict.fromkeys(list_pictures(config.urls), 1.0)
    shares: dict[str, float] = {}
    for url, share in zip(config.urls, config.shares, strict=True):
        pictures = list_pictures([url])
        for picture in pictures:
            shares[picture] = shares.get(picture, 0.0) + share / len(pictures)
    return shares


def read_source(config: SourceConfig, *, min_side_px: int, name: str) -> PictureList:
    """All pictures of a source in this process' memory: for few pictures, and where there is no cluster.

    Raises:
        ValueError: if a URL leads to nothing, or a picture is damaged or too small.
    """
    shares = picture_shares(config)
    urls = sorted(shares)
    pictures = [read_picture(url, config, min_side_px=min_side_px, name=name).pixels for url in urls]
    return PictureList(pictures, [shares[url] for url in urls])


class ReadPicture(NamedTuple):
    """A picture, and the digest of the file that it was read from."""

    pixels: UInt8[ndarray, "H W 3"]
    sha256: str


def read_picture(url: str, config: SourceConfig, *, min_side_px: int, name: str) -> ReadPicture:
    """One picture of a source, at its size.

    Raises:
        ValueError: if it is damaged or too small.
    """
    try:
        data, pixels = fetch_pixels(url, config, free_bytes())
    except Exception as error:  # a damaged file can raise anything
        raise ValueError(f"expected a {name} picture at {shown(url)}, got: {reason_of(error)}; leave it out") from error
    size = pixels.shape[:2]
    require(
        min(size) >= min_side_px, f"at least {min_side_px} pixels on each side of {shown(url)}", size, "leave it out"
    )
    return ReadPicture(pixels, hashlib.sha256(data).hexdigest())


def read_single(url: str, name: str) -> ReadPicture:
    """The one picture at a URL, at its own size.

    Raises:
        ValueError: if there is none, more than one, or a damaged one.
    """
    urls = list_pictures([url])
    require(len(urls) == 1, f"one {name} picture", f"{len(urls)} at {shown(url)}", "name one of them")
    return read_picture(urls[0], SourceConfig(), min_side_px=1, name=name)


def read_resized(url: str, name: str, height: int, width: int) -> UInt8[ndarray, "H W 3"]:
    """The one picture at a URL, at a given size.

    Raises:
        ValueError: if there is none, more than one, or a damaged one.
    """
    picture = Image.fromarray(read_single(url, name).pixels)
    return np.array(picture.resize((width, height), Image.Resampling.LANCZOS))


def fetch_pixels(url: str, config: SourceConfig, max_bytes: int) -> tuple[bytes, UInt8[ndarray, "H W 3"]]:
    """A file, and its pixels at the size that a source wants, with no more memory than that.

    Raises:
        Exception: whatever storage raises; ValueError if it is no picture, damaged, or takes more memory.
    """
    data = fetch(url, max_bytes=min(max_bytes, MAX_PICTURE_BYTES))
    return data, decode(data, scale=config.scale, square_px=config.square_px, max_bytes=max_bytes)
