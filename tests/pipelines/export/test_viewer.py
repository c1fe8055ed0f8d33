"""The viewer, as people use it: in a real browser, from a disk and from a web server."""

import itertools
import json

import numpy as np
import pytest

from magic.geometry import Box
from pipelines.export.deepzoom import write_viewer
from pipelines.export.viewer_page import PAGE
from pipelines.storage.door import file_name
from pipelines.workers.functions import carry_out
from tests.pipelines.export.viewed import (
    HEIGHT,
    WIDTH,
    Shown,
    changed,
    flat_place,
    place_of,
    seen_at,
    settle,
    viewer,
    with_many_templates,
)

MANY = 300  # templates: more than a byte can number
PHONE = {"width": 360, "height": 740}


def text(page, name: str) -> str:
    return page.locator(f"#{name}").inner_text()


def said(page) -> dict[str, str]:
    """All that the panel says."""
    names = ["number", "name", "place", "orientation", "pixel"]
    said = page.evaluate("(names) => names.map((name) => at(name).innerText)", names)
    colour = page.evaluate("getComputedStyle(at('colour')).backgroundColor")
    return dict(zip(names, said, strict=True)) | {"colour": colour}


def expected(shown: Shown, x: int, y: int) -> dict[str, str]:
    number, (column, row) = shown.label(x, y), shown.sources(x, y)[1, 1]
    manifest = shown.poster.manifest
    return {
        "number": f"Template {number}",
        "name": file_name(manifest.pictures[manifest.identity.templates[number].picture].url),
        "place": f"x {column}, y {row}",
        "orientation": shown.orientation(x, y),
        "pixel": f"x {x}, y {y}",
        "colour": f"rgb({', '.join(map(str, shown.colour(x, y)))})",
    }


def check(page, shown: Shown, x: int, y: int) -> None:
    """What the panel says of a pixel is true."""
    page.wait_for_selector(f'#panel[data-pixel="{x},{y}"]')
    spoken, truth = said(page), expected(shown, x, y)
    truth["orientation"] = truth["orientation"] or spoken["orientation"]  # where the plane turns around, any will do
    assert spoken == truth


def test_hovering_tells_the_place_that_the_memory_set_shows(open_page, shown, address):
    page, rng = open_page(address), np.random.default_rng(5)
    points = [(0, 0), (WIDTH - 1, HEIGHT - 1), (511, 511), (512, 512)]
    points += [(int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))) for _ in range(20)]
    assert sum(shown.orientation(*point) is not None for point in points) > 20
    for x, y in points:
        page.mouse.move(*place_of(page, x, y))
        check(page, shown, x, y)
    thumb, marker = page.locator("#thumb").bounding_box(), page.locator("#marker").bounding_box()
    manifest = shown.poster.manifest
    picture = manifest.pictures[manifest.identity.templates[shown.label(x, y)].picture]
    column, row = shown.sources(x, y)[1, 1]
    page.wait_for_function("at('thumb').complete && at('thumb').naturalWidth > 0")
    for start, size, place, side in (("x", "width", column, "width"), ("y", "height", row, "height")):
        middle = marker[start] + marker[size] / 2
        assert middle == pytest.approx(thumb[start] + thumb[size] * (place + 0.5) / getattr(picture, side), abs=1)


def test_a_thumbnail_on_its_way_is_not_given_up_when_the_pointer_moves_on(open_page, shown, server):
    page, waiting = open_page(server), []
    page.route("**/thumbs/*", lambda route: waiting.append(route))
    pictures = {}
    for x, y in itertools.product(range(0, WIDTH, 40), range(0, HEIGHT, 40)):
        pictures.setdefault(shown.poster.manifest.identity.templates[shown.label(x, y)].picture, (x, y))
    assert len(pictures) > 1
    for x, y in pictures.values():
        page.mouse.move(*place_of(page, x, y))
        check(page, shown, x, y)
    for route in waiting:
        route.continue_()
    assert len(waiting) == len(pictures)
    page.wait_for_function("at('thumb').complete && at('thumb').naturalWidth > 0")


def test_panning_and_zooming_move_the_poster_under_the_pointer(open_page, shown, address):
    page = open_page(address)
    page.keyboard.press("3")
    page.mouse.move(400, 300)
    for _ in range(4):
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(100)  # wheels within 50 ms count as one
    settle(page)
    zoomed = page.evaluate("viewer.viewport.getZoom()")
    assert zoomed > 1.5
    before = page.evaluate("viewer.viewport.getCenter().x")
    page.mouse.down()
    page.mouse.move(520, 390, steps=6)
    page.mouse.up()
    settle(page)
    assert page.evaluate("viewer.viewport.getCenter().x") < before
    assert page.evaluate("viewer.viewport.getZoom()") == pytest.approx(zoomed)
    for place in ((300, 200), (640, 420), (777, 555)):
        page.mouse.move(*place)
        page.wait_for_timeout(150)  # what the panel says next is not known here: the screen tells
        x, y = map(int, page.locator("#panel").get_attribute("data-pixel").split(","))
        check(page, shown, x, y)
        assert np.array_equal(seen_at(page, place), shown.colour(x, y))


def test_layers_switch_and_fade(open_page, shown, address):
    page = open_page(address)
    x, y = flat_place(shown.poster)
    place = place_of(page, x, y)
    poster = seen_at(page, place)
    assert np.abs(poster - shown.poster.rgb("output", Box(y, x, y + 1, x + 1))[0, 0]).max() < 30
    page.get_by_role("button", name="Labels").click()
    settle(page)
    assert page.get_by_role("button", name="Labels").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="Poster").get_attribute("aria-pressed") == "false"
    assert np.array_equal(seen_at(page, place), shown.colour(x, y))
    assert page.locator("#over").input_value() == "output"  # back to what was seen before
    page.locator("#amount").fill("50")
    settle(page)
    assert text(page, "percent") == "50 %"
    assert np.abs(seen_at(page, place) - (poster + shown.colour(x, y)) / 2).max() <= 2
    page.locator("#over").select_option("content")
    page.locator("#amount").fill("100")
    settle(page)
    content = shown.poster.rgb("content", Box(y, x, y + 1, x + 1))[0, 0]
    assert np.abs(seen_at(page, place) - content).max() < 12


def test_all_can_be_done_by_keys(open_page, shown, address):
    page = open_page(address)
    pressed = lambda: page.locator("#layers [aria-pressed=true]").inner_text()  # noqa: E731
    for key, title in zip("2341", ("Collage", "Labels", "Content", "Poster"), strict=True):
        page.keyboard.press(key)
        assert pressed() == title
    for key, percent in (("]", "10 %"), ("]", "20 %"), ("[", "10 %"), ("[", "0 %"), ("[", "0 %")):
        page.keyboard.press(key)
        assert text(page, "percent") == percent
    state = "[viewer.viewport.getZoom(), viewer.viewport.getCenter().x, viewer.viewport.getCenter().y]"
    home = page.evaluate(state)
    for key in ("+", "+", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    moved = page.evaluate(state)
    assert all(now > before for now, before in zip(moved, home, strict=True))
    settle(page)
    page.keyboard.press("i")
    page.wait_for_selector("#panel[data-pixel]")
    x, y = map(int, page.locator("#panel").get_attribute("data-pixel").split(","))
    assert (x, y) == (int(moved[1] * WIDTH), int(moved[2] * WIDTH))  # the viewport counts in widths
    check(page, shown, x, y)
    page.keyboard.press("Escape")
    assert not page.locator("#held").count()
    page.keyboard.press("0")
    assert page.evaluate(state) == pytest.approx(home)
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="About this poster").is_visible()
    assert "901 \u00d7 700 pixels" in text(page, "about")
    page.keyboard.press("2")  # means nothing behind the dialog
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    assert pressed() == "Poster"
    page.locator("#amount").focus()
    page.keyboard.press("ArrowRight")  # the slider's own
    assert text(page, "percent") == "1 %"
    for name in ("Layer", "View"):
        assert page.get_by_role("group", name=name).is_visible()


def test_a_click_holds_a_place(open_page, shown, address):
    page = open_page(address)
    page.mouse.click(*place_of(page, 200, 300))
    check(page, shown, 200, 300)
    ring = page.locator("#held").bounding_box()
    assert ring["x"] + ring["width"] / 2 == pytest.approx(place_of(page, 200, 300)[0], abs=1.5)
    page.mouse.move(*place_of(page, 600, 500))
    page.wait_for_timeout(150)
    check(page, shown, 200, 300)
    page.get_by_role("button", name="Release this place").click()
    page.mouse.move(*place_of(page, 600, 500))
    check(page, shown, 600, 500)


def test_a_phone_shows_all_within_its_width(open_page, shown, address):
    page = open_page(address, PHONE, has_touch=True)
    page.touchscreen.tap(*place_of(page, 450, 350))
    check(page, shown, 450, 350)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    poster, panel = page.locator("#poster").bounding_box(), page.locator("#panel").bounding_box()
    assert poster["height"] > PHONE["height"] / 2
    assert panel["y"] == pytest.approx(poster["y"] + poster["height"], abs=1)  # a sheet below the poster
    assert panel["y"] + panel["height"] <= PHONE["height"] + 1
    assert page.locator("#panel").evaluate("(sheet) => sheet.scrollHeight - sheet.clientHeight") <= 1
    for control in page.locator("button:visible, select, input").all():
        box = control.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        assert control.evaluate("(e) => e.matches('input') || e.getBoundingClientRect().height >= 36")
    page.get_by_role("button", name="Zoom in").tap()
    assert page.evaluate("viewer.viewport.getZoom()") > 1


def test_more_templates_than_a_byte_can_number(open_page, make_poster, ray_here, tmp_path):
    shown = Shown(with_many_templates(make_poster(350, 450), MANY), tmp_path / "out")
    for number, tile in enumerate(shown.poster.store.grid):
        labels = np.random.default_rng(number).integers(0, MANY, (1, tile.core.height, tile.core.width))
        shown.poster.store.write("labels", tile.core, labels.astype(np.uint16))
    carry_out(write_viewer(viewer(shown.poster, str(shown.folder))), 1)
    page = open_page((shown.folder / PAGE).as_uri())
    height, width = shown.poster.store.size()
    assert json.loads(page.evaluate("JSON.stringify([POSTER.width, POSTER.height])")) == [width, height]
    for x, y in ((3, 5), (140, 200), (399, 333)):
        point = f"new OpenSeadragon.Point({x + 0.5}, {y + 0.5})"
        place = page.evaluate(f"items.get('output').imageToViewerElementCoordinates({point})")
        corner = page.locator("#poster").bounding_box()
        page.mouse.move(corner["x"] + place["x"], corner["y"] + place["y"])
        check(page, shown, x, y)


def test_a_page_says_what_it_cannot_know(open_page, make_poster, ray_here, tmp_path):
    """Places of a model that moves its pieces are rough, a mosaic has none, and a preview is called one."""
    small = make_poster(150, 170)

    def opened(**changes):
        folder = tmp_path / "-".join(changes)
        carry_out(write_viewer(viewer(changed(small, **changes), str(folder))), 1)
        return open_page((folder / PAGE).as_uri())

    page = opened(warp="affine")
    page.mouse.move(*place_of(page, 70, 60))
    page.get_by_text("about x ").wait_for()
    assert "moves its pieces" in page.locator("#about").text_content()
    page = opened(system="mosaic")
    assert "no place of it was cut" in page.locator("#hint").text_content()
    page.mouse.click(*place_of(page, 70, 60))
    page.locator("#held").wait_for(state="attached")
    assert page.locator("#source").is_hidden()
    page = opened(statistics="preview")
    assert page.title().startswith("Preview (approximate)")
    assert "approximate" in page.locator("#about").text_content()
    sound = opened(seed=1)
    assert sound.title().startswith("Poster,")
    assert "moves" not in sound.locator("#about").text_content()


def test_a_square_that_does_not_load_is_said_and_asked_for_again(open_page, shown):
    page = open_page((shown.folder / PAGE).as_uri())
    page.evaluate("document.head.append = ((add) => (s) => { s.src = 'data:text/javascript,'; add(s); })"
                  "(document.head.append.bind(document.head)); null")  # fmt: skip
    page.mouse.move(*place_of(page, 100, 100))
    page.get_by_text("is not known: labels_data/0_0.js did not load").wait_for()
    page.evaluate("delete document.head.append")
    page.mouse.move(*place_of(page, 101, 100))
    check(page, shown, 101, 100)
