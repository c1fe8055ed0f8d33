"""A model's folder in which something else lies than the files that belong there."""

import os

import pytest

from cluster.connection import ClusterConfig
from jobs import cli
from jobs.models.lookup import MODEL_FILES, find_model
from magic.networks.packed import save_generator
from pipelines.storage.door import MAX_WEIGHTS_BYTES
from tests.conftest import random_generator


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("what", ["pipe", "device", "folder", "sparse"])
def test_only_regular_files_of_some_size_are_read(name, what, tmp_path, capsys):
    """Neither a pipe that nobody writes to nor a device without an end is waited for, and no memory is filled."""
    save_generator(tmp_path, random_generator(2))
    path = tmp_path / name
    path.unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 10 * MAX_WEIGHTS_BYTES)
    expected = f"expected at most .* at {path}" if what == "sparse" else f"expected a regular file at {path}, got a"
    with pytest.raises(ValueError, match=expected):
        find_model(str(tmp_path), ClusterConfig())
    assert cli.main(["sample", "--model", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert str(path) in capsys.readouterr().err
