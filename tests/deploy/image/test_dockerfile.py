"""What the Dockerfile promises, and the reader of Dockerfiles."""

import re
import tomllib

import pytest

from ops.config import setting_names, variable_of
from ops.reference import ROOT
from tests.deploy.image.dockerfile import DOCKERFILE, Copy, Run, Stage, context, is_left_out, stages

TEXT = DOCKERFILE.read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

PACKAGES = Copy("builder", "/opt/tallymill", "/opt/tallymill")
CODE = Copy("builder", "/build/code", "/opt/tallymill")

PINNED = re.compile(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}")


@pytest.fixture
def final() -> Stage:
    return stages(TEXT)[-1]


def commands() -> list[str]:
    return [step.command for stage in stages(TEXT) for _, step in stage.steps if isinstance(step, Run)]


def test_each_base_is_pinned_by_tag_and_digest() -> None:
    """The digest decides; the tag tells a person what it is. An ARG changes both stages at once."""
    images = [stage.image for stage in stages(TEXT)]
    assert 1 == len(set(images))
    assert all(PINNED.fullmatch(image) for image in images)
    assert ["x:1"] * 2 == [stage.image for stage in stages(TEXT, {"PYTHON_IMAGE": "x:1"})]
    for given in ({}, {"PYTHON_IMAGE": "x:1"}):
        built = stages(TEXT, given)
        assert built[0].image == built[-1].labels["org.opencontainers.image.base.name"]


def test_every_download_is_checked_by_its_hash() -> None:
    """The installer, the packages, the build backend. Only the wheel that was just built needs no hash."""
    installs = [part for command in commands() for part in command.split("&&") if re.search(r"install |uv build", part)]
    unchecked = [
        part for part in installs if "--require-hashes" not in part and not part.strip().startswith("install -d")
    ]
    assert 1 == len(unchecked)
    assert "--no-deps" in unchecked[0]
    assert "/build/wheel/tallymill-*.whl" in unchecked[0]


def test_the_final_stage_downloads_and_builds_nothing(final: Stage) -> None:
    """It gets two folders of the builder, and no file of the repository."""
    assert [PACKAGES, CODE] == [step for _, step in final.steps if isinstance(step, Copy)]
    ran = " ".join(step.command for _, step in final.steps if isinstance(step, Run))
    assert not re.search(r"pip3? install|uv |apt|curl|wget|gcc", ran)
    assert all(name in ran for name in ("site-packages/*", "ensurepip", "bin/pip*"))


def test_a_change_of_the_code_leaves_the_layer_of_the_packages_as_it_is(final: Stage) -> None:
    """An image that is pulled again brings the code alone. The folder of the packages is complete without it."""
    steps = [step for _, step in stages(TEXT)[0].steps]
    code = steps.index(Copy(None, ".", "source"))
    before = [step for step in steps[:code] if isinstance(step, Copy)]
    assert ["deploy/local/uv.txt", "requirements/runtime.txt"] == [step.source for step in before]
    (build,) = steps[code + 1 :]
    assert isinstance(build, Run)
    words = build.command.replace("--python /opt/tallymill/bin/python", "")
    assert PACKAGES.source not in words
    assert f"--prefix {CODE.source} " in words
    assert final.steps[-2:] == [("/", PACKAGES), ("/", CODE)]


def test_the_process_is_a_number_that_is_not_root(final: Stage) -> None:
    """And gets signals itself: no shell between."""
    assert "65532:65532" == final.user
    assert "SIGTERM" == final.stop_signal
    assert ["/opt/tallymill/bin/tallymill"] == final.entrypoint
    assert ["--help"] == final.command


def test_every_process_listens_on_all_addresses_of_the_container(final: Stage) -> None:
    """Each setting for an address to listen on is set, so that a new process is not forgotten."""
    hosts = {variable_of(name) for name in setting_names() if name.endswith((".host", "_host"))}
    assert dict.fromkeys(hosts, "0.0.0.0") == {  # noqa: S104 what is tested
        name: value for name, value in final.environment.items() if name.endswith("HOST")
    }


def test_what_a_process_writes_is_in_tmp(final: Stage) -> None:
    """The root is read-only: no bytecode, and the folder of a person and that of the data are elsewhere."""
    written = {name: value for name, value in final.environment.items() if not name.endswith("HOST")}
    assert {
        "PATH": "/opt/tallymill/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108 the container's own
        "TALLYMILL_DATA": "/tmp/tallymill",  # noqa: S108
        "PYTHONDONTWRITEBYTECODE": "1",
    } == written


def test_the_ports_are_the_defaults_of_the_settings(final: Stage) -> None:
    """Of each process."""
    defaults = re.findall(r"`(?:\w+)\.(?:\w+_)?port` \| `(\d+)`", (ROOT / "docs" / "settings.md").read_text())
    assert sorted(map(int, defaults)) == final.ports


def test_the_labels_say_what_the_image_is(final: Stage) -> None:
    """The version is that of the wheel."""
    project = PROJECT["project"]
    names = ("title", "description", "licenses", "version", "revision", "base.name")
    assert {f"org.opencontainers.image.{name}" for name in names} == set(final.labels)
    assert project["version"] == final.labels["org.opencontainers.image.version"]
    assert project["license"] == final.labels["org.opencontainers.image.licenses"]
    given = stages(TEXT, {"VERSION": "9", "REVISION": "abc"})[-1].labels
    assert ("9", "abc") == (given["org.opencontainers.image.version"], given["org.opencontainers.image.revision"])


def test_every_package_has_a_wheel_for_both_processors() -> None:
    """requirements/runtime.txt is for amd64 and arm64: no package is pinned for one of them alone."""
    text = (ROOT / "requirements" / "runtime.txt").read_text()
    assert "platform_machine" not in text
    assert "--only-binary :all:" in " ".join(commands())


def test_the_context_is_what_the_wheel_is_built_from() -> None:
    """No test, no bench, no data of a running system, no key."""
    tops = {path.split("/")[0] for path in context(ROOT)}
    packages = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packages | {"pyproject.toml", "README.md", "LICENSE", "requirements"} == tops
    assert [] == [path for path in context(ROOT) if path.endswith(".pyc")]


@pytest.mark.parametrize(
    ("path", "out"),
    [
        (".git/config", True),
        (".tallymill/settings.toml", True),
        ("tests/conftest.py", True),
        ("ops/cli.py", False),
        ("ops/tokens/keys.py", False),
        ("ops/__pycache__/cli.cpython-311.pyc", True),
        ("requirements/runtime.txt", False),
        ("requirements/notes.text", True),
        ("README.md", False),
    ],
)
def test_the_last_rule_of_dockerignore_that_fits_decides(path: str, out: bool) -> None:  # noqa: FBT001 parametrized
    """As engines read it."""
    assert out == is_left_out(path, (ROOT / ".dockerignore").read_text().splitlines())


def test_the_reader_refuses_what_it_does_not_know() -> None:
    """A test that reads past an instruction would prove nothing."""
    with pytest.raises(ValueError, match="ADD"):
        stages("FROM x\nADD a b\n")
    with pytest.raises(ValueError, match="cache"):
        stages("FROM x\nRUN --mount=type=secret,id=x cat\n")


def test_the_reader_reads_lines_arguments_and_stages() -> None:
    """Continued lines, comments between them, ARGs before and after FROM."""
    text = (
        "ARG A=x:1\n# c\nFROM ${A} AS b\nARG V=1\nENV K=${V} \\\n  # c\n  L='a b'\n"
        "WORKDIR /w\nRUN echo ${HOME} \\\n && y\nCOPY a b\n"
    )
    (stage,) = stages(text, {"V": "2"})
    assert ("x:1", "b", {"K": "2", "L": "a b"}) == (stage.image, stage.name, stage.environment)
    assert [("/w", Run("echo ${HOME} && y", ())), ("/w", Copy(None, "a", "b"))] == stage.steps
