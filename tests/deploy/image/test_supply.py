"""`make sbom` and `make audit`: what the image's packages are, and what is known of them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from deploy.image import audit
from ops.reference import ROOT

AIOHTTP = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
BAD = {"name": "uvloop", "version": "0.23.0", "vulns": [{"id": "CVE-1", "fix_versions": ["0.23.1", "0.24"]}]}
UNMENDED = {"name": "yarl", "version": "1.25.1", "vulns": [{"id": "CVE-2", "fix_versions": []}]}
SKIPPED = {"name": "rich", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "status", "lines"),
    [
        ([AIOHTTP, AIOHTTP], 0, ["audit: no vulnerability is known in 2 packages"]),
        ([AIOHTTP, BAD], 1, ["uvloop 0.23.0: CVE-1, mended in 0.23.1, 0.24"]),
        ([UNMENDED], 1, ["yarl 1.25.1: CVE-2, mended in no release"]),
        ([AIOHTTP, SKIPPED], 1, ["rich: not checked (not found)"]),
        ([BAD, SKIPPED], 1, ["uvloop 0.23.0: CVE-1, mended in 0.23.1, 0.24", "rich: not checked (not found)"]),
        ([SKIPPED, SKIPPED], 3, [audit.NOT_CHECKED]),
        ([], 3, [audit.NOT_CHECKED]),
    ],
)
def test_a_package_that_was_not_checked_is_not_taken_for_a_good_one(
    packages: list[dict[str, Any]], status: int, lines: list[str]
) -> None:
    """Strict: each vulnerability and each gap is a failure. A network without the database has a status of its own."""
    assert (status, lines) == audit.outcome(packages)


def pinned() -> set[tuple[str, str]]:
    """The packages of requirements/runtime.txt for this machine's Python."""
    text = (ROOT / "requirements" / "runtime.txt").read_text()
    text = "\n".join(line for line in text.splitlines() if "sys_platform == 'win32'" not in line)
    return {(name, version) for name, version in re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", text, re.MULTILINE)}


@pytest.mark.slow
def test_the_sbom_has_each_package_of_the_image_and_no_other(tmp_path: Path) -> None:
    """With its licence and what it needs; and the same text each time, so no time and no random number."""
    file = tmp_path / "sbom.json"
    ran = subprocess.run(
        ["/bin/bash", "deploy/image/supply.sh", "sbom", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    found = json.loads(file.read_text())
    assert "CycloneDX" == found["bomFormat"]
    assert ("tallymill", "application") == tuple(found["metadata"]["component"][name] for name in ("name", "type"))
    components = {(canonicalize_name(one["name"]), one["version"]) for one in found["components"]}
    assert components <= pinned()
    assert {name for name, _ in pinned()} == {name for name, _ in components}
    assert [] == [one["name"] for one in found["components"] if not one["purl"].startswith("pkg:pypi/")]
    blocks = re.split(r"\n(?=\w)", (ROOT / "requirements" / "runtime.txt").read_text())
    allowed = {re.split(r"[=\[]", block)[0]: set(re.findall(r"sha256:(\w{64})", block)) for block in blocks}
    for one in found["components"]:
        assert allowed[canonicalize_name(one["name"])] == {each["content"] for each in one["hashes"]} != set()
    needs = {one["ref"]: one.get("dependsOn", []) for one in found["dependencies"]}
    assert any("aiohttp" in one for one in needs["root-component"])
    assert not {"timestamp"} & set(found["metadata"])
    assert "serialNumber" not in found
