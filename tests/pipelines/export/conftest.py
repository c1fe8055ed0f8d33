"""A poster's viewer, on a disk and on a web server, and a real browser to open it."""

import functools
import http.server
import threading

import pytest

from pipelines.export.deepzoom import write_viewer
from pipelines.export.viewer_page import PAGE
from pipelines.workers.functions import carry_out
from tests.browser import DESKTOP
from tests.pipelines.export.viewed import HEIGHT, WIDTH, Shown, settle, viewer


@pytest.fixture(scope="module")
def shown(make_poster, ray_here, tmp_path_factory) -> Shown:
    poster, folder = make_poster(HEIGHT, WIDTH), tmp_path_factory.mktemp("viewer") / "out"
    carry_out(write_viewer(viewer(poster, str(folder), quality=95)), 1)
    return Shown(poster, folder)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")  # longer than any page: a page that is still loading would miss it
def server(shown):
    handler = functools.partial(Quiet, directory=str(shown.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{PAGE}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["file", "http"])
def address(request, shown, server):
    """The page's URL, from a disk and from a web server."""
    return (shown.folder / PAGE).as_uri() if request.param == "file" else server


@pytest.fixture
def open_page(browser):
    """Opens pages; at the end none of them may have had an error, or asked for anything elsewhere."""
    troubles, contexts = [], []

    def open_(url: str, size=DESKTOP, **settings):
        context = browser.new_context(viewport=size, reduced_motion="reduce", **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: troubles.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
        page.on("response", lambda reply: troubles.append(f"{reply.status}: {reply.url}") if not reply.ok else None)
        home = url.rpartition("/")[0]
        page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith((home, "data:")) else None)
        page.goto(url)
        page.wait_for_selector("body[data-ready]")
        settle(page)
        return page

    yield open_
    for context in contexts:
        for page in context.pages:  # what is still on its way would count as failed
            page.wait_for_function("[...thumbs.values()].every((image) => image.complete)")
        context.close()
    assert troubles == []
