"""The files of the page: `/` is index.html, `/page/...` are the others. They hold no data, so they need no token.

All are read at the start. A path that is not in the list is 404, so that no path leads out of the folder. A browser
keeps a file, and asks each time whether it is current (`no-cache` and a strong ETag).
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from console.access.security_headers import SECURITY
from serving.http.replies import NOT_MODIFIED_CODE, etag_of, is_current
from serving.http.reply import NO_CACHE, Reply
from serving.http.request import Endpoint, Request

TYPES: Final[Mapping[str, bytes]] = {
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "json": b"application/json; charset=utf-8",
    "md": b"text/plain; charset=utf-8",
    "txt": b"text/plain; charset=utf-8",
    "svg": b"image/svg+xml",
    "woff2": b"font/woff2",
    "png": b"image/png",
    "ico": b"image/x-icon",
}
"""By the end of the name. A file of any other type is not served."""

PREFIX: Final = "/page/"
NAMED: Final[Mapping[str, str]] = {"/": "index.html", "/open": "open.html"}
"""Paths that a person sees."""


def page_files(folder: Traversable | None = None) -> dict[str, Endpoint]:
    """The endpoints of all files of the folder, by path."""
    served = {name: _File(content, TYPES[_type(name)]) for name, content in _read(folder or files("console") / "page")}
    named = {path: served[name] for path, name in NAMED.items() if name in served}
    return {**{PREFIX + name: file for name, file in served.items()}, **named}


def _type(name: str) -> str:
    return name.rpartition(".")[2]


def _read(folder: Traversable, above: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = above + entry.name
        if entry.is_dir():
            yield from _read(entry, f"{name}/")
        elif _type(name) in TYPES:
            yield name, entry.read_bytes()


class _File:
    """The endpoint of one file."""

    def __init__(self, content: bytes, media_type: bytes) -> None:
        self._etag = etag_of(content)
        kept = ((b"etag", self._etag), NO_CACHE, *SECURITY)
        self._whole = Reply(200, content, ((b"content-type", media_type), *kept))
        self._not_modified = Reply(NOT_MODIFIED_CODE, b"", kept)

    async def __call__(self, request: Request) -> Reply:
        return self._not_modified if is_current(request.headers, self._etag) else self._whole
