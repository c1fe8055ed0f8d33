"""The written figure: a sheet of pictures as a JPEG, and beside it a table of measures in Markdown."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.paper.figures import Figure
from jobs.paper.side_by_side import num_at_a_time
from jobs.settings.measure_config import ReproduceConfig
from magic.machine import machine
from magic.sheets import Panel, sheet, small_jpeg
from magic.tables import measures_table
from pipelines.storage.outputs import local_folder

MAX_SHEET_BYTES = 400_000
OPTIONS = ("faces", "minutes", "trainings", "templates")
"""Options that the report repeats in its command, because they change the figure."""
DATA = "DATA"
"""Stands in that command for the folder that --data named: it is another one on another machine."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a figure shows under one label: a row of pictures on the sheet, and a column of the table."""

    panels: list[Panel]
    measures: dict[str, float]


def write_report(config: ReproduceConfig, plan: Figure, entries: Mapping[str, Entry], folder: Path) -> Path:
    """Write the sheet and the table, and print the table.

    Args:
        config: names the files and their folder.
        plan: what was done.
        entries: what came of it, by label.
        folder: of the files, unless config.results names another.

    Returns:
        The table's path.
    """
    target, name = (
        local_folder(config.results) if config.results is not None else folder,
        f"{config.figure}-{config.scale}",
    )
    target.mkdir(parents=True, exist_ok=True)
    rows = [
        [panel._replace(label=f"{label}: {panel.label}") for panel in each.panels] for label, each in entries.items()
    ]
    (target / f"{name}.jpg").write_bytes(small_jpeg(sheet(rows, plan.panel_px), MAX_SHEET_BYTES))
    text = (
        f"# {config.figure}: {plan.title}\n\n"
        f"`{command_of(config)}` on {machine()}; {trainings_in_words(plan)}\n\n"
        f"{measures_table({label: each.measures for label, each in entries.items()})}{notes(plan)}\n\n"
        f"![{plan.title}]({name}.jpg)\n"
    )
    path = target / f"{name}.md"
    path.write_text(text)
    print(text)
    print(f"wrote {path}")
    return path


def command_of(config: ReproduceConfig) -> str:
    """The command that makes this figure again."""
    options = "".join(f" --{name} {getattr(config, name)}" for name in OPTIONS if getattr(config, name))
    data = f" --data {DATA}" if config.data else ""
    return f"magic reproduce {config.figure} --scale {config.scale}{data}{options}"


def trainings_in_words(plan: Figure) -> str:
    """How many trainings there are, how long each takes, and how many of them run at a time."""
    count = len(plan.runs) * plan.num_trainings
    return f"trainings: {count}, {plan.minutes:g} minutes each, {num_at_a_time(count)} at a time"


def notes(plan: Figure) -> str:
    """What a reader of the table has to know, in paragraphs that follow it."""
    repeated = (
        f"Every run was trained {plan.num_trainings} times, each time from another seed. Measures are means over these "
        "trainings; the pictures are those of the first."
    )
    paragraphs = [repeated if plan.num_trainings > 1 else "", plan.note]
    return "".join(f"\n\n{paragraph}" for paragraph in paragraphs if paragraph)
