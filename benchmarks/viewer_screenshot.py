"""Take a picture of the viewer for the documentation; its panel shows the piece in the middle of the poster.

    python benchmarks/viewer_screenshot.py DEEPZOOM [OUT]

DEEPZOOM is a local folder with a viewer (`magic export POSTER DEEPZOOM/`). OUT defaults to docs/viewer.jpg. Needs
playwright and Chromium.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from magic.sheets import small_jpeg

DOCS = Path(__file__).parents[1] / "docs"
MAX_BYTES = 300_000
SIZE = {"width": 1280, "height": 800}
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def screenshot(folder: Path) -> Image.Image:
    """The viewer as it opens, with the panel of the piece in the middle."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as play:
        browser = play.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=FLAGS, viewport=SIZE, device_scale_factor=1
        )
        page = browser.pages[0]
        page.goto((folder / "index.html").absolute().as_uri())
        page.wait_for_selector("body[data-ready]")
        page.wait_for_timeout(1500)  # until all tiles are loaded
        page.keyboard.press("i")
        page.wait_for_selector("#panel[data-pixel]")
        page.wait_for_function("document.getElementById('thumb').complete")
        shown = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    return shown


def main(folder: Path, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(small_jpeg(screenshot(folder), MAX_BYTES))
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else DOCS / "viewer.jpg")
