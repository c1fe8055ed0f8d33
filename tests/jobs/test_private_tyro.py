"""A canary: it fails when a release of tyro moves or changes a private name that the command line needs."""

from dataclasses import dataclass
from importlib.metadata import version

import pytest
import tyro


@dataclass
class Settings:
    count: int = 1


def test_a_bad_value_reaches_our_handler_as_an_event_with_its_option_and_its_message():
    message = f"tyro {version('tyro')} changed how parse errors are handled: see jobs/private_tyro.py"
    try:
        from jobs.private_tyro import InstantiationFailure, on_parse_error
    except ImportError as error:
        pytest.fail(f"{message} ({error})")
    events = []

    def handler(event: object) -> None:
        events.append(event)
        raise ValueError

    with pytest.raises(ValueError), on_parse_error(handler):  # noqa: PT011 - our own, without a message
        tyro.cli(Settings, args=["--count", "three"])
    (event,) = events
    assert isinstance(event, InstantiationFailure), message
    assert event.argument.lowered.name_or_flags[-1] == "--count", message
    assert "three" in event.message, message
