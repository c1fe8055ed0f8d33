r"""`magic reproduce`: train what a figure of the paper needs, on this machine, and write the figure and its table.

Neither Ray nor MLflow takes part. So it also runs where the command `magic` cannot be installed, by this line; leave
dry_run out to train:

python -c "from jobs.settings.measure_config import ReproduceConfig; \
    from jobs.paper.reproduce import reproduce; \
    reproduce(ReproduceConfig(figure='fig9', scale='gpu', data='DATA', dry_run=True))"
"""

from dataclasses import replace
from pathlib import Path

from jobs.paper.figures import Figure, figure
from jobs.paper.guided_figure import paint_guided
from jobs.paper.report import trainings_in_words, write_report
from jobs.paper.unguided_figure import paint_unguided
from jobs.settings.measure_config import ReproduceConfig
from magic.checks import require
from pipelines.storage.outputs import local_folder


def reproduce(config: ReproduceConfig) -> Path:
    """Train, paint, measure, and write the sheet and the table. A second call goes on where the first was stopped.

    Returns:
        The table's path; with dry_run the folder that the checkpoints would be in.

    Raises:
        ValueError: if the figure has no such option, or its pictures are missing.
    """
    plan = plan_of(config)
    if config.results is not None:
        _ = local_folder(config.results)  # now, not hours later
    folder = local_folder(config.out) / f"{config.figure}-{config.scale}"
    print(f"{config.figure}: {plan.title}; {trainings_in_words(plan)}; folder {folder}")
    if config.dry_run:
        return folder
    entries = paint_guided(plan, folder) if plan.guided else paint_unguided(plan, folder, config.faces)
    return write_report(config, plan, entries, folder)


def plan_of(config: ReproduceConfig) -> Figure:
    """The figure's plan, with what was chosen on the command line in place of its own numbers.

    Raises:
        ValueError: if the figure has no such option, or needs --data.
    """
    plan = figure(config.figure, config.scale, None if config.data is None else local_folder(config.data))
    for name, value in (("trainings", config.trainings), ("templates", config.templates)):
        accepted = value is None or plan.guided
        require(accepted, f"no {name} for {config.figure}", value, "it has one training, and several K")
    return replace(
        plan,
        minutes=config.minutes or plan.minutes,
        num_trainings=config.trainings or plan.num_trainings,
        num_templates=config.templates or plan.num_templates,
    )
