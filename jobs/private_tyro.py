"""The private names of tyro that the command line needs.

`tests/jobs/test_private_tyro.py` fails with a clear word when a new release moves one.
"""

from tyro._errors import InstantiationFailure, ParseErrorEvent, on_parse_error

__all__ = ["InstantiationFailure", "ParseErrorEvent", "on_parse_error"]
# on_parse_error, ParseErrorEvent, InstantiationFailure: tyro draws a box around a value that is out of range, and names
#   parts of our code in it. A handler takes the event over, so that the error is one line. There is no public hook.
