"""`magic train`: pictures on storage -> Ray Data -> Ray Train -> a version in the model registry."""

import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from ray.data import Dataset
from ray.train import CheckpointConfig, FailureConfig, Result, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from cluster import registry, tracking
from cluster.ray_session import count_gpus, ray_session, require_cpus
from cluster.registry import ModelVersion
from jobs.config import TrainConfig
from jobs.progress import watched
from jobs.training_loop import Job, training_loop
from magic.checkpoint import CONFIG, RECIPE, WEIGHTS
from pipelines.batches import DealInTurn, batch_dataset, keep_order
from pipelines.objects import absolute, claim, join, read_json, write_json
from pipelines.sources import Source, survey

log = logging.getLogger(__name__)

# what may change between two runs of one job
FREE = {"steps", "workers", "max_failures", "checkpoint_every", "log_every", "sheet_every"}
FREE |= {"out", "alias", "cluster", "dry_run"}
KEPT_CHECKPOINTS = 3
MODEL_FILES = (WEIGHTS, CONFIG, RECIPE)


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
        require_cpus(config.workers + 1, f"{config.workers} training workers and the readers")
        use_gpu = choose_gpu(config)
        recipe = describe(config, content, style)
        identities = {"content": content and content.identity(), "style": style.identity()}
        claim(folder, {**recipe, **identities}, "the run's folder (--out, --name)")
        client = tracking.open_store(config.cluster)
        run_id = attach(client, config, folder, recipe)
        with tracking.running(client, run_id):
            if latest_step(folder) < config.steps:
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
    crops, done = config.crops, latest_step(folder)
    k = f"{crops.min_templates}..{crops.num_templates}" if crops.min_templates else f"{crops.num_templates}"
    lines = [
        f"train {config.name}: {config.steps} steps, {done} of them done; folder {folder}",
        f"  content  {len(content)} pictures, {len(content.skipped)} skipped"
        if content
        else "  content  none: unguided",
        f"  style    {len(style)} pictures, {len(style.skipped)} skipped",
        f"  batch    {config.workers} x {crops.batch_size} patches of {crops.patch_px} px, K = {k}",
        f"  model    {config.generator.system}, {config.generator.channels} channels, depth {config.generator.depth}",
        f"  MLflow   {tracking.tracking_uri(config.cluster)}",
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


def latest_step(folder: str) -> int:
    """Steps of the newest checkpoint in a run's folder, 0 where there is none."""
    try:
        result = Result.from_path(folder)
    except RuntimeError:  # no run yet
        return 0
    return int(result.metrics["step"]) if result.metrics else 0


def choose_gpu(config: TrainConfig) -> bool:
    """Whether workers train on GPUs: each on one of its own, or none on any.

    Raises:
        ValueError: if the cluster has GPUs but too few, or none for fp16.
    """
    gpus = count_gpus()
    if 0 < gpus < config.workers:
        raise ValueError(f"expected a GPU for each of {config.workers} workers, got {gpus}; lower --workers")
    if not gpus and config.optimizer.precision == "fp16":
        raise ValueError("expected fp32 or bf16 on CPUs, got fp16; leave --optimizer.precision out")
    return gpus > 0


def fit(job: Job, folder: str, *, use_gpu: bool) -> None:
    """Run Ray Train from the newest checkpoint to the last step."""
    config = job.config
    with watched(f"training {config.name}", config.steps, latest_step(folder), "step") as board:
        trainer = TorchTrainer(
            training_loop,
            train_loop_config={"job": job, "board": board},
            scaling_config=ScalingConfig(num_workers=config.workers, use_gpu=use_gpu),
            run_config=RunConfig(
                name=config.name,
                storage_path=absolute(config.out),
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


def _stream(config: TrainConfig, content: Source | None, style: Source, folder: str) -> Callable[[], Dataset]:
    """What Ray Train calls at every start of the workers: the batches from the newest checkpoint on."""
    workers = config.workers

    def stream() -> Dataset:
        keep_order()
        step = latest_step(folder)
        count = (config.steps - step) * workers
        return batch_dataset(content, style, config.crops, first=step * workers, count=count)

    return stream


def publish(client: MlflowClient, config: TrainConfig, folder: str, run_id: str) -> ModelVersion:
    """Register the newest checkpoint's generator, once."""
    step = latest_step(folder)
    checkpoint = Result.from_path(folder).checkpoint
    with checkpoint.as_directory() as saved, tempfile.TemporaryDirectory() as scratch:
        for file in MODEL_FILES:
            shutil.copy(Path(saved) / file, scratch)
        recipe = json.loads((Path(saved) / RECIPE).read_text())
        tags = {f"{name}_digest": source["digest"] for name, source in sources_of(recipe).items()}
        tags["steps"] = str(step)
        version = registry.register(
            client, Path(scratch), name=config.name, alias=config.alias, run_id=run_id, tags=tags
        )
    print(f"registered {version.uri} as models:/{config.name}@{config.alias}")
    return version
