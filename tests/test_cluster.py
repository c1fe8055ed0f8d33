"""Everything on a cluster: a head and two nodes in processes of their own, object storage, an MLflow server over http.

Jobs are submitted as a user does. Faults are real: processes are killed, servers stopped. What a job was to make is
there afterwards, to the last byte.
"""

import csv
import io
import json
import os
import re
import shutil
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from pipelines.pictures.decoding import decode
from tests.servers import radosgw
from tests.servers.faults import away, meanwhile
from tests.servers.mlflow_server import PASSWORD, MlflowServer
from tests.servers.radosgw import Radosgw
from tests.servers.ray_cluster import RayCluster
from tests.servers.studio import Studio
from tests.test_end_to_end import SMALL

missing = radosgw.missing()
assert not (missing and os.environ.get("CI")), f"CI needs an S3 server: apt-get install {radosgw.PACKAGES}"
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"NO S3 SERVER, NO TEST OF THE CLUSTER: apt-get install {radosgw.PACKAGES}"
)
STEPS, EVERY = 40, 4
BUCKET = "studio"


@pytest.fixture(scope="module")
def studio(tmp_path_factory, pictures) -> Iterator[Studio]:
    """All servers; the pictures are on this machine, and the content on storage, too."""
    folder, sessions = tmp_path_factory.mktemp("studio"), Path(tempfile.mkdtemp(prefix="mc-", dir="/tmp"))
    before, started = dict(os.environ), []
    try:
        storage = Radosgw(folder / "s3")
        started.append(storage)
        storage.start()
        tracking = MlflowServer(folder / "mlflow", f"s3://{BUCKET}/mlflow", storage.environment)
        known = {**storage.environment, **tracking.environment}
        cluster = RayCluster(sessions, folder / "ray", known)
        started += [tracking, cluster]
        token = {"RAY_AUTH_TOKEN_PATH": str(cluster.token_file)}
        settings = {**storage.environment, **token, "RAY_API_SERVER_ADDRESS": cluster.address}
        # where a job's MLflow server is, its machines know
        studio = Studio(folder, storage, tracking, cluster, settings)
        studio.files.mkdir(BUCKET)
        studio.files.put(str(pictures / "content" / "portrait.png"), f"{BUCKET}/portrait.png")
        tracking.start()
        cluster.start(num_nodes=2)
        yield studio
    finally:
        for server in reversed(started):
            server.stop()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(sessions, ignore_errors=True)


def training(studio, pictures, name: str, *more: object) -> list[object]:
    args = ["train", "demo", "--name", name, "--steps", STEPS, "--checkpoint-every", EVERY, "--workers", 2]
    args += [part for setting, value in SMALL.items() for part in (f"--{setting}", value)]
    args += ["--content.urls", pictures / "content", "--style.urls", pictures / "style", "--out", f"s3://{BUCKET}/runs"]
    return [*args, *more]


def poster(out: str, *more: object) -> list[object]:
    return [
        *("poster", "--model", "models:/studio@current", "--content", f"s3://{BUCKET}/portrait.png", "--width", 500),
        *("--tile", 96, "--workers", 2, "--out", f"s3://{BUCKET}/{out}", *more),
    ]


def job_of(printed: str) -> str:
    found = re.search(r"^job (\S+)$", printed, re.MULTILINE)
    assert found, printed
    return found[1]


@pytest.fixture(scope="module")
def trained(studio, pictures) -> str:
    """A model `studio`, trained by two workers while the MLflow server is away for a while; what was printed of it."""
    seen = f"{BUCKET}/runs/studio/step-{EVERY:08d}"
    with meanwhile(
        lambda: studio.files.exists(seen), lambda: away(studio.tracking.stop, studio.tracking.start)
    ) as gone:
        printed = studio.magic("submit", *training(studio, pictures, "studio"))
    assert gone, "the training ended before the server could be stopped"
    return printed


@pytest.fixture(scope="module")
def undisturbed(studio, trained) -> dict[str, str]:
    """The digests of a poster that nothing befell."""
    studio.magic("submit", *poster("plain"))
    return studio.digests(f"s3://{BUCKET}/plain")


def remove_node_with(studio, title: str) -> None:
    studio.cluster.remove_node(studio.cluster.node_with(title))


def written(studio, out: str, layer: str) -> Callable[[], object]:
    """Whether any of a poster's tiles is written, by its layer."""
    return lambda: studio.files.find(f"{BUCKET}/{out}/tiles.zarr/{layer}/0/c")


def test_training_is_whole_though_mlflow_was_away(studio, trained):
    runs = studio.runs()
    version = runs.get_model_version_by_alias("studio", "current")
    curve = runs.get_metric_history(version.run_id, "loss/generator")
    assert {entry.step for entry in curve} == set(range(2, STEPS + 1, 2))
    assert runs.get_run(version.run_id).info.status == "FINISHED"
    assert runs.get_run(version.run_id).info.artifact_uri.startswith("mlflow-artifacts:")
    assert f"{STEPS} steps, 0 of them done" in trained
    assert "succeeded" in trained
    inputs = studio.files.find(f"{BUCKET}/runs-inputs")  # what was only here was copied
    assert sorted(name.rsplit("/", 1)[-1] for name in inputs) == ["0.png", "1.png", "2.png", "portrait.png"]


def test_a_poster_is_exported_from_storage_to_storage(studio, undisturbed):
    web, tif = f"s3://{BUCKET}/files/web/", f"s3://{BUCKET}/files/poster.tif"
    studio.magic("submit", "export", f"s3://{BUCKET}/plain", tif, web)
    shown = decode(studio.files.cat(f"{BUCKET}/plain/poster.png"))
    assert np.array_equal(decode(studio.files.cat(tif.removeprefix("s3://"))), shown)
    assert studio.files.exists(f"{BUCKET}/files/web/index.html")
    assert Image.fromarray(shown).size == (500, 573)


def test_the_same_poster_without_a_cluster(studio, undisturbed):
    """The same command on one machine, with the same storage and registry, makes the same bytes."""
    studio.magic(*poster("alone"), **studio.tracking.environment, RAY_AUTH_MODE="disabled", RAY_API_SERVER_ADDRESS="")
    assert studio.digests(f"s3://{BUCKET}/alone") == undisturbed


def test_a_worker_is_killed_and_a_node_removed(studio, undisturbed):
    def kill() -> None:
        studio.cluster.processes("ray::TileWorker")[0].kill()

    mixing, refining = written(studio, "lost", "unrefined"), written(studio, "lost", "output")
    with (
        meanwhile(mixing, kill) as killed,
        meanwhile(refining, lambda: remove_node_with(studio, "ray::TileWorker")) as removed,
    ):
        studio.magic("submit", *poster("lost"))
    studio.cluster.add_node()
    assert killed
    assert removed
    assert studio.digests(f"s3://{BUCKET}/lost") == undisturbed


def test_a_batch_goes_on_when_a_node_is_removed(studio, undisturbed):
    shared = f"models:/studio@current,s3://{BUCKET}/portrait.png"
    rows = [f"plain,{shared},500,96,0", f"small,{shared},100,48,1", f"seeded,{shared},100,48,2"]
    table = "\n".join(["id,model,content,width,tile,seed", *rows, f"wrong,{shared},wide,,"])
    studio.files.pipe(f"{BUCKET}/wall.csv", table.encode())
    args = ("batch", f"s3://{BUCKET}/wall.csv", "--out", f"s3://{BUCKET}/wall", "--workers", 2)
    mixing = written(studio, "wall/posters/plain", "unrefined")
    with meanwhile(mixing, lambda: remove_node_with(studio, "ray::TileWorker")) as removed:
        printed = studio.magic("submit", *args, status=1)
    studio.cluster.add_node()
    assert removed
    assert "1 of 4 posters are not done; wrong: expected width to be a whole number" in printed
    assert studio.digests(f"s3://{BUCKET}/wall/posters/plain") == undisturbed
    results = list(csv.DictReader(io.StringIO(studio.files.cat(f"{BUCKET}/wall/results.csv").decode())))
    assert [row["result_status"] for row in results] == ["done", "done", "done", "refused"]
    assert studio.files.exists(f"{BUCKET}/wall/thumbs/small.jpg")


def test_storage_is_away_and_the_job_is_killed_and_submitted_again(studio, undisturbed):
    def kill() -> None:
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if "jobs.cli" in command and "submit" not in command and f"s3://{BUCKET}/away" in command:
                process.kill()

    mixing, refining = written(studio, "away", "unrefined"), written(studio, "away", "output")
    with (
        meanwhile(mixing, lambda: away(studio.storage.close, studio.storage.open)) as gone,
        meanwhile(refining, kill) as killed,
    ):
        failed = studio.magic("submit", *poster("away"), status=1)
    assert gone
    assert killed
    assert "failed" in failed
    again = studio.magic("submit", *poster("away"))
    assert (job_of(failed)[-2:], job_of(again)[-2:]) == (".1", ".2")
    assert studio.digests(f"s3://{BUCKET}/away") == undisturbed


def test_training_goes_on_with_fewer_workers_when_a_node_is_gone(studio, pictures, trained):
    """Two workers, one of them on a node that is taken away; the steps are as planned."""
    seen = f"{BUCKET}/runs/elastic/step-{EVERY:08d}"
    args = training(studio, pictures, "elastic", "--min-workers", 1)
    with meanwhile(
        lambda: studio.files.exists(seen), lambda: remove_node_with(studio, "ray::RayTrainWorker")
    ) as removed:
        studio.magic("submit", *args)
    studio.cluster.add_node()
    assert removed
    runs = studio.runs()
    version = runs.get_model_version_by_alias("elastic", "current")
    assert version.tags["steps"] == str(STEPS)
    assert max(entry.step for entry in runs.get_metric_history(version.run_id, "loss/generator")) == STEPS
    newest = json.loads(studio.files.cat(f"{BUCKET}/runs/elastic/checkpoint_manager_snapshot.json"))
    taken = max(result["metrics"]["batches"] for result in newest["checkpoint_results"])
    assert STEPS <= taken < 2 * STEPS, "fewer workers take fewer batches"


def test_a_job_is_found_again_left_alone_and_stopped(studio, trained):
    long = poster("stopped", "--width", 4000)
    name = job_of(studio.magic("submit", "--detach", *long))
    assert job_of(studio.magic("submit", "--detach", *long)) == name
    assert "expected nobody at work in s3://studio/stopped" in studio.magic("submit", *long, "--seed", 5, status=2)
    follower = studio.begin("jobs", "logs", name, "--follow")
    assert follower.stdout is not None
    try:
        next(line for line in follower.stdout if "Running entrypoint" in line)
        follower.send_signal(signal.SIGINT)
        printed, _ = follower.communicate(timeout=60)
    finally:
        follower.kill()
    assert "detached; the job goes on" in printed
    assert follower.returncode == 0
    assert "RUNNING" in studio.magic("jobs", "status", name)
    studio.magic("jobs", "stop", name)
    assert name in studio.magic("jobs", "list")
    assert "STOPPED" in studio.magic("jobs", "status", name)
    assert "magic poster" in studio.magic("jobs", "status", name)
    assert "no-such-job" in studio.magic("jobs", "logs", "no-such-job", status=2)


def test_a_wrong_token_is_refused(studio):
    wrong = {"RAY_AUTH_TOKEN": "f" * 48}
    assert "expected the cluster's token" in studio.magic("jobs", "list", status=2, **wrong)
    assert "expected the cluster's token" in studio.magic("submit", *poster("refused"), status=2, **wrong)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{studio.cluster.address}/api/jobs/", timeout=30)


def test_places_that_a_cluster_cannot_reach(studio):
    assert "--out on storage that the cluster reaches, got 'out/here'" in studio.magic(
        "submit", *poster("here"), "--out", "out/here", status=2
    )
    assert "a command to submit" in studio.magic("submit", status=2)
    hidden = studio.magic("submit", *poster("open"), "--style", "https://me:my-password@host/a.png", status=2)
    assert "without credentials" in hidden
    assert "my-password" not in hidden
    gone = {"RAY_API_SERVER_ADDRESS": "http://127.0.0.1:9"}
    assert "expected a Ray job server" in studio.magic("jobs", "list", status=2, **gone)


def test_no_credentials_are_left_anywhere(studio, undisturbed):
    """In the cluster's logs, in what is stored, in the tracking server's database, in what commands print."""
    secret = [text.encode() for text in (radosgw.SECRET_KEY, radosgw.ACCESS_KEY, PASSWORD, studio.cluster.token)]
    stored = studio.stored(BUCKET)
    logs = [*studio.cluster.folder.rglob("*"), *studio.cluster.logs.glob("*.log"), *studio.tracking.folder.glob("*.*")]
    read = {str(path): path.read_bytes() for path in logs if path.is_file() and path.suffix != ".ini"}
    asked = urllib.request.Request(
        f"{studio.cluster.address}/api/jobs/", headers={"Authorization": f"Bearer {studio.cluster.token}"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # job specs, as the server shows them
        jobs = answer.read().decode() + "".join(studio.said)
    assert "magic-poster-" in jobs
    assert len(read) > 20
    assert len(stored) > 20
    for name, data in {**stored, **read, "what was printed": jobs.encode()}.items():
        assert not [text for text in secret if text in data], name
