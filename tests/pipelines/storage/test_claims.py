"""A folder belongs to one job, on any storage."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from fsspec.exceptions import FSTimeoutError

from pipelines.storage import claims
from pipelines.storage.claims import claim
from pipelines.storage.door import read_object, write_object
from pipelines.storage.records import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPart:
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity(Record):
    KIND: ClassVar[str] = "test"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "a test's identity"

    seed: int
    model: ModelPart


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherIdentity(Identity):
    KIND: ClassVar[str] = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class GrownIdentity(Identity):
    """The same kind of identity in later code, with one field more."""

    warp: str | None = None


ONE = Identity(seed=1, model=ModelPart(digest="a"))


@pytest.mark.parametrize("storage", ["local", "s3"])
def test_a_folder_belongs_to_one_job(storage, request, tmp_path):
    url = str(tmp_path) if storage == "local" else request.getfixturevalue("s3")
    folder = f"{url}/claimed"
    claim(folder, ONE, "the folder")
    claim(folder, ONE, "the folder")
    assert read_object(f"{folder}/job.json") == ONE.to_bytes()
    with pytest.raises(ValueError, match=r"a job in .* that differs in model\.digest, seed; choose another"):
        claim(folder, Identity(seed=2, model=ModelPart(digest="b")), "the folder")
    with pytest.raises(ValueError, match="differs in kind"):
        claim(folder, OtherIdentity(seed=1, model=ModelPart(digest="a")), "the folder")
    write_object(f"{url}/foreign/mine.txt", b"mine")
    with pytest.raises(ValueError, match="got other files"):
        claim(f"{url}/foreign", ONE, "the folder")


@dataclass(frozen=True, kw_only=True, slots=True)
class NotedIdentity(Identity):
    """With an address that tells of the job, and decides nothing."""

    NOTES: ClassVar[frozenset[str]] = frozenset({"place", "model.digest"})

    place: str


def test_a_job_whose_notes_differ_is_the_same(tmp_path):
    for place, digest in (("/a/../b", "a"), ("https://host/b?signature=1", "b")):
        claim(str(tmp_path), NotedIdentity(seed=1, place=place, model=ModelPart(digest=digest)), "the folder")
    with pytest.raises(ValueError, match=r"differs in seed;"):
        claim(str(tmp_path), NotedIdentity(seed=2, place="/b", model=ModelPart(digest="a")), "the folder")


def test_what_cannot_be_a_jobs_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "foreign").mkdir()
    for data in (b"a list of jobs", b"[]", b"\xff\xfe{}", b"[" * 100_000):
        (tmp_path / "foreign" / "job.json").write_bytes(data)
        with pytest.raises(ValueError, match=r"expected the folder to be .*foreign/job\.json"):
            claim(str(tmp_path / "foreign"), ONE, "the folder")
    for name in ("file", "foreign", "file/below"):
        with pytest.raises(ValueError, match=f"expected the folder to be .*{name}"):
            claim(str(tmp_path / name), ONE, "the folder")


def test_a_field_that_an_older_identity_lacks_is_a_difference_even_if_it_is_none(tmp_path):
    claim(str(tmp_path), ONE, "the folder")
    with pytest.raises(ValueError, match="differs in warp"):
        claim(str(tmp_path), GrownIdentity(seed=1, model=ModelPart(digest="a")), "the folder")


def test_storage_that_fails_without_a_word_is_named(tmp_path, monkeypatch):
    def fail(url):
        raise FSTimeoutError

    monkeypatch.setattr(claims, "read_object", fail)
    with pytest.raises(ValueError, match=r"to be a folder of this job, got .*: FSTimeoutError; choose another"):
        claim(str(tmp_path), ONE, "the folder")
