"""The documentation of an API: `/openapi.json`, and a page at `/docs` that loads everything from this process.

The page is Swagger UI, whose files come with a Python package. It has no inline script and asks no other host; the
Content-Security-Policy makes the browser enforce both.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path
from typing import Final

from schemas.errors.table import Refusal
from schemas.openapi.examples import EXAMPLE_IDS
from serving.headers import RawHeader
from serving.http.reply import JSON, Reply
from serving.http.request import Endpoint, Request, constant
from serving.refused import Refused

# A plug-in of MkDocs that follows Swagger UI's releases. Only its files are read; none of its code runs.
_PACKAGE: Final = "mkdocs-swagger-ui-tag"
_FOLDER: Final = "mkdocs_swagger_ui_tag/swagger-ui"

_PAGE: Final = b"""\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>tallymill</title>
  <link rel="stylesheet" href="docs/swagger-ui.css">
  <link rel="icon" href="data:,">
</head>
<body>
  <div id="page"></div>
  <noscript>This page needs JavaScript; <a href="openapi.json">the document</a> doesn't.</noscript>
  <script src="docs/swagger-ui-bundle.js"></script>
  <script src="docs/start.js"></script>
</body>
</html>
"""

PAGE, ASSETS, DOCUMENT = "/docs", "/docs/{name}", "/openapi.json"

# Swagger UI sets styles in its script and has icons as data: URLs. "Try it out" calls only this process.
_POLICY: Final[RawHeader] = (
    b"content-security-policy",
    b"; ".join(
        (
            b"default-src 'none'",
            b"script-src 'self'",
            b"style-src 'self' 'unsafe-inline'",
            b"img-src 'self' data:",
            b"connect-src 'self'",
            b"base-uri 'none'",
            b"form-action 'none'",
            b"frame-ancestors 'none'",
        )
    ),
)
_NO_SNIFF: Final[RawHeader] = (b"x-content-type-options", b"nosniff")


def endpoints(document: str) -> dict[str, Endpoint]:
    """The page, its files, and the document of this name in schemas/json, by path."""
    return {
        DOCUMENT: constant(document_reply(document)),
        PAGE: constant(page_reply()),
        ASSETS: asset_endpoint(),
    }


def document_reply(document: str) -> Reply:
    """`GET /openapi.json`: the committed file, byte for byte."""
    return Reply(200, (files("schemas") / "json" / document).read_bytes(), (JSON,))


def page_reply() -> Reply:
    """`GET /docs`."""
    return Reply(200, _PAGE, (_type(b"text/html"), _POLICY, _NO_SNIFF))


@cache
def assets() -> Mapping[str, Reply]:
    """The files that the page loads, by name. They are read once: 2 MB."""
    folder = Path(str(distribution(_PACKAGE).locate_file(_FOLDER)))
    script, style = _type(b"text/javascript"), _type(b"text/css")
    return {
        "start.js": _asset(start_script(), script),
        "swagger-ui-bundle.js": _asset((folder / "javascripts" / "swagger-ui-bundle.js").read_bytes(), script),
        "swagger-ui.css": _asset((folder / "stylesheets" / "swagger-ui.css").read_bytes(), style),
    }


def start_script() -> bytes:
    """The script that starts the page. No validator: by default Swagger UI sends the document to its makers."""
    script = (files("serving.docs_page") / "start.js").read_text("utf-8")
    return script.replace("EXAMPLE_IDS = []", f"EXAMPLE_IDS = {json.dumps(EXAMPLE_IDS)}").encode()


def asset_endpoint() -> Endpoint:
    """`GET /docs/{name}`."""
    known = assets()

    async def endpoint(request: Request) -> Reply:
        try:
            return known[request.target.path_parameters["name"]]
        except KeyError as error:
            raise Refused(Refusal.NOT_FOUND) from error

    return endpoint


def _asset(body: bytes, media_type: RawHeader) -> Reply:
    return Reply(200, body, (media_type, _NO_SNIFF))


def _type(media_type: bytes) -> RawHeader:
    return (b"content-type", media_type + b"; charset=utf-8")
