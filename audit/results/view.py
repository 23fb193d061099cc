"""Serves audits as a site on the loopback interface: pages are made in memory, and no file is served by its name."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal

from audit.results.history import find
from audit.results.read import load
from probes.errors import InputError
from reports.history.history import Run
from reports.site.pages import Page, site

HOST = "127.0.0.1"
KEPT = ("frontier.html",)
"""Pages that other commands wrote into the folder."""


class Viewer:
    """A site that is served until it is closed; a context manager closes it at its end."""

    def __init__(self, serving: http.server.ThreadingHTTPServer) -> None:
        self._serving = serving
        self._thread = threading.Thread(target=serving.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._serving.server_address[1]}/"

    def wait(self) -> None:
        """Until another thread closes it, or Ctrl-C."""
        self._thread.join()

    def close(self) -> None:
        self._serving.shutdown()
        self._thread.join()
        self._serving.server_close()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def view(folder: str | Path, *, port: int = 0, lang: Literal["en", "zh"] = "en", thumbnails: bool = True) -> Viewer:
    """Serve all audits below a folder as a small site, for this machine alone, and return at once.

    folder      where results.json files lie, at any depth
    port        0 to 65535; 0, the default, is any that is free
    lang        en or zh
    thumbnails  off: no image or text of a sample on any page

    Returns the viewer: its address, and `close`. Raises InputError if there is no audit, or the port is taken.

    >>> import tempfile
    >>> from reports import dump
    >>> from reports.example import example_report
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "results.json").write_text(dump(example_report()), encoding="utf-8")
    ...     with view(folder) as viewer:
    ...         viewer.address.rpartition(":")[0]
    'http://127.0.0.1'
    """
    return Viewer(server(pages_of(Path(folder), lang=lang, thumbnails=thumbnails), port))


def pages_of(folder: Path, *, lang: str, thumbnails: bool) -> dict[str, Page]:
    """The site of all audits below the folder, with their samples where these are beside them."""
    runs = [_with_samples(run, folder) for run in find(folder)]
    extra = {name: path.read_bytes() for name in KEPT if (path := folder / name).is_file()}
    return site(runs, lang=lang, thumbnails=thumbnails, extra=extra)


def _with_samples(run: Run, folder: Path) -> Run:
    path = folder if run.name == folder.name and (folder / "results.json").is_file() else folder / run.name
    return Run(name=run.name, finished=run.finished, report=load(path))


def server(pages: Mapping[str, Page], port: int) -> http.server.ThreadingHTTPServer:
    """Only on the loopback interface. Raises InputError if the port is in use."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0]
            if not self._from_here():
                self.send_error(403)
            elif name not in pages:
                self.send_error(404)
            else:
                content = pages[name]()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("X-Content-Type-Options", "nosniff")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(content)

        def _from_here(self) -> bool:
            """Whether the request names this machine's own host: another name that resolves here may come from a
            hostile page."""
            host = self.headers.get("Host", "").rpartition(":")[0]
            return host in (HOST, "localhost")

        def log_message(self, format: str, *args: object) -> None:
            """Does not log requests to the terminal."""

    try:
        return http.server.ThreadingHTTPServer((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        said = error.strerror if isinstance(error, OSError) else "there are 65535 ports"
        raise InputError(f"cannot be listened on: {said}.", where=f"port {port}") from None
