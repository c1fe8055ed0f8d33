"""What benchmarks share: where they write what they measured, and a command's processes, to watch or to kill."""

import contextlib
import subprocess
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"


def write_report(name: str, text: str) -> None:
    """Write a Markdown text to benchmarks/results, and print it."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


def family(process: subprocess.Popen) -> list[psutil.Process]:
    """The process and all processes that it started; none if it has ended."""
    try:
        own = psutil.Process(process.pid)
        return [own, *own.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill(process: subprocess.Popen) -> None:
    """Kill the process and all processes that it started."""
    for one in family(process)[::-1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
