"""A web server on loopback that shows the pictures of a folder to those who have the password or the token."""

import base64
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

USER = "studio"
PASSWORD, TOKEN, SIGNATURE = "hush-41d9c07e", "token-b8f3a6d2", "signature-5e90cc17"
SECRETS = (PASSWORD, TOKEN, SIGNATURE)
ENDING = "closing"
"""In a picture's name: it is shown MAX_SHOWN times, and refused from then on."""
MAX_SHOWN = 3
"""Requests by which a source is listed and surveyed."""


class LockedPictures:
    """The server, and the addresses of its pictures in each of the ways in which they can hold a secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(folder))
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def with_password(self, name: str) -> str:
        return f"http://{USER}:{PASSWORD}@{self.host}/{name}"

    def with_token(self, name: str) -> str:
        return f"http://{self.host}/{name}?size=large&access_token={TOKEN}"

    def signed(self, name: str) -> str:
        return f"http://{self.host}/{name}?X-Amz-Date=20260101T000000Z&X-Amz-Signature={SIGNATURE}"

    @staticmethod
    def authorization() -> str:
        """The header of a request that knows the password."""
        return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(folder: Path) -> type[BaseHTTPRequestHandler]:
    shown: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            data = self._answer()
            if data is not None:
                self.wfile.write(data)

        def _answer(self) -> bytes | None:
            path = folder / urlsplit(self.path).path.lstrip("/")
            status = status_of(path, self.path, self.headers.get("Authorization"))
            if status != 200:
                return self._refuse(status)
            if ENDING in path.name and self.command == "GET":
                shown[path.name] += 1
                if shown[path.name] > MAX_SHOWN:
                    return self._refuse(403)
            data = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            return data

        def _refuse(self, status: int) -> None:
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def status_of(file: Path, asked: str, authorization: str | None) -> int:
    """The answer to a request for a file: it has to name the token, the signature or the password."""
    named = {value for values in parse_qs(urlsplit(asked).query).values() for value in values}
    if named.isdisjoint({TOKEN, SIGNATURE}) and authorization != LockedPictures.authorization():
        return 401
    return 200 if file.is_file() else 404
