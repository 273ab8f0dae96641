"""Asks the database of the package index for known vulnerabilities of the image's packages, with pip-audit.

Exit status: 0 if none is known; 1 if one is, or if a package could not be checked; 3 if the database did not answer.
So a network without the database is never taken for packages without a vulnerability.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

EXIT_OK = 0
EXIT_VULNERABLE = 1
EXIT_NOT_CHECKED = 3

NOT_CHECKED = (
    "audit: nothing was checked, because the database of vulnerabilities did not answer. It is part of the package "
    "index; a mirror may not have it. Run `make audit` where the index itself can be reached."
)


def main(requirements: str) -> int:
    """Print what is known. Returns the exit status."""
    command = [sys.executable, "-P", "-m", "pip_audit", "--requirement", requirements, "--require-hashes"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "30"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 fixed arguments
    try:
        packages = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    status, lines = outcome(packages)
    sys.stdout.write("\n".join(lines) + "\n")
    if not packages and ran.stderr:
        sys.stdout.write(f"pip-audit said: {ran.stderr.strip().splitlines()[-1]}\n")
    return status


def outcome(packages: Iterable[dict[str, Any]]) -> tuple[int, list[str]]:
    """The exit status, and what to print: a line for each vulnerability, and for each package that was not checked."""
    packages = list(packages)
    skipped = [f"{one['name']}: not checked ({one['skip_reason']})" for one in packages if "skip_reason" in one]
    if len(skipped) == len(packages):
        return EXIT_NOT_CHECKED, [NOT_CHECKED]
    found = [
        f"{one['name']} {one['version']}: {known['id']}, mended in {', '.join(known['fix_versions']) or 'no release'}"
        for one in packages
        for known in one.get("vulns", ())
    ]
    if found or skipped:
        return EXIT_VULNERABLE, found + skipped
    return EXIT_OK, [f"audit: no vulnerability is known in {len(packages)} packages"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
