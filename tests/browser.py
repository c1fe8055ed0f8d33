"""A real browser for pages that the project writes."""

import os
import shutil

import pytest

DESKTOP = {"width": 1280, "height": 800}
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and "CI" in os.environ:
        pytest.fail("no Chromium: CI must test the viewer")
    if found is None:
        pytest.skip("NO CHROMIUM HERE: THE VIEWER IS NOT TESTED. Install chromium to test it")
    return found


@pytest.fixture(scope="module")
def browser():
    executable = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=executable, args=FLAGS)  # makes a new profile
        yield started
        started.close()
