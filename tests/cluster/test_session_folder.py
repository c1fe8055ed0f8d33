import os
import re
import tempfile

import pytest

from cluster.ray_session import private_folder


def test_the_session_lies_in_a_folder_of_this_user_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = private_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_folder() == folder


@pytest.mark.parametrize("mode", [0o777, 0o750])
def test_a_folder_that_others_may_enter_is_refused(mode, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    private_folder().chmod(mode)
    with pytest.raises(PermissionError, match=f"a folder of this user alone at {re.escape(str(tmp_path))}.*RAY_TMPDIR"):
        private_folder()


def test_a_link_in_its_place_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"magic-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="a folder of this user alone"):
        private_folder()
