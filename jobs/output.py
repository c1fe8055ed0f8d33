"""What commands print and log, without credentials. Imports nothing heavy."""

import sys
from typing import Any, TextIO, cast

from magic.redaction import redacted


class RedactedStream:
    """A text stream to which texts are written without the credentials in them; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, redacted."""
        return self._stream.write(redacted(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def redact_output() -> None:
    """From now on, redact all that this process prints: messages, logs, progress, tracebacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, RedactedStream):
            setattr(sys, name, cast("TextIO", RedactedStream(stream)))
