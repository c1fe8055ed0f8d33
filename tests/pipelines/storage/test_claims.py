"""A folder belongs to one job, on any storage."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

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


def test_what_cannot_be_a_jobs_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "job.json").write_text("a list of jobs")
    for name in ("file", "foreign", "file/below"):
        with pytest.raises(ValueError, match=f"expected the folder to be .*{name}"):
            claim(str(tmp_path / name), ONE, "the folder")
