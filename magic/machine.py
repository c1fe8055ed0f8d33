"""Which machine a measurement was made on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def machine(*packages: str) -> str:
    """This machine, for the record, and the versions of torch and further packages."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
        model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
        device = f"{os.cpu_count()} cores of {model.strip()}"
    versions = "".join(f", {name} {version(name)}" for name in ("torch", *packages))
    return f"{device}, Python {platform.python_version()}{versions}"
