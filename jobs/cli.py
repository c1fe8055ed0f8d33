"""The command line `magic`."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Annotated, Any, NamedTuple

import tyro
from tyro._errors import InstantiationFailure, ParseErrorEvent, on_parse_error
from tyro.conf import subcommand
from tyro.extras import subcommand_type_from_defaults

from cluster.environment import prepare
from jobs.settings.cluster_config import RenderClusterConfig
from jobs.settings.measure_config import ReproduceConfig, SampleConfig, ScoreConfig
from jobs.settings.models_config import (
    ModelsCompareConfig,
    ModelsExportConfig,
    ModelsImportConfig,
    ModelsListConfig,
    ModelsPromoteConfig,
    ModelsShowConfig,
)
from jobs.settings.poster_config import ExportConfig, PosterConfig, VerifyConfig
from jobs.settings.recipes import RECIPES
from jobs.settings.submission_config import (
    SUBMITTABLE,
    JobsListConfig,
    JobsLogsConfig,
    JobsStatusConfig,
    JobsStopConfig,
    SubmitConfig,
)
from jobs.settings.training_config import TrainConfig

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


class Command(NamedTuple):
    """What can be typed behind `magic`."""

    settings: Any
    """The dataclass with its settings."""
    does: str
    """module:function that takes them. Imported only when it is called, so that --help is instant."""
    purpose: str


TRAIN = Command(TrainConfig, "jobs.training.train:train", "Train a generator from a recipe and register it.")
SUBMIT = Command(SubmitConfig, "jobs.submission.submit:submit", "Run a command on a cluster, and follow it.")
HOW_TO_SUBMIT = f"""Run a command on a cluster, and follow it: magic submit [OPTIONS] COMMAND ...

COMMAND is one of {", ".join(SUBMITTABLE)}, with its own options behind it:

    magic submit --address http://127.0.0.1:8265 train small --style.urls photos/ --out s3://bucket/runs

Pictures of this machine are copied next to --out. Ctrl-C leaves the job alone; the same command finds it again."""
COMMANDS = {
    "poster": Command(
        PosterConfig, "jobs.posters.poster:poster", "Render a poster of any size with a registered generator."
    ),
    "export": Command(
        ExportConfig,
        "jobs.posters.export_files:export",
        "Write a finished poster to files for print and screen: BigTIFF, PNG, JPEG, or a folder with a viewer.",
    ),
    "verify": Command(
        VerifyConfig,
        "jobs.posters.verification:verify",
        "Check a finished poster against one pass over the whole canvas, and region by region.",
    ),
    "sample": Command(
        SampleConfig,
        "jobs.sample:sample",
        "Write sheets of unguided collages: for seeds, for numbers of templates, and between memory sets.",
    ),
    "score": Command(
        ScoreConfig,
        "jobs.score:score",
        "Measure pictures: distance from their styles, truth to their content, seams.",
    ),
    "reproduce": Command(
        ReproduceConfig,
        "jobs.paper.reproduce:reproduce",
        "Train what a figure of the paper needs, here, and write the figure and a table of measures.",
    ),
    "submit": SUBMIT,
    "cluster": Command(
        RenderClusterConfig,
        "jobs.render_cluster:cluster",
        "Write the files that start a cluster: on Kubernetes, on AWS, or on one machine with Docker Compose.",
    ),
}
GROUPS: dict[str, tuple[str, dict[str, Command]]] = {
    "jobs": (
        "See, follow and end what was submitted to a cluster.",
        {
            "list": Command(
                JobsListConfig, "jobs.submission.submitted_jobs:show_jobs", "All jobs that the cluster remembers."
            ),
            "status": Command(
                JobsStatusConfig, "jobs.submission.submitted_jobs:show_status", "What has become of a job."
            ),
            "logs": Command(
                JobsLogsConfig, "jobs.submission.submitted_jobs:show_log", "What a job has printed so far."
            ),
            "stop": Command(
                JobsStopConfig, "jobs.submission.submitted_jobs:stop_job", "End a job; what is done is kept."
            ),
        },
    ),
    "models": (
        "Look models up in the registry, compare, promote and copy them.",
        {
            "list": Command(ModelsListConfig, "jobs.models.listing:models_list", "The registered models, in a table."),
            "show": Command(
                ModelsShowConfig,
                "jobs.models.showing:models_show",
                "Where a model or a poster comes from: run, settings, measures, pictures, code, promotions.",
            ),
            "compare": Command(
                ModelsCompareConfig,
                "jobs.models.comparing:models_compare",
                "Measures and settings of models side by side.",
            ),
            "promote": Command(
                ModelsPromoteConfig,
                "jobs.models.promoting:models_promote",
                "Move an alias to a version, and record why.",
            ),
            "export": Command(
                ModelsExportConfig,
                "jobs.models.exporting:models_export",
                "Copy a version with all that is known of it.",
            ),
            "import": Command(
                ModelsImportConfig, "jobs.models.importing:models_import", "Register an exported version elsewhere."
            ),
        },
    ),
}
FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
OUR_BUGS = (AssertionError, TypeError, AttributeError, LookupError, NameError, ImportError)
"""Errors whose traceback is for us. All others, whatever library they are of, are told in one line."""


def parse(args: Sequence[str] | None = None) -> Any:
    """The settings that the arguments describe. Ends the process for --help and for arguments it does not know.

    Raises:
        ValueError: for a value that is out of its range.
    """
    args = list(sys.argv[1:] if args is None else args)
    with on_parse_error(_one_line):
        if args[:1] == ["submit"]:
            return _parse_submit(args[1:])
        recipes: Any = subcommand_type_from_defaults(
            {name: recipe for name, (_, recipe) in RECIPES.items()},
            {name: purpose for name, (purpose, _) in RECIPES.items()},
            prefix_names=False,
        )
        choices: Any = Annotated[recipes, subcommand("train", description=TRAIN.purpose)] | _any_of(COMMANDS)
        for name, (purpose, commands) in GROUPS.items():
            choices |= Annotated[_any_of(commands), subcommand(name, description=purpose)]
        return tyro.cli(choices, prog="magic", description=DESCRIPTION, args=args)


def _any_of(commands: Mapping[str, Command]) -> Any:
    """Commands as tyro wants them: a union."""
    return reduce(
        or_,
        (Annotated[c.settings, subcommand(name, description=c.purpose)] for name, c in commands.items()),
    )


def _parse_submit(args: Sequence[str]) -> SubmitConfig:
    """Its own options, and the whole command behind them."""
    names = {"train", *COMMANDS} - {"submit"}
    split = next((place for place, arg in enumerate(args) if arg in names), len(args))
    own = tyro.cli(SubmitConfig, prog="magic submit", description=HOW_TO_SUBMIT, args=args[:split])
    return replace(own, command=tuple(args[split:]))


def _one_line(event: ParseErrorEvent) -> None:
    """Take a bad value over from tyro, which would draw a box around it and name inner parts of its own."""
    if isinstance(event, InstantiationFailure):
        option = f"{event.argument.lowered.name_or_flags[-1]}: " if event.argument else ""
        raise ValueError(f"{option}{event.message}")


def run(settings: Any) -> None:
    """Do what a command does."""
    commands = [TRAIN, *COMMANDS.values(), *(command for _, group in GROUPS.values() for command in group.values())]
    does = next(command.does for command in commands if command.settings is type(settings))
    module, function = does.split(":")
    getattr(import_module(module), function)(settings)


def brief(error: Exception) -> str:
    """An error in one line; of one that Ray brought from another process, what was raised there."""
    cause = getattr(error, "cause", None)
    error = cause if isinstance(cause, Exception) else error
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def main(args: Sequence[str] | None = None) -> int:
    """Parse, run, and turn what a user can mend into one line; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    debug = os.environ.get("MAGIC_DEBUG")
    prepare()
    try:
        run(parse(args))
    except ValueError as error:
        if debug:
            raise
        print(f"magic: {brief(error)}", file=sys.stderr)
        return BAD_INPUT
    except Exception as error:  # work that failed again and again; a full disk, a server that is gone
        if debug or isinstance(error, OUR_BUGS):
            raise
        print(f"magic: failed: {brief(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("magic: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
