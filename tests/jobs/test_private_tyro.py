"""A canary test: it fails with a clear sentence if a release of tyro moves or changes a private name that we use."""

from dataclasses import dataclass
from importlib.metadata import version

import pytest
import tyro

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
