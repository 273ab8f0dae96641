"""Adds to an SBOM the hashes that the packages are installed by.

`python deploy/image/hashes.py REQUIREMENTS SBOM`: a component gets the SHA-256 of each file of its version that
REQUIREMENTS allows: a wheel for each platform, and the source. pip installs no file with another hash.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

PACKAGE = re.compile(r"^([\w.-]+)(?:\[\w+\])?==(\S+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def hashes_of(requirements: str) -> dict[tuple[str, str], list[str]]:
    """By name and version of the package."""
    found: dict[tuple[str, str], list[str]] = {}
    files: list[str] = []
    for line in requirements.splitlines():
        if package := PACKAGE.match(line):
            files = found.setdefault((canonicalize_name(package[1]), package[2]), [])
        files += HASH.findall(line)
    return found


def with_hashes(sbom: dict[str, Any], hashes: dict[tuple[str, str], list[str]]) -> dict[str, Any]:
    """The document, whose components have hashes."""
    components = [
        {**one, "hashes": [{"alg": "SHA-256", "content": file} for file in sorted(set(files))]}
        for one in sbom["components"]
        for files in (hashes[canonicalize_name(one["name"]), one["version"]],)
    ]
    return {**sbom, "components": components}


if __name__ == "__main__":
    requirements, sbom = map(Path, sys.argv[1:])
    added = with_hashes(json.loads(sbom.read_text()), hashes_of(requirements.read_text()))
    sbom.write_text(json.dumps(added, indent=2, sort_keys=True) + "\n")
