"""`magic train`: pictures on storage -> Ray Data -> Ray Train -> a version in the model registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from mlflow import MlflowClient
from ray.data import Dataset
from ray.train import CheckpointConfig, FailureConfig, Result, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchTrainer

from cluster.code_version import code_version
from cluster.ray_session import count_gpus, is_on_loopback, ray_session, require_cpus, require_room
from cluster.tracking import runs
from cluster.tracking.registry import ModelVersion
from jobs.models.lookup import read_model
from jobs.models.model_folder import Registrable, metrics_of_run, newest_sheet, register_model
from jobs.models.recipe import RECIPE, Recipe, TrainingIdentity
from jobs.settings.training_config import TrainConfig
from jobs.training.board import watched
from jobs.training.local_group import LocalTorchConfig
from jobs.training.training_loop import TrainingTask, training_loop
from magic.checks import first_line, printable, shown
from pipelines.pictures.sources import Source, survey
from pipelines.pictures.stream import RoundRobin, batch_dataset, keep_order
from pipelines.storage.claims import claim
from pipelines.storage.door import absolute, for_ray_train, join
from pipelines.storage.outputs import require_folder
from pipelines.storage.records import Record

RUN_FILE = "mlflow.json"
"""File of a run's folder."""

NUM_CHECKPOINTS = 3
"""That are kept."""
ELASTIC_CPUS, ELASTIC_TASK_CPUS = 1.01, 0.5
"""CPUs of a training worker, and of a task that makes its batches, where workers come and go with machines."""


def train(config: TrainConfig) -> ModelVersion | None:
    """Train, or go on training, and register the generator; with dry_run only print the plan.

    Raises:
        ValueError: for sources without pictures, an unreachable store, too small a cluster, or a run folder that
            belongs to another job.
    """
    folder = join(absolute(config.out), config.name)
    require_folder(folder)
    with ray_session(config.cluster):
        content, style = survey_sources(config)
        print(plan(config, content, style, folder))
        if config.dry_run:
            return None
        require_cpus(config.fewest + 1, f"{config.fewest} training workers and the readers")
        use_gpu = choose_gpu(config)
        require_room(config.fewest, resources_of(config, use_gpu=use_gpu), "training workers")
        claim(folder, TrainingIdentity.of(config, content, style), "the run's folder (--out, --name)")
        recipe = Recipe.of(config, content, style)
        with runs.connected(config.cluster) as client:
            run_id = attach(client, config, folder, recipe)
            with runs.running(client, run_id):
                if progress(folder).step < config.steps:
                    uri = runs.tracking_uri(config.cluster)
                    fit(TrainingTask(config, content, style, uri, run_id, recipe), folder, use_gpu=use_gpu)
                return publish(client, config, folder, run_id)


def survey_sources(config: TrainConfig) -> tuple[Source | None, Source]:
    """Content, brought into the style's tone, and style; no content for unguided collages."""
    style = survey(config.style, min_side_px=config.crops.patch_px, name="style")
    if not config.generator.guided:
        return None, style
    content = survey(config.content, min_side_px=config.crops.patch_px, name="content")
    return content.in_tone(style.tone) if config.tone == "match" else content, style


def plan(config: TrainConfig, content: Source | None, style: Source, folder: str) -> str:
    """What will be done, for people."""
    crops, done = config.crops, progress(folder).step
    k = f"{crops.min_templates}..{crops.num_templates}" if crops.min_templates else f"{crops.num_templates}"
    lines = [
        f"train {config.name}: {config.steps} steps, {done} of them done; folder {printable(folder)}",
        f"  content  {len(content)} pictures, {len(content.skipped)} skipped"
        if content
        else "  content  none: unguided",
        f"  style    {len(style)} pictures, {len(style.skipped)} skipped",
        f"  batch    {config.workers} x {crops.batch_size} patches of {crops.patch_px} px, K = {k}",
        f"  model    {config.generator.system}, {config.generator.channels} channels, depth {config.generator.depth}",
        f"  MLflow   {runs.tracking_uri(config.cluster)}",
    ]
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunNote(Record):
    """Which MLflow run a training belongs to, kept in its folder."""

    KIND: ClassVar[str] = "run"
    FORMAT: ClassVar[int] = 1
    NOUN: ClassVar[str] = "the MLflow run of a training"

    run_id: str


def attach(client: MlflowClient, config: TrainConfig, folder: str, recipe: Recipe) -> str:
    """The id of this job's MLflow run: the one that it began, or a new one.

    Raises:
        ValueError: if the store does not have the run that it began.
    """
    place = join(folder, RUN_FILE)
    note = RunNote.read(place)
    if note is not None:
        return runs.existing_run(client, note.run_id)
    run_id = runs.start_run(client, config.cluster, config.name, recipe.params())
    client.log_dict(run_id, recipe.to_json(), RECIPE)
    RunNote(run_id=run_id).write(place)
    return run_id


class Progress(NamedTuple):
    """How far a training is, by its newest checkpoint."""

    step: int = 0
    batches: int = 0
    """Taken by all workers together."""


def progress(folder: str) -> Progress:
    """How far the training in a run's folder is.

    Raises:
        ValueError: if Ray Train's record of the run's checkpoints is damaged.
    """
    path, filesystem = for_ray_train(folder)
    try:
        metrics = Result.from_path(path, storage_filesystem=filesystem).metrics or {}
        return Progress(int(metrics.get("step", 0)), int(metrics.get("batches", 0)))
    except RuntimeError:  # no run yet
        return Progress()
    except Exception as error:  # Ray Train has no public name for what it raises here
        raise ValueError(
            f"expected Ray Train's record of a run's checkpoints in {shown(folder)}, got {first_line(error)}; "
            "put its files back as they were, or train into another folder (--out)"
        ) from error


def choose_gpu(config: TrainConfig) -> bool:
    """Whether workers train on GPUs.

    Raises:
        ValueError: if there are none for fp16.
    """
    gpus = count_gpus()
    if not gpus and config.optimizer.precision == "fp16":
        raise ValueError("expected fp32 or bf16 on CPUs, got fp16; leave --optimizer.precision out")
    return gpus > 0


def fit(task: TrainingTask, folder: str, *, use_gpu: bool) -> None:
    """Run Ray Train from the newest checkpoint to the last step."""
    config = task.config
    path, filesystem = for_ray_train(absolute(config.out))
    with watched(f"training {config.name}", config.steps, progress(folder).step, "step") as board:
        trainer = TorchTrainer(
            training_loop,
            train_loop_config={"task": task, "board": board},
            torch_config=LocalTorchConfig() if is_on_loopback() else None,
            scaling_config=ScalingConfig(
                num_workers=config.workers if config.fewest == config.workers else (config.fewest, config.workers),
                use_gpu=use_gpu,
                resources_per_worker=resources_of(config, use_gpu=use_gpu),
            ),
            run_config=RunConfig(
                name=config.name,
                storage_path=path,
                storage_filesystem=filesystem,
                failure_config=FailureConfig(max_failures=config.max_failures),
                checkpoint_config=CheckpointConfig(num_to_keep=NUM_CHECKPOINTS),
            ),
            dataset_config=RoundRobin(),
            datasets={"train": _stream(config, task.content, task.style, folder)},
        )
        try:
            trainer.fit()
        except SystemExit as stop:  # Ray Train's answer to ctrl-C
            raise KeyboardInterrupt from stop
        except TrainingFailedError as error:
            first = next(iter(getattr(error, "worker_failures", {}).values()), error)
            reason = str(first).strip().splitlines()[-1]  # of a traceback
            raise RuntimeError(f"the training failed: {reason}; the same command goes on from here") from error


def resources_of(config: TrainConfig, *, use_gpu: bool) -> dict[str, float]:
    """What each training worker asks for.

    Where their number follows the machines, they must not fill one up: nobody could read their pictures then. A little
    more than a CPU each leaves most of a CPU on every machine.
    """
    if use_gpu:
        return {"CPU": 1, "GPU": config.gpu_share}
    return {"CPU": 1 if config.fewest == config.workers else ELASTIC_CPUS}


def _stream(config: TrainConfig, content: Source | None, style: Source, folder: str) -> Callable[[], Dataset]:
    """What Ray Train calls at every start of the workers: the batches from the newest checkpoint on."""

    def stream() -> Dataset:
        keep_order()
        done = progress(folder)
        count = (config.steps - done.step) * config.workers  # fewer workers leave some
        cpus = 1.0 if config.fewest == config.workers else ELASTIC_TASK_CPUS
        return batch_dataset(content, style, config.crops, first=done.batches, count=count, task_cpus=cpus)

    return stream


def publish(client: MlflowClient, config: TrainConfig, folder: str, run_id: str) -> ModelVersion:
    """Register the newest checkpoint's generator, once."""
    path, filesystem = for_ray_train(folder)
    result = Result.from_path(path, storage_filesystem=filesystem)
    assert result.metrics is not None, "a run that has reported nothing"
    with result.checkpoint.as_directory() as saved:
        saved_model = read_model(str(saved), folder)
        assert saved_model.recipe is not None, "a checkpoint without a recipe"
        model = Registrable(
            name=config.name,
            packed=saved_model.packed,
            recipe=saved_model.recipe,
            run_id=run_id,
            steps=str(result.metrics["step"]),
            metrics=metrics_of_run(client, run_id),
            code_version=code_version(),
            sheet=newest_sheet(client, run_id),
        )
    version = register_model(client, model, config.alias)
    print(f"registered {version.uri} as models:/{config.name}@{config.alias}")
    return version
