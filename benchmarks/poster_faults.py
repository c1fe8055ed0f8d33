"""Kill workers and drivers and fill the disk at random moments of posters and exports; no byte must change.

    python benchmarks/poster_faults.py [NUMBER]

Paints a poster undisturbed, and then the same one again and again under faults, until there were NUMBER of each kind
(default 20). A fault kills a worker, kills the whole job, or fills the disk, at any moment between the first worker's
start and the end of the job. Whenever a poster is finished, each of its files is compared with that of the undisturbed
poster. Then the poster is exported, and NUMBER exports are killed at any moment: what has its name is whole after each
of them, and the same command again writes the same bytes. Do not change the code while this runs: the manifest holds
its version. To fill a disk takes a small file system of its own, and the right to mount one. Writes
benchmarks/results/poster_faults.md.
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
from report import family, kill, write_report

from jobs.settings.demo_pictures import DEMO_CONTENT, DEMO_STYLE, PROJECT
from magic.hyperparameters import GeneratorConfig
from magic.machine import machine
from magic.networks.generator import build_generator
from magic.networks.packed import save_generator
from magic.tables import markdown_table
from pipelines.storage.door import PARTIAL

FAULTS = ("a worker killed", "the job killed", "the disk filled")
EXPORT_FAULT = "the export killed"
EXPORTS = ("poster.png", "poster.tif", "poster.jpg", "viewer/")
WIDTH_PX, TILE_PX, DISK_BYTES = 900, 96, 64_000_000
JOB_END_TIMEOUT_S = 300
"""A job whose disk is full has to end within this time."""


def painting(model: Path, out: Path) -> list[object]:
    """The command that paints the poster."""
    command = ["poster", "--model", model, "--content", PROJECT / DEMO_CONTENT, "--out", out]
    command += ["--style", PROJECT / DEMO_STYLE, "--width", WIDTH_PX, "--templates", 4, "--tile", TILE_PX]
    return [*command, "--keep", "True", "--workers", 2, "--formats", "png", "tiff", "viewer"]


class Job:
    """One run of a command, with all its processes."""

    def __init__(self, command: list[object]) -> None:
        args = [sys.executable, "-m", "jobs.cli", *map(str, command)]
        self.process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def workers(self) -> list[psutil.Process]:
        """Its Ray workers: those that paint tiles, and those that call functions for the rest of the poster."""
        workers = []
        for process in family(self.process)[1:]:
            try:
                if any(name in process.cmdline()[0] for name in ("TileWorker", "FunctionWorker")):
                    workers.append(process)
            except (psutil.Error, IndexError):
                continue
        return workers

    def wait_for_workers(self) -> None:
        """Return when the first worker has started, or the job has ended."""
        while self.process.poll() is None and not self.workers():
            time.sleep(0.05)


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of every file of a poster, by its path."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
    }


def strike(fault: str, job: Job, disk: Path) -> None:
    """Cause one fault. If it ends the job, this waits for its end; a filled disk is emptied again."""
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
        job.process.wait(JOB_END_TIMEOUT_S)
        ballast.unlink()


def main(number: int) -> None:
    random.seed(0)
    with tempfile.TemporaryDirectory() as work:
        model, disk = Path(work) / "model", Path(work) / "disk"
        torch.manual_seed(0)
        save_generator(model, build_generator(GeneratorConfig(channels=4, depth=2, heads=1, refine="blend")))
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)], check=True)
        try:
            painted = paint_under_faults(number * len(FAULTS), model, disk)
            assert Job(painting(model, disk / "poster")).process.wait() == 0
            kill_exports(number, disk / "poster", disk / "exports")
            report(number, *painted)
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


def paint_under_faults(points: int, model: Path, disk: Path) -> tuple[Counter, int, int]:
    """Paint posters until there were so many faults, and the poster of the last one is finished.

    Returns:
        How many faults of each kind there were, how many posters were finished, and how often the command was started.
    """
    out = disk / "poster"
    job = Job(painting(model, out))
    job.wait_for_workers()
    start = time.monotonic()
    assert job.process.wait() == 0
    seconds, expected = time.monotonic() - start, digests(out)
    print(f"undisturbed: {seconds:.0f} s, {len(expected)} files")
    faults, num_finished, num_starts = Counter(), 0, 0
    wipe(out)
    while faults.total() < points or out.exists():
        num_starts += 1
        job = Job(painting(model, out))
        job.wait_for_workers()
        while job.process.poll() is None:
            try:
                job.process.wait(random.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                fault = FAULTS[faults.total() % len(FAULTS)]
                if faults.total() < points and (job.workers() or fault != "a worker killed"):
                    strike(fault, job, disk)
                    faults[fault] += 1
                    print(f"{faults.total():3d} {fault}: {len(list(out.rglob('*')))} files so far", flush=True)
        if job.process.returncode == 0:
            differing = sorted({name for name, _ in digests(out).items() ^ expected.items()})
            assert not differing, f"the poster differs in {', '.join(differing)}"
            num_finished += 1
            print(f"    poster {num_finished} is the same, byte for byte", flush=True)
            wipe(out)
    return faults, num_finished, num_starts


def kill_exports(number: int, poster: Path, out: Path) -> None:
    """Export a poster again and again, and kill so many of the exports."""
    command = ["export", poster, *(f"{out}/{name}" for name in EXPORTS), "--workers", 2]
    start = time.monotonic()
    assert Job(command).process.wait() == 0
    seconds, expected, source = time.monotonic() - start, digests(out), digests(poster)
    for count in range(1, number + 1):
        wipe(out)
        job = Job(command)
        while job.process.poll() is None:
            try:
                job.process.wait(random.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                kill(job.process)
        found = whole_files(out)
        assert found.items() <= expected.items(), "a file of an export that was killed is not whole"
        assert digests(poster) == source, "an export changed the poster"
        assert Job(command).process.wait() == 0
        assert whole_files(out) == expected, "the export after a killed one differs"
        print(f"{count:3d} {EXPORT_FAULT} with {len(found)} files; the next one is the same, byte for byte", flush=True)


def whole_files(out: Path) -> dict[str, str]:
    """Digests of the files that have their names; one that is half written ends in .partial."""
    return {name: digest for name, digest in digests(out).items() if not name.endswith(PARTIAL)}


def wipe(out: Path) -> None:
    subprocess.run(["rm", "-r", str(out)], check=True)


def report(number: int, faults: Counter, num_finished: int, num_starts: int) -> None:
    """Write the table."""
    counts = [[fault, str(faults[fault])] for fault in FAULTS] + [[EXPORT_FAULT, str(number)]]
    write_report(
        "poster_faults",
        f"# Faults at random moments of posters and exports\n\n`python benchmarks/poster_faults.py {number}` on "
        f"{machine('ray', 'zarr')}\n\n{markdown_table(['fault', 'times'], counts)}\n\n`magic poster` was started "
        f"{num_starts} times and finished {num_finished} posters ({WIDTH_PX} px, tiles of {TILE_PX} px, two workers). "
        "Every file of each of them equals the undisturbed poster's, byte for byte. After each killed export "
        f"({', '.join(EXPORTS)}), all that had its name was whole, and the same command again wrote the same bytes.\n",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
