"""Settings of what is shown and measured of models and pictures. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from tyro.conf import Positional

from cluster.connection import ClusterConfig
from magic.checks import require
from magic.options import FREE, PICTURES, PLACE, RESULT, WORDS, check_values
from pipelines.pictures.settings import SourceConfig

Scale = Literal["cpu", "gpu"]
FigureName = Literal["fig2", "fig7", "fig8", "fig9"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig:
    """Write sheets of unguided collages: for seeds, for numbers of templates, and between memory sets."""

    model: Annotated[str, RESULT, PLACE]
    """models:/NAME@ALIAS or models:/NAME/VERSION of the registry, or a folder with generator.safetensors."""
    out: Annotated[str, FREE, PLACE]
    """URL of the folder that gets collages.png, sets.png and between.png."""
    style: Annotated[tuple[str, ...], RESULT, PICTURES] = ()
    """URLs of pictures, folders or globs to make collages of. Left out: those the model was trained on."""
    templates: Annotated[tuple[int, ...], RESULT] = (2, 3, 4, 8)
    """Numbers of templates K to show."""
    seeds: Annotated[int, RESULT] = 6
    """How many memory sets for each K."""
    seed: Annotated[int, RESULT] = 0
    """The first of the seeds."""
    between: Annotated[int, RESULT] = 5
    """Pictures from one memory set to the next; 0 for none."""
    size: Annotated[int | None, RESULT] = None
    """Side of the collages in pixels, a multiple of 2^depth. Left out: as in training."""
    cluster: Annotated[ClusterConfig, FREE, WORDS] = field(default_factory=ClusterConfig)
    """Where the registry is."""

    def __post_init__(self) -> None:
        check_values(self)
        require(len(self.templates) >= 1, "at least one number of templates", list(self.templates), "2 3 4 8 is usual")
        require(min(self.templates, default=1) >= 1, "K >= 1", list(self.templates), "raise --templates")
        require(self.seeds >= 1, "seeds >= 1", self.seeds, "6 is usual")
        require(self.between >= 0, "between >= 0", self.between, "0 for none")

    @property
    def all_seeds(self) -> range:
        """The seeds that are shown."""
        return range(self.seed, self.seed + self.seeds)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreConfig:
    """Measure any pictures: how close to their styles, how true to their content, how they are cut."""

    pictures: Positional[Annotated[tuple[str, ...], RESULT, PLACE]]
    """URLs of the pictures to be measured: files, folders or globs, or the folders of posters."""
    style: Annotated[SourceConfig, RESULT] = field(default_factory=SourceConfig)
    """The styles they should be close to, at the scale they were used at. Left out for posters: their own."""
    content: Annotated[str | None, RESULT, PICTURES] = None
    """URL of the picture they should resemble; it is brought to each one's size. Left out for posters: their own."""
    tile: Annotated[int | None, RESULT] = None
    """Also look for seams at the borders of tiles of this size in pixels, counted from the upper left corner. Left
    out for posters: their own tiles."""
    json: Annotated[str | None, FREE, PLACE] = None
    """URL of a file that gets the measures, too."""

    def __post_init__(self) -> None:
        check_values(self)
        require(bool(self.pictures), "pictures to measure", "none", "name files, folders or globs")
        require(self.tile is None or self.tile >= 2, "tile >= 2", self.tile, "give the tiles' size in pixels")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReproduceConfig:
    """Train what a figure of the paper needs, on this machine, and write the figure and a table of measures."""

    figure: Positional[FigureName]
    """fig2: unguided collages of faces. fig7: lambda_E 0.5 and 5. fig8: lambda_TV 1 and 100. fig9: MAGIC, FAMOS and a
    convolutional mosaic on Milan and Arcimboldo."""
    scale: Scale = "cpu"
    """cpu: small models, minutes on two cores. gpu: networks and patches of the paper's size, hours on one GPU."""
    out: str = "out/reproduce"
    """Local folder for checkpoints; the same command goes on from there."""
    results: str | None = None
    """Local folder that gets the sheet and the table. Left out: beside the checkpoints."""
    data: str | None = None
    """fig9 alone, which needs it: local folder with milano/, archimboldo.jpg and published/ (the FAMOS repository's
    samples)."""
    faces: str | None = None
    """fig2 alone: folder of aligned pictures, CelebA's for one. Left out: drawn faces."""
    minutes: float | None = None
    """Of each training. Left out: the figure's own."""
    trainings: int | None = None
    """fig7 to fig9: how often each run is trained, from seeds 0, 1, ...; measures are means. Left out: the figure's
    own."""
    templates: int | None = None
    """fig7 to fig9: K of the pictures that are shown. Left out: the figure's own."""
    dry_run: bool = False
    """Print the plan and stop."""

    def __post_init__(self) -> None:
        check_values(self)
        require(self.minutes is None or self.minutes > 0, "minutes > 0", self.minutes, "leave it out")
        for name, value in (("trainings", self.trainings), ("templates", self.templates)):
            require(value is None or value >= 1, f"{name} >= 1", value, "leave it out")
