"""Settings of batches: many posters by one command. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Annotated

from tyro.conf import Positional

from cluster.connection import ClusterConfig
from magic.checks import require, require_positive
from magic.options import FREE, PICTURES, PLACE, RESULT, WORDS, check_values


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchConfig:
    """Paint many posters on one set of workers: the rows of a table, or every content with every model and seed.

    Running the same command again paints what is missing, failed or changed.
    """

    table: Positional[Annotated[str | None, RESULT, PLACE]] = None
    """URL of a table (.csv, .jsonl, .parquet) with a row for each poster. Its columns are settings of `magic poster` by
    their own names (model, content, width, seed, ...), id, the row's name, and group: the rows of one group share their
    statistics and their tone. What is blank is the default. Several values in one cell are separated by semicolons."""
    out: Annotated[str, FREE, PLACE]
    """URL of the folder that gets the posters (posters/NAME), their records (rows/NAME.json), the results as a table,
    and index.html."""
    content: Annotated[tuple[str, ...], RESULT, PICTURES] = ()
    """Without a table: URLs of content pictures, folders or globs; each picture is painted ..."""
    model: Annotated[tuple[str, ...], RESULT, PLACE] = ()
    """... with each of these models ..."""
    seeds: Annotated[tuple[int, ...], RESULT] = (0,)
    """... and each of these seeds."""
    set: Annotated[tuple[str, ...], RESULT, WORDS] = ()
    """Settings for all rows in which they are blank: --set width=2000 'formats=png;tiff'."""
    names: Annotated[str | None, RESULT, WORDS] = None
    """How posters are named: {id}, {content}, {model}, {seed} or any other column in braces. Left out: {id} for tables
    that have such a column, otherwise {content}-{model}-{seed}."""
    open: Annotated[int, FREE] = 8
    """Posters that are begun and not finished at a time: their pictures are in memory."""
    fail_fast: Annotated[bool, FREE] = False
    """Stop at the first poster that fails."""
    workers: Annotated[int | None, FREE] = None
    """Render processes. Left out: as many as the GPUs hold, or one per CPU where there is none."""
    gpu_share: Annotated[float, FREE] = 1.0
    """Share of a GPU for each worker."""
    threads: Annotated[int, RESULT] = 1
    """CPU threads of each render process; a part of the posters' last bits."""
    memory_gb: Annotated[float | None, FREE] = None
    """Memory of each worker for tiles. Left out: a share of what is free where the first one runs."""
    track: Annotated[bool | None, FREE] = None
    """Keep an MLflow run of the batch: rows done and failed, rate, time left, the newest posters. Left out: where a
    store is named (--cluster.tracking-uri or MLFLOW_TRACKING_URI)."""
    cluster: Annotated[ClusterConfig, FREE, WORDS] = field(default_factory=ClusterConfig)
    """Where it runs."""
    dry_run: Annotated[bool, FREE] = False
    """Check all rows, print the plan of the whole and stop."""

    def __post_init__(self) -> None:
        check_values(self)
        require_positive(self, "open", "workers", "memory_gb")
        require(self.threads >= 1, "threads >= 1", self.threads, "1 is usual")
        require(0 < self.gpu_share <= 1, "gpu-share above 0, 1 at most", self.gpu_share, "0.25 is four on one GPU")
        is_product = bool(self.content or self.model)
        require(
            (self.table is None) == is_product and bool(self.content) == bool(self.model),
            "either a table, or --content and --model",
            f"table={self.table}, content={list(self.content)}, model={list(self.model)}",
            "give one or the other",
        )
        require(bool(self.seeds), "seeds", "none", "leave --seeds out")
        require(self.table is None or self.seeds == (0,), "no --seeds with a table", self.seeds, "add a column seed")


OF_THE_BATCH = ("out", "workers", "gpu_share", "threads", "memory_gb", "cluster", "dry_run")
"""Settings of a poster that the whole batch has in common."""
