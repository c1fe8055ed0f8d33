import os
import pwd

import pytest

from cluster import environment


@pytest.fixture
def variables():
    """The environment, put back after the test."""
    before = dict(os.environ)
    for name in (environment.AUTH_MODE_VARIABLE, environment.TOKEN_VARIABLE, environment.TOKEN_PATH_VARIABLE):
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_a_user_without_a_home_has_no_token(variables, monkeypatch):
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    os.environ.pop("HOME", None)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    environment.prepare()
    assert environment.AUTH_MODE_VARIABLE not in os.environ
    assert os.environ["HOME"] == environment.NO_HOME
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_token_in_the_home_folder_switches_tokens_on(variables, tmp_path):
    os.environ["HOME"] = str(tmp_path)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("a" * 64)
    environment.prepare()
    assert os.environ[environment.AUTH_MODE_VARIABLE] == "token"
