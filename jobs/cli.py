"""The command line `magic`."""

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import tyro
from tyro._errors import InstantiationFailure, ParseErrorEvent, on_parse_error
from tyro.conf import PositionalRequiredArgs, subcommand
from tyro.extras import subcommand_type_from_defaults

from jobs.config import (
    ExportConfig,
    PosterConfig,
    ReproduceConfig,
    SampleConfig,
    ScoreConfig,
    TrainConfig,
    VerifyConfig,
)
from jobs.recipes import RECIPES

DESCRIPTION = """Paint a picture with pieces of other pictures, at any size.

First train a generator from a recipe; it goes to the model registry. Then render posters with it:

    magic train demo
    magic poster --model models:/magic-demo@current --content photo.jpg --out out/poster --width 3000
    magic export out/poster poster.tif viewer/
    magic verify out/poster
    magic score out/poster

Running a command again goes on where it stopped. Set MAGIC_DEBUG=1 to see the whole traceback of an error."""

Job = TrainConfig | PosterConfig | ExportConfig | VerifyConfig | SampleConfig | ScoreConfig | ReproduceConfig
TRAIN = "Train a generator from a recipe and register it."
POSTER = "Render a poster of any size with a registered generator."
EXPORT = "Write a finished poster to files for print and screen: BigTIFF, PNG, JPEG, or a folder with a viewer."
VERIFY = "Check a finished poster against one pass over the whole canvas, and region by region."
SAMPLE = "Write sheets of unguided collages: for seeds, for numbers of templates, and between memory sets."
SCORE = "Measure pictures: distance from their styles, truth to their content, seams."
REPRODUCE = "Train what a figure of the paper needs, here, and write the figure and a table of measures."
FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


def parse(args: Sequence[str] | None = None) -> Job:
    """The job that the arguments describe. Ends the process for --help and for arguments it does not know.

    Raises:
        ValueError: for a value that is out of its range.
    """
    recipes = subcommand_type_from_defaults(
        {name: recipe for name, (_, recipe) in RECIPES.items()},
        {name: purpose for name, (purpose, _) in RECIPES.items()},
        prefix_names=False,
    )
    jobs: Any = (
        Annotated[recipes, subcommand("train", description=TRAIN)]
        | Annotated[PosterConfig, subcommand("poster", description=POSTER)]
        | Annotated[PositionalRequiredArgs[ExportConfig], subcommand("export", description=EXPORT)]
        | Annotated[PositionalRequiredArgs[VerifyConfig], subcommand("verify", description=VERIFY)]
        | Annotated[SampleConfig, subcommand("sample", description=SAMPLE)]
        | Annotated[PositionalRequiredArgs[ScoreConfig], subcommand("score", description=SCORE)]
        | Annotated[PositionalRequiredArgs[ReproduceConfig], subcommand("reproduce", description=REPRODUCE)]
    )
    with on_parse_error(_one_line):
        job: Job = tyro.cli(jobs, prog="magic", description=DESCRIPTION, args=args)
    return job


def _one_line(event: ParseErrorEvent) -> None:
    """Take a bad value over from tyro, which would draw a box around it and name inner parts of its own."""
    if isinstance(event, InstantiationFailure):
        option = f"{event.argument.lowered.name_or_flags[-1]}: " if event.argument else ""
        raise ValueError(f"{option}{event.message}")


def run(job: Job) -> None:
    """Do a job. Imports what it needs only now, so that --help is instant."""
    name = type(job).__name__.removesuffix("Config").lower()
    getattr(import_module(f"jobs.{name}"), name)(job)


def main(args: Sequence[str] | None = None) -> int:
    """Parse, run, and turn what a user can mend into one line; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    debug = os.environ.get("MAGIC_DEBUG")
    try:
        run(parse(args))
    except ValueError as error:
        if debug:
            raise
        print(f"magic: {error}", file=sys.stderr)
        return BAD_INPUT
    except (RuntimeError, OSError) as error:  # work that failed again and again; a full disk, a server that is gone
        if debug:
            raise
        print(f"magic: failed: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("magic: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
