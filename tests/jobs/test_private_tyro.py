"""A canary test: it fails with a clear sentence if a release of tyro moves or changes a private name that we use."""

from dataclasses import dataclass
from importlib.metadata import version

import pytest
import tyro

from jobs import cli
from tests.private_names import private_name

USER = "jobs/private_tyro.py"


@dataclass
class Settings:
    count: int = 1


def test_a_bad_value_reaches_our_handler_as_an_event_with_its_option_and_its_message():
    message = f"tyro {version('tyro')} handles parse errors in another way: change {USER}"
    failure, on_parse_error = (
        private_name("tyro", "tyro._errors", name, user=USER) for name in ("InstantiationFailure", "on_parse_error")
    )
    private_name("tyro", "tyro._errors", "ParseErrorEvent", user=USER)
    events = []

    def handler(event: object) -> None:
        events.append(event)
        raise ValueError

    with pytest.raises(ValueError), on_parse_error(handler):  # noqa: PT011 - our own, without a message
        tyro.cli(Settings, args=["--count", "three"])
    (event,) = events
    assert isinstance(event, failure), message
    assert event.argument.lowered.name_or_flags[-1] == "--count", message
    assert "three" in event.message, message


def help_of(capsys, words):
    with pytest.raises(SystemExit):
        cli.parse([*words, "--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [[], ["poster"], ["train", "demo"], ["models"], ["models", "list"], ["submit"]], ids=str
)
def test_help_on_a_narrow_terminal_has_whole_words_and_all_of_them(capsys, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "40")
    narrow = help_of(capsys, words)
    assert max(map(len, narrow.splitlines())) <= 40
    monkeypatch.setenv("COLUMNS", "1000")
    wide = help_of(capsys, words)
    for side in "│╭╮╰╯─":
        wide = wide.replace(side, " ")
    assert set(words_in(narrow)) == set(words_in(wide))


def words_in(text):
    """Its words, divided at commas, too, where a long list of choices may be broken; without lines that are drawn."""
    return [word for word in text.replace(",", " ").split() if set(word) != {"-"}]


def test_wide_terminals_have_help_as_tyro_draws_it(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    line = next(line for line in help_of(capsys, ["poster"]).splitlines() if "--model STR" in line)
    assert "models:/NAME@ALIAS" in line
    for name in ("cols", "_Cols", "_Rows"):
        private_name("tyro", "tyro._fmtlib", name, user=USER)
