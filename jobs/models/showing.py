"""`magic models show`: where a poster and its model come from."""

from mlflow import MlflowClient

from cluster.connection import ClusterConfig
from cluster.tracking import promotion, registry, runs
from cluster.tracking.promotion import PROMOTED
from cluster.tracking.registry import PREFIX, ModelVersion
from cluster.tracking.runs import CODE_VERSION
from jobs.models.lookup import fetch_model, require_same_digest
from jobs.models.model_folder import METRICS, STEPS
from jobs.models.version_records import block, metrics_of, resolve, run_of
from jobs.settings.models_config import ModelsShowConfig
from magic.checks import printable
from magic.redaction import redact, redacted
from pipelines.posters.finished_poster import FinishedPoster

MAX_PICTURES = 20
"""Style pictures of a poster that are listed."""


def models_show(config: ModelsShowConfig) -> ModelVersion:
    """Print the lineage of a poster or of a model; returns the version.

    Raises:
        ValueError: if there is no such thing; and, once all is printed, if the files are no longer those that were
            registered, or that the poster was painted with.
    """
    poster = find_poster(config.what)
    with runs.connected(config.cluster) as client:
        if poster is not None:
            print("\n".join(poster_lines(poster)) + "\n")
        version = resolve(client, config.what) if poster is None else version_of(client, poster)
        problem = disagreement(version, poster, config.cluster)
        print("\n".join(model_lines(client, version, "agrees" if problem is None else "DOES NOT AGREE")))
    if problem is not None:
        raise problem
    return version


def find_poster(what: str) -> FinishedPoster | None:
    """The poster that is meant, or None where a model is.

    Raises:
        ValueError: for a folder without a poster.
    """
    if what.startswith(PREFIX):
        return None
    return FinishedPoster.at(what) if "/" in what else FinishedPoster.find(what)


def version_of(client: MlflowClient, poster: FinishedPoster) -> ModelVersion:
    """The version that a poster was painted with: by its name, or, where its folder was named or it was registered
    somewhere else, by its digest.

    Raises:
        ValueError: if the registry has none.
    """
    model = poster.manifest.identity.model
    versions = registry.find_digest(client, model.digest)
    named = [version for version in versions if version.uri == model.uri]
    if not versions and model.uri.startswith(PREFIX):
        return registry.find(client, model.uri)
    if not versions:
        raise ValueError(f"expected a version with SHA-256 {model.digest} in the registry, got none; name its store")
    return (named or versions)[0]


def disagreement(version: ModelVersion, poster: FinishedPoster | None, cluster: ClusterConfig) -> ValueError | None:
    """What is wrong with the model's files, if anything is."""
    try:
        digest = fetch_model(version, cluster).packed.digest
        if poster is not None:
            require_same_digest("poster's model", version.uri, poster.manifest.identity.model.digest, digest)
    except ValueError as error:
        return error
    return None


def poster_lines(poster: FinishedPoster) -> list[str]:
    """What a poster's manifest tells, without credentials."""
    manifest, identity = poster.manifest, poster.manifest.identity
    width, height = identity.size
    content = identity.content
    facts = {
        "size": f"{width} x {height} px",
        "seed": f"{identity.seed}, K = {len(identity.templates)}",
        "statistics": identity.statistics,
        "code": manifest.versions.get("magic", "?"),
        "model": f"{printable(redacted(identity.model.uri))}, SHA-256 {identity.model.digest}",
        "content": f"{content.digest}  {printable(redacted(content.url))}" if content else "none",
        "style": identity.style.digest,
    }
    more = len(manifest.pictures) - MAX_PICTURES
    return [
        *block(f"poster {printable(poster.url)}", facts),
        *(f"    {picture.sha256}  {printable(redacted(picture.url))}" for picture in manifest.pictures[:MAX_PICTURES]),
        *([f"    and {more} more, see its manifest"] if more > 0 else []),
    ]


def model_lines(client: MlflowClient, version: ModelVersion, verdict: str) -> list[str]:
    """What the registry and the run tell of a version."""
    elsewhere = {METRICS, STEPS, CODE_VERSION, registry.DIGEST}
    others = {
        key: value for key, value in version.tags.items() if key not in elsewhere and not key.startswith(PROMOTED)
    }
    facts = {
        "aliases": ", ".join(version.aliases) or "none",
        "registered": f"{version.created:%Y-%m-%d %H:%M} UTC, {version.status}",
        "steps": version.tags.get(STEPS, "?"),
        "code": version.tags.get(CODE_VERSION, "?"),
        "digest": f"{version.digest}: {verdict}" if version.digest else "none was registered",
        **redact(others),
    }
    run = run_of(client, version)
    state = f" {run.name}, {run.status}" if run else ", which is not in this store"
    title = f"run {version.run_id or 'unknown'}{state}"
    metrics = {name: f"{value:.4g}" for name, value in sorted(metrics_of(client, version).items())}
    promotions = promotions_of(client, version)
    return [
        *block(version.uri, facts),
        *(block(title, run.tags if run else {}) or [printable(title)]),
        *block("settings", dict(sorted(run.params.items())) if run else {}),
        *block("measures", metrics),
        *(["promotions", *(printable(f"  {line}") for line in promotions)] if promotions else []),
    ]


def promotions_of(client: MlflowClient, version: ModelVersion) -> list[str]:
    """The promotions to and from a version, a line each; why nobody knows them, if their record is damaged."""
    try:
        promotions = promotion.history(client, version.name)
    except ValueError as error:
        return [str(error)]
    return [str(entry) for entry in promotions if version.version in (entry.version, entry.before)]
