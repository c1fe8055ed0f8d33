"""Kill workers and drivers and fill the disk at random points of a poster; the bytes must come out the same.

    python benchmarks/poster_faults.py [POINTS]

Paints a poster undisturbed, and then again and again under faults until there were POINTS of them (default 27): a
worker killed, the whole job killed, the disk filled, at any time from its first worker to its end, files and viewer
and all. Whenever a poster is finished, every file of it is compared with the undisturbed one's: leave the code alone
meanwhile, its version is in the manifest. A full disk needs a small file system of its own and so the right to mount
one. Writes benchmarks/results/poster_faults.md.
"""

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import torch
from processes import family, kill

from magic.hyperparameters import GeneratorConfig
from magic.machine import machine
from magic.networks.baselines import build_generator
from magic.networks.packed import save_generator

RESULTS = Path(__file__).parent / "results"
DEMO = Path(__file__).parent.parent / "demo"
FAULTS = ("a worker killed", "the job killed", "the disk filled")
WIDTH_PX, TILE_PX, DISK_BYTES = 900, 96, 64_000_000
PATIENCE_S = 300


class Job:
    """One run of the command, in processes of its own."""

    def __init__(self, model: Path, out: Path) -> None:
        command = ["poster", "--model", model, "--content", DEMO / "content" / "astronaut.jpg", "--out", out]
        command += ["--style", DEMO / "style", "--width", WIDTH_PX, "--templates", 4, "--tile", TILE_PX]
        command += ["--keep", "True", "--workers", 2, "--formats", "png", "tiff", "viewer"]
        args = [sys.executable, "-m", "jobs.cli", *map(str, command)]
        self.process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def workers(self) -> list[psutil.Process]:
        """Its Ray workers that paint or do other parts of the poster."""
        found = []
        for process in family(self.process)[1:]:
            try:
                if any(name in process.cmdline()[0] for name in ("TileWorker", "_Hand")):
                    found.append(process)
            except (psutil.Error, IndexError):
                continue
        return found

    def wait_for_workers(self) -> None:
        """Until it paints, or ends."""
        while self.process.poll() is None and not self.workers():
            time.sleep(0.05)


def digests(out: Path) -> dict[str, str]:
    """Of every file of a poster."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
    }


def strike(fault: str, job: Job, disk: Path) -> None:
    """One fault; a job that ends by it is over afterwards, and the disk has room again."""
    if fault == "a worker killed":
        for worker in random.sample(job.workers(), 1):
            worker.kill()
    elif fault == "the job killed":
        kill(job.process)
    else:
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass
        job.process.wait(PATIENCE_S)
        ballast.unlink()


def main(points: int) -> None:
    random.seed(0)
    with tempfile.TemporaryDirectory() as work:
        model, disk = Path(work) / "model", Path(work) / "disk"
        torch.manual_seed(0)
        save_generator(model, build_generator(GeneratorConfig(channels=4, depth=2, heads=1, refine="blend")))
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)], check=True)
        try:
            report(points, *torment(points, model, disk))
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


def torment(points: int, model: Path, disk: Path) -> tuple[Counter, int, int]:
    """How many faults of each kind there were, how many posters were finished, and how many times one was begun."""
    out = disk / "poster"
    job = Job(model, out)
    job.wait_for_workers()
    start = time.monotonic()
    assert job.process.wait() == 0
    seconds, expected = time.monotonic() - start, digests(out)
    print(f"undisturbed: {seconds:.0f} s, {len(expected)} files")
    struck, finished, begun = Counter(), 0, 0
    wipe(out)
    while struck.total() < points or out.exists():
        begun += 1
        job = Job(model, out)
        job.wait_for_workers()
        while job.process.poll() is None:
            try:
                job.process.wait(random.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                fault = FAULTS[struck.total() % len(FAULTS)]
                if struck.total() < points and (job.workers() or fault != "a worker killed"):
                    strike(fault, job, disk)
                    struck[fault] += 1
                    print(f"{struck.total():3d} {fault}: {len(list(out.rglob('*')))} files so far", flush=True)
        if job.process.returncode == 0:
            differing = sorted({name for name, _ in digests(out).items() ^ expected.items()})
            assert not differing, f"the poster differs in {', '.join(differing)}"
            finished += 1
            print(f"    poster {finished} is the same, byte for byte", flush=True)
            wipe(out)
    return struck, finished, begun


def wipe(out: Path) -> None:
    subprocess.run(["rm", "-r", str(out)], check=True)


def report(points: int, struck: Counter, finished: int, begun: int) -> None:
    """Write the table."""
    rows = "\n".join(f"| {fault} | {struck[fault]} |" for fault in FAULTS)
    text = (
        f"# Faults at {points} random points of a poster\n\n`python benchmarks/poster_faults.py {points}` on "
        f"{machine('ray', 'zarr')}\n\n| fault | times |\n| --- | --- |\n{rows}\n\nThe command was begun {begun} times "
        f"and finished {finished} posters ({WIDTH_PX} px, tiles of {TILE_PX} px, two workers). Every file of each of "
        "them equals the undisturbed one's, byte for byte.\n"
    )
    (RESULTS / "poster_faults.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 27)
