"""A table of three posters by two models."""

import csv
from pathlib import Path

import pytest

from jobs.batches.row_records import RowRecord
from jobs.settings.batch_config import BatchConfig
from magic.networks.packed import save_generator
from tests.conftest import draw_pictures, random_generator
from tests.jobs.posters.small_poster import contents

COLUMNS = ["id", "model", "content", "style", "width", "seed", "templates", "formats"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_generator(folder / "one", random_generator(2))
    save_generator(folder / "two", random_generator(2, seed=1, refine="blend"))
    return folder


class Table:
    """A table on disk, its pictures, and the batch that is made of it."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.folder = folder
        pictures = draw_pictures(folder / "pictures") if (folder / "pictures").mkdir() is None else None
        shared = {"style": f"{pictures}/style", "content": f"{pictures}/content/portrait.png", "templates": 3}
        self.rows = {
            "small": {**shared, "model": f"{models}/one", "width": 60},
            "seeded": {**shared, "model": f"{models}/one", "width": 60, "seed": 7, "formats": "png;viewer"},
            "large": {**shared, "model": f"{models}/two", "width": 120},
        }

    @property
    def config(self) -> BatchConfig:
        with (self.folder / "table.csv").open("w", newline="") as file:
            columns = dict.fromkeys([*COLUMNS, *(column for row in self.rows.values() for column in row)])
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows({"id": name, **row} for name, row in self.rows.items())
        return BatchConfig(table=f"{self.folder}/table.csv", out=f"{self.folder}/out", workers=2)

    def record(self, name: str) -> RowRecord:
        return RowRecord.read(f"{self.folder}/out/rows/{name}.json")

    def painted(self) -> dict[str, dict[str, str]]:
        return {name: contents(self.folder / "out" / "posters" / name) for name in self.rows}

    def changed_since(self, before: dict[str, int]) -> set[str]:
        """Rows whose poster has a file that was written since."""
        return {name for name, newest in self.written().items() if newest > before.get(name, 0)}

    def written(self) -> dict[str, int]:
        """When each row's poster was last written to."""
        folders = {name: self.folder / "out" / "posters" / name for name in self.rows}
        return {name: max(p.stat().st_mtime_ns for p in f.rglob("*")) for name, f in folders.items() if f.exists()}


@pytest.fixture
def table(tmp_path, models):
    return Table(tmp_path, models)
