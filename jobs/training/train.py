"""`magic train`: pictures on storage -> Ray Data -> Ray Train -> a version in the model registry."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

from fsspec.core import url_to_fs
from mlflow import MlflowClient
from pyarrow.fs import FSSpecHandler, PyFileSystem
from ray.data import Dataset
from ray.train import CheckpointConfig, FailureConfig, Result, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchTrainer

from cluster.code_version import code_version
from cluster.ray_session import count_gpus, ray_session, require_cpus, require_places
from cluster.redaction import redact, redacted
from cluster.tracking import runs as tracking
from cluster.tracking.registry import ModelVersion
from jobs.models.lookup import read_model
from jobs.models.model_folder import Registrable, metrics_of_run, newest_sheet, register_model
from jobs.settings.training_config import TrainConfig
from jobs.training.progress import watched
from jobs.training.training_loop import Job, training_loop
from pipelines.pictures.sources import Source, survey
from pipelines.pictures.stream import DealInTurn, batch_dataset, keep_order
from pipelines.store.storage import absolute, claim, is_local, join, read_json, write_json

log = logging.getLogger(__name__)

# what may change between two runs of one job
FREE = {"steps", "workers", "max_failures", "checkpoint_every", "log_every", "sheet_every"}
FREE |= {"min_workers", "gpu_share", "out", "alias", "cluster", "dry_run"}
KEPT_CHECKPOINTS = 3
ELASTIC_CPUS, ELASTIC_TASK_CPUS = 1.01, 0.5
"""CPUs of a training worker, and of a task that makes its batches, where workers come and go with machines."""


def train(config: TrainConfig) -> ModelVersion | None:
    """Train, or go on training, and register the generator; with dry_run only print the plan.

    Raises:
        ValueError: for sources without pictures, an unreachable store, too small a cluster, or a run folder that
            belongs to another job.
    """
    folder = join(absolute(config.out), config.name)
    with ray_session(config.cluster):
        content, style = survey_sources(config)
        print(plan(config, content, style, folder))
        if config.dry_run:
            return None
        require_cpus(config.fewest + 1, f"{config.fewest} training workers and the readers")
        use_gpu = choose_gpu(config)
        require_places(config.fewest, resources_of(config, use_gpu=use_gpu), "training workers")
        recipe = describe(config, content, style)
        identities = {"content": content and content.identity(), "style": style.identity()}
        claim(folder, {**recipe, **identities}, "the run's folder (--out, --name)")
        client = tracking.open_store(config.cluster)
        run_id = attach(client, config, folder, recipe)
        with tracking.running(client, run_id):
            if progress(folder).step < config.steps:
                job = Job(config, content, style, tracking.tracking_uri(config.cluster), run_id, recipe)
                fit(job, folder, use_gpu=use_gpu)
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
        f"train {config.name}: {config.steps} steps, {done} of them done; folder {folder}",
        f"  content  {len(content)} pictures, {len(content.skipped)} skipped"
        if content
        else "  content  none: unguided",
        f"  style    {len(style)} pictures, {len(style.skipped)} skipped",
        f"  batch    {config.workers} x {crops.batch_size} patches of {crops.patch_px} px, K = {k}",
        f"  model    {config.generator.system}, {config.generator.channels} channels, depth {config.generator.depth}",
        f"  MLflow   {redacted(tracking.tracking_uri(config.cluster))}",
    ]
    return "\n".join(lines)


def describe(config: TrainConfig, content: Source | None, style: Source) -> dict[str, Any]:
    """The recipe as it is kept beside the model: settings that shape it, and what the pictures were."""
    settings = {key: value for key, value in asdict(config).items() if key not in FREE}
    settings = json.loads(json.dumps(settings))
    del settings["crops"]["data_workers"]  # changes no crop
    return {**settings, "content": content and content.summary(), "style": style.summary()}


def attach(client: MlflowClient, config: TrainConfig, folder: str, recipe: dict[str, Any]) -> str:
    """The id of this job's MLflow run: the one it began, or a new one."""
    note = join(folder, "mlflow.json")
    known = read_json(note)
    if known is not None:
        return tracking.known_run(client, str(known["run_id"]))
    recipe = redact(recipe)  # the store is for others to read
    shown = {k: v for k, v in recipe.items() if k not in ("content", "style")}
    for name, source in sources_of(recipe).items():
        shown[name] = {k: source[k] for k in ("urls", "scale", "square_px", "shares", "digest", "num_pictures")}
    run_id = tracking.start_run(client, config.cluster, config.name, shown)
    client.log_dict(run_id, recipe, "recipe.json")
    write_json(note, {"run_id": run_id})
    return run_id


def sources_of(recipe: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The sources that a recipe has, by name."""
    return {name: recipe[name] for name in ("content", "style") if recipe[name]}


class Progress(NamedTuple):
    """How far a training is, by its newest checkpoint."""

    step: int = 0
    batches: int = 0
    """Taken by all workers together."""


def progress(folder: str) -> Progress:
    """How far the training in a run's folder is."""
    path, filesystem = storage(folder)
    try:
        result = Result.from_path(path, storage_filesystem=filesystem)
    except RuntimeError:  # no run yet
        return Progress()
    metrics = result.metrics or {}
    return Progress(int(metrics.get("step", 0)), int(metrics.get("batches", 0)))


def storage(url: str) -> tuple[str, PyFileSystem | None]:
    """A place as Ray Train wants it: on object storage through the library that waits for one that is away."""
    if is_local(url):
        return absolute(url), None
    fs, path = url_to_fs(url, use_listings_cache=False)
    return path, PyFileSystem(FSSpecHandler(fs))


def choose_gpu(config: TrainConfig) -> bool:
    """Whether workers train on GPUs.

    Raises:
        ValueError: if there are none for fp16.
    """
    gpus = count_gpus()
    if not gpus and config.optimizer.precision == "fp16":
        raise ValueError("expected fp32 or bf16 on CPUs, got fp16; leave --optimizer.precision out")
    return gpus > 0


def fit(job: Job, folder: str, *, use_gpu: bool) -> None:
    """Run Ray Train from the newest checkpoint to the last step."""
    config = job.config
    path, filesystem = storage(absolute(config.out))
    with watched(f"training {config.name}", config.steps, progress(folder).step, "step") as board:
        trainer = TorchTrainer(
            training_loop,
            train_loop_config={"job": job, "board": board},
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
                checkpoint_config=CheckpointConfig(num_to_keep=KEPT_CHECKPOINTS),
            ),
            dataset_config=DealInTurn(),
            datasets={"train": _stream(config, job.content, job.style, folder)},
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
    path, filesystem = storage(folder)
    checkpoint = Result.from_path(path, storage_filesystem=filesystem).checkpoint
    with checkpoint.as_directory() as saved:
        what = Registrable(
            name=config.name,
            model=read_model(str(saved), folder),
            run_id=run_id,
            steps=str(progress(folder).step),
            metrics=metrics_of_run(client, run_id),
            code_version=code_version(),
            sheet=newest_sheet(client, run_id),
        )
    version = register_model(client, what, config.alias)
    print(f"registered {version.uri} as models:/{config.name}@{config.alias}")
    return version
