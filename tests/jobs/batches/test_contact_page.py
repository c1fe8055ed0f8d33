import json
from pathlib import Path

import pytest

from jobs.batches.batch_job import batch
from jobs.exit_codes import PartlyFailedError


def test_the_page_shows_all_rows(ray_here, table, tmp_path, browser):
    table.rows["<b>&missing"] = {**table.rows["small"], "content": f"{tmp_path}/<script>.png"}
    config = table.config
    with pytest.raises(ValueError, match="letters, digits"):
        batch(config)
    table.rows["missing"] = table.rows.pop("<b>&missing")
    with pytest.raises(PartlyFailedError):
        batch(table.config)
    page = browser.new_page()
    troubles = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.wait_for_selector("body[data-ready]")
    names = lambda: page.locator("li strong").all_inner_texts()  # noqa: E731
    assert names() == ["small", "seeded", "large", "missing"]
    assert page.locator("#summary").inner_text() == "4 rows: 3 done, 1 refused"
    assert "<script>" in page.locator("li.refused .reason").inner_text()
    page.select_option("#status", "refused")
    assert names() == ["missing"]
    page.select_option("#status", "")
    page.fill("#find", "seed 7")
    assert names() == ["seeded"]
    page.fill("#find", "")
    page.select_option("#order", "name")
    assert names() == ["large", "missing", "seeded", "small"]
    for picture in page.locator("li img").all():
        picture.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth)")
    links = page.locator("li a").evaluate_all("links => links.map((link) => link.href)")
    assert len(links) == 7
    for link in links:
        assert Path(link.removeprefix("file://")).exists()
    assert troubles == []
    page.close()
    assert json.loads((tmp_path / "out" / "rows" / "missing.json").read_text())["status"] == "refused"
