"""Files with digests beside them: whatever happens to one of them is found."""

import pytest

from pipelines.storage.checked_folder import CheckedFolder
from pipelines.storage.door import names_below, remove, write_object

NAME = "some [folder]/a file?.json"


@pytest.fixture(params=["local", "s3"])
def folder(request, tmp_path):
    url = str(tmp_path / "checked") if request.param == "local" else request.getfixturevalue("s3") + "/checked"
    return CheckedFolder(url)


def faults(folder):
    return folder.faults([NAME, "other"], folder.all_recorded())


def test_what_was_written_is_sound(folder):
    assert faults(folder) == {NAME: "no such file", "other": "no such file"}
    folder.write(NAME, b"1")
    folder.write("other", b"")
    assert faults(folder) == {}
    assert (folder.read(NAME), folder.read("other"), folder.read("none")) == (b"1", b"", None)
    assert folder.fault(NAME) is None
    assert len(folder.recorded(NAME)) == 1
    assert folder.all_recorded().keys() == {NAME, "other"}


def test_damage_loss_and_a_lost_digest_are_told_apart(folder):
    folder.write(NAME, b"1")
    folder.write("other", b"2")
    write_object(f"{folder.url}/{NAME}", b"2")
    assert faults(folder) == {NAME: "a file that is damaged, or another's"}
    assert folder.read(NAME) is None
    remove(f"{folder.url}/{NAME}")
    assert faults(folder) == {NAME: "no such file"}
    write_object(f"{folder.url}/{NAME}", b"1")
    assert faults(folder) == {}
    remove(f"{folder.url}/digests/{NAME}.{next(iter(folder.recorded(NAME)))}")
    assert faults(folder) == {NAME: "a file whose digest is not recorded"}
    assert folder.fault(NAME) == "a file whose digest is not recorded"


def test_while_a_file_is_replaced_it_is_sound_with_either_digest(folder):
    folder.write(NAME, b"1")
    folder.write(NAME, b"2")
    assert faults(folder).keys() == {"other"}
    write_object(f"{folder.url}/{NAME}", b"1")
    assert faults(folder).keys() == {"other"}
    folder.replace(NAME, b"3")
    assert len(folder.recorded(NAME)) == 1
    write_object(f"{folder.url}/{NAME}", b"1")
    assert NAME in faults(folder)


def test_what_is_dropped_leaves_no_digest(folder):
    folder.write(NAME, b"1")
    folder.write("some [folder]/b", b"1")
    folder.write("other", b"1")
    folder.drop("other")
    folder.drop_folder("some [folder]")
    assert names_below(folder.url) == set()
