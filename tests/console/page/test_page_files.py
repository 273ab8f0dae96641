"""The page's files: small, without inline code, and vendored ones exactly as their packages have them."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.nodejs import NODE
from tests.clients.running import environment
from tests.console.page.stub import PAGE, TYPES
from tests.patience import PATIENCE_SECONDS

VENDOR = PAGE / "vendor"
MANIFEST = VENDOR / "manifest.json"
OWN = [path for path in sorted(PAGE.rglob("*")) if path.suffix in TYPES and not path.is_relative_to(VENDOR)]

MAX_LINES = 350


def test_vendored_files_are_those_of_the_manifest() -> None:
    """Hash and licence of each; nothing else lies beside them."""
    packages = json.loads(MANIFEST.read_text())
    hashes = {name: wanted for package in packages for name, wanted in package["files"].items()}
    licences = {name for package in packages for name in package["licenseFiles"]}
    there = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert {*hashes, *licences, MANIFEST.name} == there
    assert hashes == {name: f"sha256-{hashlib.sha256((VENDOR / name).read_bytes()).hexdigest()}" for name in hashes}
    assert all(package["license"] and package["version"] for package in packages)


@pytest.mark.parametrize("path", OWN, ids=lambda path: str(path.relative_to(PAGE)))
def test_files_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", OWN, ids=lambda path: str(path.relative_to(PAGE)))
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(path: Path) -> None:
    """The policy forbids it; here it is found without a browser."""
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|\bon[a-z]+=\"|<style|innerHTML|insertAdjacentHTML|\beval\(|new Function", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)


def test_every_file_that_one_names_is_there() -> None:
    """No build step checks imports and links."""
    missing = []
    for path in OWN:
        text = path.read_text()
        named = re.findall(r"from \"(\.[^\"]+)\"|url\(\"(\.[^\"]+)\"\)|(?:href|src)=\"(/page/[^\"]+)\"", text)
        for relative, url, absolute in named:
            target = PAGE / absolute.removeprefix("/page/") if absolute else path.parent / (relative or url)
            if not target.is_file():
                missing.append((path.name, relative or url or absolute))
    assert [] == missing


def test_modules() -> None:
    """The parts that need no browser, by Node.js' own test runner."""
    tests = sorted(str(path) for path in Path(__file__).parent.glob("*.test.mjs"))
    assert tests
    ran = subprocess.run(
        [str(NODE), "--test", "--test-reporter=tap", *tests],
        env=environment(TZ="America/Sao_Paulo"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr
