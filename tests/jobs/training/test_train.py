"""How far a training is, by what Ray Train wrote of it."""

import pytest

from jobs.training.train import Progress, progress

SNAPSHOT = "checkpoint_manager_snapshot.json"


def test_a_new_folder_has_no_progress(tmp_path):
    assert progress(str(tmp_path)) == Progress(0, 0)
    assert progress(str(tmp_path / "none")) == Progress(0, 0)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"checkpoint_results": 3}', b"[" * 100_000, b"\xff"])
def test_a_damaged_record_is_one_line_that_names_the_folder(tmp_path, data):
    (tmp_path / SNAPSHOT).write_bytes(data)
    with pytest.raises(ValueError, match=f"record of a run's checkpoints in {tmp_path}, got .*; put its files") as told:
        progress(str(tmp_path))
    assert str(told.value).isprintable()
