"""The files of the page: what is served, how browsers keep it, and that nothing else is."""

import re
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from console.access.files import TYPES, page_files
from console.access.security_headers import POLICY
from tests.console.requests import request
from tests.console.rig import Rig

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "console" / "page"


async def test_the_page_is_served_to_everyone_and_may_run_only_its_own_files() -> None:
    """It holds no data, so it needs no token."""
    answer = await Rig().call("GET", "/")
    assert (200, (FOLDER / "index.html").read_bytes()) == (answer.status, answer.body)
    expected = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-cache",
    }
    assert expected == {name: answer.headers.get(name) for name in expected}


async def test_every_file_of_the_folder_is_served_with_its_type() -> None:
    """A file of a type that is not known would silently be missing."""
    names = [str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*") if file.is_file()]
    assert names
    rig = Rig()
    for name in names:
        answer = await rig.call("GET", f"/page/{name}")
        expected = (200, TYPES[name.rpartition(".")[2]].decode(), POLICY)
        assert expected == (
            answer.status,
            answer.headers["content-type"],
            answer.headers["content-security-policy"],
        ), name


async def test_a_browser_that_has_the_file_gets_304_and_one_with_another_the_file() -> None:
    """By a strong tag: the bytes are the same."""
    rig = Rig()
    first = await rig.call("GET", "/")
    tag = first.headers["etag"]
    assert re.fullmatch('"[0-9a-f]{32}"', tag)
    for sent in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = await rig.call("GET", "/", headers={"if-none-match": sent})
        assert (304, b"", tag) == (again.status, again.body, again.headers["etag"]), sent
        assert "content-length" not in again.headers
        assert "no-cache" == again.headers["cache-control"]
    for sent in ('"x"', tag.strip('"'), "", f"{tag}x"):
        assert 200 == (await rig.call("GET", "/", headers={"if-none-match": sent})).status, sent


HOSTILE = (
    "/page/",
    "/page",
    "/page//index.html",
    "/page/../app.py",
    "/page/..",
    "/page/./index.html",
    "/page/index.html/",
    "/page/index.html\0.js",
    "/page/\\..\\app.py",
    "/page/%2e%2e/app.py",
    "/page/....//app.py",
    "/page//etc/passwd",
    "/../console/page/index.html",
    "/index.html",
    "/page/INDEX.HTML",
    "/page/index.html~",
    "/page/index.html;.js",
    "/page/C:\\x",
)


@pytest.mark.parametrize("path", HOSTILE)
async def test_no_path_leads_out_of_the_folder(path: str) -> None:
    """Only listed files: none of these is one, whatever a file system would make of it."""
    answer = await Rig().call("GET", path)
    assert (404, "notFound") == (answer.status, answer.reason)


async def test_a_file_of_another_type_is_not_served(tmp_path: Path) -> None:
    """Neither an editor's copy nor a map of the sources."""
    (tmp_path / "vendor").mkdir()
    for name in ("a.js", "a.js~", ".a.js.swp", "a.py", "a.map", "vendor/b.css", "vendor/LICENSE.txt", "none"):
        (tmp_path / name).write_text(name)
    served = page_files(tmp_path)
    assert {"/page/a.js", "/page/vendor/b.css", "/page/vendor/LICENSE.txt"} == set(served)
    reply = await served["/page/vendor/b.css"](request())
    assert (b"vendor/b.css", (b"content-type", b"text/css; charset=utf-8")) == (reply.body, reply.headers[0])


async def test_the_page_takes_no_post() -> None:
    """405, as for every other path that only reads."""
    answer = await Rig().call("POST", "/page/index.html")
    assert (405, "GET, HEAD") == (answer.status, answer.headers["allow"])


def test_the_wheel_holds_every_file_of_the_page() -> None:
    """An installed console has the page too, whatever .gitignore says."""
    packed = {Path(file.path).resolve() for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    files = {file.resolve() for file in FOLDER.rglob("*") if file.is_file()}
    assert set() == files - packed
