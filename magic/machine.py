"""On which machine, and with which versions, something was measured."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def machine(*packages: str) -> str:
    """This machine in one line: its GPU, or its processor, and the versions of Python, torch and further packages.

    Args:
        packages: names of installed packages.
    """
    versions = "".join(f", {name} {version(name)}" for name in ("torch", *packages))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    return f"{device}, Python {platform.python_version()}{versions}"


def _processor() -> str:
    """The number of cores and the processor's name, from where Linux keeps it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} cores of {model.strip()}"
