"""Train on aerial views of Milan with Arcimboldo as content (Fig. 9), at half size, and render the poster.

    python benchmarks/milan.py DATA [WORK]

DATA holds milano/*.png and archimboldo.jpg. WORK (default out/milan) keeps the run, so that a second call renders
and does not train again. Writes benchmarks/results/milan.md and milan.jpg.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from PIL import Image
from report import RESULTS, write_report

from magic.machine import machine
from magic.measures.fidelity import content_fidelity
from magic.measures.score import CELLS_PX
from magic.sheets import small_jpeg
from magic.tables import markdown_table

MAX_PICTURE_BYTES = 400_000
SCALE, WIDTH_PX = 0.5, 600


def magic(*args: object) -> float:
    """Run `magic` with arguments as a user types them; returns the seconds that it took."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "jobs.cli", *map(str, args)], check=True)
    return time.perf_counter() - start


def main(data: Path, work: Path) -> None:
    store = f"sqlite:///{work}/mlflow.db"
    cluster = ["--cluster.tracking-uri", store, "--cluster.artifacts", f"{work}/mlruns"]
    train_s = magic(
        "train", "small", "--name", "milan", "--content.urls", data / "archimboldo.jpg", "--content.scale", SCALE,
        "--style.urls", data / "milano", "--style.scale", SCALE, "--out", work / "runs", *cluster,
    )  # fmt: skip
    poster_s = magic(
        "poster", "--model", "models:/milan@current", "--content", data / "archimboldo.jpg", "--width", WIDTH_PX,
        "--out", work / "poster", "--also", "collage", "labels", "--sheet", *cluster,
    )  # fmt: skip
    client = MlflowClient(store)
    run_id = client.get_model_version_by_alias("milan", "current").run_id
    steps_s = step_seconds(client, run_id)
    metrics = client.get_run(run_id).data.metrics
    poster = Image.open(work / "poster" / "poster.png")
    content = Image.open(data / "archimboldo.jpg").convert("RGB").resize(poster.size, Image.Resampling.LANCZOS)
    rows = {
        "training, seconds at work (first to last step)": f"{steps_s:.0f}",
        "training, seconds of the whole command": f"{train_s:.0f}",
        "steps": str(int(client.get_metric_history(run_id, "loss/generator")[-1].step)),
        "poster": f"{poster.width} x {poster.height} px",
        "poster, seconds of the whole command": f"{poster_s:.0f}",
        "share of training time spent waiting for data": f"{metrics['time/data_wait_share']:.3f}",
        "content correlation at 8, 16, 32 px (luminance)": ", ".join(
            f"{content_fidelity(np.array(poster), np.array(content), cell).correlation:.3f}" for cell in CELLS_PX
        ),
        "entropy of A, nats": f"{metrics['loss/entropy']:.3f}",
        "largest share of a template": f"{metrics['loss/max_share']:.3f}",
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "milan.jpg").write_bytes(small_jpeg(poster, MAX_PICTURE_BYTES))
    table = markdown_table(["figure", "value"], rows.items())
    write_report(
        "milan",
        "# Milan styles, Arcimboldo content\n\n"
        f"`python benchmarks/milan.py DATA` on {machine('ray', 'mlflow')}\n\n{table}\n\n![poster](milan.jpg)\n",
    )


def step_seconds(client: MlflowClient, run_id: str) -> float:
    """Seconds between the first and the last entry of the loss curve."""
    times = [entry.timestamp for entry in client.get_metric_history(run_id, "loss/generator")]
    return (max(times) - min(times)) / 1000


if __name__ == "__main__":
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "out/milan")
    main(Path(sys.argv[1]), folder.absolute())
