"""A plan in lines of text, for people."""

from pipelines.painting.disk_space import stored_bytes
from pipelines.painting.plan import Plan
from pipelines.painting.poster_task import PosterTask, measured_tiles
from pipelines.painting.probe import Probe
from pipelines.posters.layers import LAYERS, UNREFINED
from pipelines.quantities import duration, gigabytes


def plan_lines(task: PosterTask, plan: Plan, probe: Probe, num_workers: int) -> list[str]:
    """What will be done and what it takes."""
    return [*_geometry_lines(task, plan), *_resource_lines(task, plan, probe, num_workers)]


def _geometry_lines(task: PosterTask, plan: Plan) -> list[str]:
    canvas, grid, read = task.scene.canvas, plan.grid, plan.grid[0].read
    num_measured = len(measured_tiles(len(grid), task.statistics))
    sources = {
        "exact": "one pass over the whole canvas" if plan.is_whole else f"each over all {num_measured} tiles",
        "preview": f"each over {num_measured} tiles only: approximate",
        "frozen": "none: taken from another poster",
        "group": "each over all tiles of all posters of its group",
    }
    passes = ", ".join(f"{number} for the {net}" for net, number in task.num_statistics.items())
    kept = ", kept in memory from pass to pass" if plan.keep and not plan.is_whole else ""
    return [
        f"  canvas   {canvas.width} x {canvas.height} px: a padding of {canvas.padding_before} px before the poster",
        f"  tiles    {grid.columns} x {grid.rows} = {len(grid)} of {grid.core_px} px, each read {read.width} x "
        f"{read.height} px (halo {grid.halo.before} and {grid.halo.behind})",
        f"  passes   {passes} network for its statistics, {sources[task.statistics]}{kept}",
    ]


def _resource_lines(task: PosterTask, plan: Plan, probe: Probe, num_workers: int) -> list[str]:
    stored = stored_bytes(task, probe)
    staying = sum(size for name, size in stored.items() if not LAYERS[name].is_temporary)
    reread = plan.grid[0].read.area * len(plan.grid) * LAYERS[UNREFINED].bytes_per_px * task.is_refined
    return [
        f"  work     {plan.flops:.3g} floating-point operations in {task.precision} on {num_workers} x {probe.device}: "
        f"about {duration(plan.seconds)}",
        f"  memory   {gigabytes(plan.worker_bytes)} of each worker at most",
        f"  store    about {gigabytes(staying)}, and {gigabytes(stored.get(UNREFINED, 0))} until the refiner is done; "
        f"{gigabytes(reread)} read again for each of its passes{' that is not kept' * plan.keep}",
    ]
