"""What Helm, kubeconform, kube-score, hadolint and Compose say of deploy/. `make lint-deploy` runs this."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ops.reference import ROOT
from tests.deploy.chart.cases import CASES
from tests.deploy.chart.conftest import COMMITTED
from tests.deploy.chart.render import CHART
from tests.deploy.chart.tools import HERE, GoTools, Tools

pytestmark = pytest.mark.slow

DOCKERFILES = sorted((ROOT / "deploy").rglob("Dockerfile"))
COMPOSE_FILES = sorted((ROOT / "deploy").rglob("compose.yaml"))

CRDS = f"{HERE / 'crds'}/{{{{.Group}}}}-{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json"

# The newest release of Kubernetes that the schemas have. A new package of them brings a newer one.
NEWEST = "1.37.0"


def passes(command: list[str], text: str | None = None) -> str:
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=ROOT)
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    return ran.stdout


def strictly(tools: Tools, go_tools: GoTools, release: str) -> list[str]:
    """The command of kubeconform, by the schemas of this release of Kubernetes, and by the CRDs."""
    schemas = f"{tools.schemas / release}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    locations = ["-schema-location", schemas, "-schema-location", CRDS]
    return [go_tools.kubeconform, "-strict", "-kubernetes-version", release, *locations]


@pytest.mark.parametrize("major", [3, 4])
def test_helm_finds_no_fault_in_the_chart(tools: Tools, major: int) -> None:
    """With both of Helm's major versions, strictly."""
    helm = tools.helm3 if major == 3 else tools.helm
    values = yaml.safe_dump(CASES["everything"])
    assert "0 chart(s) failed" in passes([helm, "lint", "--strict", "--values", "-", str(CHART)], values)


@pytest.fixture(scope="module", name="every_manifest")
def manifests_of_all_cases(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> Path:  # noqa: ARG001 fetched
    """A file for each case, in one folder."""
    from tests.deploy.chart.conftest import text_of_case  # noqa: PLC0415 the fixture of this name has another scope

    folder = tmp_path_factory.mktemp("manifests")
    for name in (*CASES, COMMITTED):
        (folder / f"{name.replace('/', '-')}.yaml").write_text(text_of_case(name))
    return folder


def test_every_supported_release_of_kubernetes_accepts_every_manifest(
    tools: Tools, go_tools: GoTools, every_manifest: Path
) -> None:
    """Strictly: an unknown field is an error. The CRDs of KEDA and prometheus-operator accept theirs."""
    releases = tools.releases()
    assert ("1.29.0", NEWEST) == (releases[0], releases[-1])
    for release in releases:
        said = passes([*strictly(tools, go_tools, release), "-summary", "-n", "2", str(every_manifest)])
        assert "Invalid: 0, Errors: 0, Skipped: 0" in said


def test_kubeconform_refuses_what_is_wrong(tools: Tools, go_tools: GoTools) -> None:
    """Or the test above would prove nothing."""
    command = [*strictly(tools, go_tools, NEWEST), "-"]
    wrong = (
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"portz": []}},
        {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"triggers": [], "scaleTargetReff": {}}},
        {"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "spec": {"selector": {}, "port": 1}},
    )
    for one in wrong:
        ran = subprocess.run(command, input=yaml.safe_dump(one), capture_output=True, text=True, check=False)
        assert 1 == ran.returncode, one
        assert "is invalid" in ran.stdout


# Without NetworkPolicies, on purpose, everything is critical.
@pytest.mark.parametrize("case", [COMMITTED, *(one for one in CASES if one != "one of each")])
def test_kube_score_finds_nothing_critical(go_tools: GoTools, text_of_case: Callable[[str], str], case: str) -> None:
    options = ["--output-format", "ci"]
    if "digest" in CASES.get(case, {}).get("image", {}):
        # A digest never changes its content, so that a restart needs no registry.
        options += ["--ignore-test", "container-image-pull-policy"]
    passes([go_tools.kube_score, "score", *options, "-"], text_of_case(case))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=str)
def test_hadolint_finds_no_fault_in_an_image(tools: Tools, dockerfile: Path) -> None:
    passes([tools.hadolint, "--failure-threshold", "info", str(dockerfile)])


@pytest.mark.parametrize("file", COMPOSE_FILES, ids=str)
@pytest.mark.parametrize("profiles", [[], ["--profile", "*"]], ids=["usual", "all profiles"])
def test_compose_reads_its_file(tools: Tools, profiles: list[str], file: Path) -> None:
    passes([tools.compose, "--file", str(file), *profiles, "config", "--quiet"])
