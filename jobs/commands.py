"""The commands of `magic`: one table. Imports nothing heavy, so that --help is instant.

To add a command, write its settings in `jobs.settings` and a function that takes them, and give it an entry here.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jobs.settings.batch_config import BatchConfig
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
from jobs.settings.submission_config import (
    JobsListConfig,
    JobsLogsConfig,
    JobsStatusConfig,
    JobsStopConfig,
    SubmitConfig,
)
from jobs.settings.training_config import TrainConfig
from pipelines.interrupts import heeded


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What can be typed behind `magic`."""

    name: str
    settings: type[Any]
    """The dataclass with its settings."""
    function: str
    """module:function that takes them; the module is imported when the command is run."""
    purpose: str
    """In one sentence, for --help."""
    can_be_submitted: bool = False
    """Whether `magic submit` runs it on a cluster."""

    def run(self, settings: Any) -> None:
        """Do what the command does."""
        module, name = self.function.split(":")
        with heeded():  # the import of large libraries takes seconds, and swallows Ctrl-C here and there
            function = getattr(import_module(module), name)
        function(settings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Commands that are typed behind a common word."""

    name: str
    purpose: str
    commands: tuple[Command, ...]


TRAIN = Command(
    name="train",
    settings=TrainConfig,
    function="jobs.training.train:train",
    purpose="Train a generator from a recipe and register it.",
    can_be_submitted=True,
)
SUBMIT = Command(
    name="submit",
    settings=SubmitConfig,
    function="jobs.submission.submit:submit",
    purpose="Run a command on a cluster, and follow it.",
)
COMMANDS = (
    TRAIN,
    Command(
        name="poster",
        settings=PosterConfig,
        function="jobs.posters.poster:poster",
        purpose="Render a poster of any size with a registered generator.",
        can_be_submitted=True,
    ),
    Command(
        name="batch",
        settings=BatchConfig,
        function="jobs.batches.batch_job:batch",
        purpose="Render many posters on one set of workers: the rows of a table, or all pictures with all models.",
        can_be_submitted=True,
    ),
    Command(
        name="export",
        settings=ExportConfig,
        function="jobs.posters.export_files:export",
        purpose="Write a finished poster to files for print and screen: BigTIFF, PNG, JPEG, or a folder with a viewer.",
        can_be_submitted=True,
    ),
    Command(
        name="verify",
        settings=VerifyConfig,
        function="jobs.posters.verification:verify",
        purpose="Check a finished poster against one pass over the whole canvas, and region by region.",
        can_be_submitted=True,
    ),
    Command(
        name="sample",
        settings=SampleConfig,
        function="jobs.sample:sample",
        purpose="Write sheets of unguided collages: for seeds, for numbers of templates, and between memory sets.",
        can_be_submitted=True,
    ),
    Command(
        name="score",
        settings=ScoreConfig,
        function="jobs.scoring:score",
        purpose="Measure pictures: distance from their styles, truth to their content, seams.",
        can_be_submitted=True,
    ),
    Command(
        name="reproduce",
        settings=ReproduceConfig,
        function="jobs.paper.reproduce:reproduce",
        purpose="Train what a figure of the paper needs, here, and write the figure and a table of measures.",
    ),
    SUBMIT,
    Command(
        name="cluster",
        settings=RenderClusterConfig,
        function="jobs.render_cluster:cluster",
        purpose="Write the files that start a cluster: on Kubernetes, on AWS, or on one machine with Docker Compose.",
    ),
)
GROUPS = (
    Group(
        name="jobs",
        purpose="See, follow and end what was submitted to a cluster.",
        commands=(
            Command(
                name="list",
                settings=JobsListConfig,
                function="jobs.submission.submitted_jobs:show_jobs",
                purpose="All jobs that the cluster remembers.",
            ),
            Command(
                name="status",
                settings=JobsStatusConfig,
                function="jobs.submission.submitted_jobs:show_status",
                purpose="What has become of a job.",
            ),
            Command(
                name="logs",
                settings=JobsLogsConfig,
                function="jobs.submission.submitted_jobs:show_log",
                purpose="What a job has printed so far.",
            ),
            Command(
                name="stop",
                settings=JobsStopConfig,
                function="jobs.submission.submitted_jobs:stop_job",
                purpose="End a job; what is done is kept.",
            ),
        ),
    ),
    Group(
        name="models",
        purpose="Look models up in the registry, compare, promote and copy them.",
        commands=(
            Command(
                name="list",
                settings=ModelsListConfig,
                function="jobs.models.listing:models_list",
                purpose="The registered models, in a table.",
            ),
            Command(
                name="show",
                settings=ModelsShowConfig,
                function="jobs.models.showing:models_show",
                purpose="Where a model or a poster comes from: run, settings, measures, pictures, code, promotions.",
            ),
            Command(
                name="compare",
                settings=ModelsCompareConfig,
                function="jobs.models.comparing:models_compare",
                purpose="Measures and settings of models side by side.",
            ),
            Command(
                name="promote",
                settings=ModelsPromoteConfig,
                function="jobs.models.promoting:models_promote",
                purpose="Move an alias to a version, and record why.",
            ),
            Command(
                name="export",
                settings=ModelsExportConfig,
                function="jobs.models.transfer:models_export",
                purpose="Copy a version with all that is known of it.",
            ),
            Command(
                name="import",
                settings=ModelsImportConfig,
                function="jobs.models.transfer:models_import",
                purpose="Register an exported version elsewhere.",
            ),
        ),
    ),
)


def command_for(settings: Any) -> Command:
    """The command that takes these settings."""
    commands = [*COMMANDS, *(command for group in GROUPS for command in group.commands)]
    return next(command for command in commands if command.settings is type(settings))


def submittable() -> tuple[str, ...]:
    """Names of the commands that `magic submit` runs."""
    return tuple(command.name for command in COMMANDS if command.can_be_submitted)
