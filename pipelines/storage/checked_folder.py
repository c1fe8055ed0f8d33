"""A folder whose files can be checked: the digest of each is recorded beside it, before the file is written::

    FOLDER/statistics/mixing-00.safetensors                  a file
    FOLDER/digests/statistics/mixing-00.safetensors.SHA256   an empty file, whose name tells the digest

So no two tasks that write different files touch the same one, no file is ever without a digest, and one listing tells
all digests. While a file is replaced both digests stand, and the file is sound if it has either.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from pipelines.progress import counted
from pipelines.storage.door import join, names_below, names_in, read_object, remove, sha256_of, write_object

DIGESTS = "digests"
"""Folder of the digests."""
MISSING = "no such file"
"""What is wrong with a file that is not there."""
NUM_THREADS = 8
"""Files that are checked at a time: distant storage answers slowly."""
_RECORD = re.compile(r"(?P<file>.+)\.(?P<digest>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class CheckedFolder:
    """A folder with digests. Files are named by their path below it."""

    url: str

    def write(self, name: str, data: bytes) -> None:
        """Write a file that always has these bytes."""
        write_object(self._record(name, _digest(data)), b"")
        write_object(join(self.url, name), data)

    def replace(self, name: str, data: bytes) -> None:
        """Write a file that may have had other bytes."""
        self.write(name, data)
        for digest in self.recorded(name) - {_digest(data)}:
            remove(self._record(name, digest))

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none, or a damaged one."""
        data = read_object(join(self.url, name))
        return data if data is not None and self.is_sound(name, data) else None

    def is_sound(self, name: str, data: bytes) -> bool:
        """Whether a file with these bytes is as it was written."""
        return _digest(data) in self.recorded(name)

    def drop(self, name: str) -> None:
        """Delete a file and its digests."""
        remove(join(self.url, name))
        for digest in self.recorded(name):
            remove(self._record(name, digest))

    def drop_folder(self, name: str) -> None:
        """Delete a folder below this one, and its digests."""
        remove(join(self.url, name))
        remove(join(self.url, DIGESTS, name))

    def recorded(self, name: str) -> set[str]:
        """The digests that a file may have."""
        parent, _, file = name.rpartition("/")
        return _by_name(names_in(join(self.url, DIGESTS, *([parent] if parent else ())))).get(file, set())

    def all_recorded(self) -> Mapping[str, set[str]]:
        """The digests of all files, by name."""
        return _by_name(names_below(join(self.url, DIGESTS)))

    def fault(self, name: str) -> str | None:
        """What is wrong with a file, in words, or None."""
        return self._fault({name: self.recorded(name)}, name)

    def faults(self, names: Collection[str], recorded: Mapping[str, set[str]]) -> dict[str, str]:
        """What is wrong with each of these files that is not sound, under a progress bar.

        Args:
            names: of the files.
            recorded: all digests.
        """
        threads = ThreadPoolExecutor(NUM_THREADS)
        try:
            found = zip(names, threads.map(partial(self._fault, recorded), names), strict=True)
            checked = counted(found, f"checking {self.url}", len(names), "file", leave=False)
            return {name: fault for name, fault in checked if fault is not None}
        finally:
            threads.shutdown(cancel_futures=True)

    def _fault(self, recorded: Mapping[str, set[str]], name: str) -> str | None:
        digest = sha256_of(join(self.url, name))
        if digest is None:
            return MISSING
        if not recorded.get(name):
            return "a file whose digest is not recorded"
        return None if digest in recorded[name] else "a file that is damaged, or another's"

    def _record(self, name: str, digest: str) -> str:
        return join(self.url, DIGESTS, f"{name}.{digest}")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _by_name(records: Collection[str]) -> dict[str, set[str]]:
    """Digests by the names of their files, from the names of their records."""
    digests: dict[str, set[str]] = defaultdict(set)
    for found in filter(None, map(_RECORD.fullmatch, records)):
        digests[found["file"]].add(found["digest"])
    return digests
