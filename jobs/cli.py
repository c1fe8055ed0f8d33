"""The command line `magic`: it parses the arguments, runs a command, and tells errors in one line."""

import logging
import os
import select
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Annotated, Any

import tyro
from tyro.conf import subcommand
from tyro.extras import subcommand_type_from_defaults

from cluster.environment import prepare
from jobs.commands import COMMANDS, GROUPS, SUBMIT, TRAIN, Command, Group, command_for, submittable
from jobs.exit_codes import BAD_INPUT, FAILED, INTERRUPTED, PARTLY_FAILED, UNREAD, PartlyFailedError
from jobs.output import redact_output
from jobs.private_tyro import InstantiationFailure, ParseErrorEvent, on_parse_error, whole_words
from jobs.settings.recipes import RECIPES
from jobs.settings.submission_config import SubmitConfig
from magic.checks import first_line, printable

DESCRIPTION = """Paint a picture with pieces of other pictures, at any size.

First train a generator from a recipe; it goes to the model registry. Then render posters with it:

    magic train demo
    magic poster --model models:/magic-demo@current --content photo.jpg --out out/poster --width 3000
    magic export out/poster poster.tif viewer/
    magic verify out/poster
    magic score out/poster

The same on a cluster, with pictures and posters on object storage:

    magic submit train demo --out s3://bucket/runs

Running a command again goes on where it stopped. Set MAGIC_DEBUG=1 to see the whole traceback of an error."""
HOW_TO_SUBMIT = f"""Run a command on a cluster, and follow it: magic submit [OPTIONS] COMMAND ...

COMMAND is one of {", ".join(submittable())}, with its own options behind it:

    magic submit --address http://127.0.0.1:8265 train small --style.urls photos/ --out s3://bucket/runs

Pictures of this machine are copied next to --out. Ctrl-C leaves the job alone; the same command finds it again."""
STDOUT = 1
OUR_BUGS = (AssertionError, TypeError, AttributeError, LookupError, NameError, ImportError)
"""Errors that only a fault of ours can raise: their traceback is shown. All others become one line."""


def parse(args: Sequence[str] | None = None) -> Any:
    """The settings that the arguments describe. Ends the process for --help and for arguments it does not know.

    Raises:
        ValueError: for a value that is out of its range.
    """
    args = list(sys.argv[1:] if args is None else args)
    with on_parse_error(_raise_in_one_line), whole_words():
        if args[:1] == [SUBMIT.name]:
            return _parse_submit(args[1:])
        choices = reduce(or_, [*map(_choice, COMMANDS), *map(_group_choice, GROUPS)])
        return tyro.cli(choices, prog="magic", description=DESCRIPTION, args=args)


def _choice(command: Command) -> Any:
    """A command as tyro wants it. A training is started from one of the recipes."""
    kind = command.settings
    if command is TRAIN:
        kind = subcommand_type_from_defaults(
            {name: recipe for name, (_, recipe) in RECIPES.items()},
            {name: purpose for name, (purpose, _) in RECIPES.items()},
            prefix_names=False,
        )
    return Annotated[kind, subcommand(command.name, description=command.purpose)]


def _group_choice(group: Group) -> Any:
    choices = reduce(or_, map(_choice, group.commands))
    return Annotated[choices, subcommand(group.name, description=group.purpose)]


def _parse_submit(args: Sequence[str]) -> SubmitConfig:
    """Its own options, and the whole command behind them."""
    names = {command.name for command in COMMANDS} - {SUBMIT.name}
    split = next((place for place, arg in enumerate(args) if arg in names), len(args))
    own = tyro.cli(SubmitConfig, prog="magic submit", description=HOW_TO_SUBMIT, args=args[:split])
    return replace(own, command=tuple(args[split:]))


def _raise_in_one_line(event: ParseErrorEvent) -> None:
    """Take a bad value over from tyro, which would draw a box around it and name inner parts of our code."""
    if isinstance(event, InstantiationFailure) and event.argument:
        asked = event.argument.lowered
        kind = str(asked.metavar).replace("{None}|", "")  # None is what an option is that is left out
        raise ValueError(f"expected {kind} for {asked.name_or_flags[-1]}; {event.message}")
    if isinstance(event, InstantiationFailure):
        raise ValueError(event.message)


def run(settings: Any) -> None:
    """Do what a command does."""
    command_for(settings).run(settings)


def brief(error: Exception) -> str:
    """An error in one line. Of an error that Ray brought from another process, it is the one that was raised there."""
    cause = getattr(error, "cause", None)
    return first_line(cause if isinstance(cause, Exception) else error)


class _OneLine(logging.Formatter):
    """Messages without control characters: names of files are in them."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        return printable(super().formatMessage(record))


def _log_in_lines() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def _nobody_reads() -> bool:
    """Whether the reader of our output has seen enough, as in `magic poster --help | head -3`."""
    poll = select.poll()
    poll.register(STDOUT, 0)
    if not poll.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)  # for what Python flushes at its end
    return True


def main(args: Sequence[str] | None = None) -> int:
    """Parse the arguments and run the command; returns the exit code. What a user can mend is told in one line."""
    redact_output()
    _log_in_lines()
    debug = os.environ.get("MAGIC_DEBUG")
    prepare()
    try:
        run(parse(args))
    except ValueError as error:
        if debug:
            raise
        print(f"magic: {brief(error)}", file=sys.stderr)
        return BAD_INPUT
    except Exception as error:  # a full disk, a lost server, work that keeps failing
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return UNREAD
        if debug or isinstance(error, OUR_BUGS):
            raise
        print(f"magic: failed: {brief(error)}", file=sys.stderr)
        return PARTLY_FAILED if isinstance(error, PartlyFailedError) else FAILED
    except KeyboardInterrupt:
        print("magic: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
