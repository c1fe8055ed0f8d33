"""The exit codes of `magic`, and the error that has one of its own. Imports nothing heavy."""

FAILED = 1
"""The work could not be done, or not be finished."""
BAD_INPUT = 2
"""What the user gave cannot be used; nothing was done."""
PARTLY_FAILED = 3
"""Some parts of the work failed, the others are done."""
UNREAD = 141
"""As of a program that SIGPIPE ends."""
INTERRUPTED = 130
"""As of a program that Ctrl-C ends."""


class PartlyFailedError(RuntimeError):
    """Some parts of the work failed; the others are done."""
