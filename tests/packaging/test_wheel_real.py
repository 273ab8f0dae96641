"""tallymill from its wheel alone: for a user without rights, in an empty folder."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ops.config import DATA_VARIABLE
from tests.end_to_end.running import COMMAND_SECONDS
from tests.ops.local.hostile_folder import hostile
from tests.packaging.installed import Installed, downloads, installed

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

# Nothing listens there, and no name has to be looked up.
NOWHERE = "http://127.0.0.1:9"
OFFLINE = {"PIP_INDEX_URL": NOWHERE, "PIP_FIND_LINKS": "", "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE}

IMPORT_ALL = """
import importlib, pkgutil
for package in ("schemas", "serving", "ingress", "consumer", "console", "ops"):
    whole = importlib.import_module(package)
    for module in pkgutil.walk_packages(whole.__path__, f"{package}."):
        try:
            module.name.endswith("__main__") or importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name != "opentelemetry":  # of the extra `otel`
                raise
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Installed]:
    with installed() as whole:
        yield whole


@pytest.fixture(scope="module")
def cache(made: Installed) -> Path:
    """Complete, and read-only for the user."""
    return downloads(made)


@pytest.fixture
def stands(made: Installed) -> Iterator[Path]:
    """A folder with modules named as tallymill's, pip's and the standard library's, which the user may write to."""
    folder = hostile(made.folder / "hostile")
    folder.chmod(0o777)
    yield folder
    subprocess.run(["/bin/rm", "-r", str(folder)], check=True)


def welcome_of(process: "subprocess.Popen[str]") -> str:
    """What it prints when it is ready."""
    assert process.stdout is not None
    welcome = ""
    while "Stop the system" not in welcome:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        welcome += line
    return welcome


def interrupted(process: "subprocess.Popen[str]") -> str:
    """Ctrl-C: the whole foreground group gets SIGINT. Returns what was printed as messages."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=COMMAND_SECONDS)[1]


def test_up_the_printed_curl_and_ctrl_c_leave_nothing(made: Installed, cache: Path) -> None:
    """No process, and no file outside the two folders that `up` names. Ctrl-C goes to the whole foreground group."""
    before = made.files()
    process = made.start("tallymill", "up", "--workers=1", environ={"TALLYMILL_CACHE": str(cache), "LC_ALL": "C"})
    try:
        welcome = welcome_of(process)
        line = next(line for line in welcome.splitlines() if line.startswith("curl "))
        for causes in ([], ["ALREADY_UPDATED"]):
            status, output, errors = made.run("sh", "-c", line)
            assert (0, "") == (status, errors)
            answer = json.loads(output)
            assert causes == [failure["failureCause"] for failure in answer["batchFailures"]]
            assert ["1"] == [event["numEvents"] for event in answer["playerEvents"]]
    finally:
        errors = interrupted(process)
    assert 0 == process.returncode, errors
    assert [] == made.processes()
    said = dict(re.findall(r"^  (data|downloads) +(.+)$", welcome, re.MULTILINE))
    assert {"data": str(made.stands / ".tallymill"), "downloads": str(cache)} == said
    left = made.files() - before
    assert set() == {path for path in left if not path.startswith(said["data"])}


def test_every_module_runs_with_the_packages_of_the_wheel(made: Installed) -> None:
    """None needs a package that only development installs."""
    status, _, errors = made.run("python", "-I", "-c", IMPORT_ALL)
    assert (0, "") == (status, errors)


def test_without_a_network_one_sentence_says_so(made: Installed, stands: Path) -> None:
    """Nothing half is left. The pip that runs imports nothing from where the user stands."""
    status, output, errors = made.run("tallymill", "up", environ=OFFLINE, stands=stands)
    *steps, told = errors.splitlines()
    assert (1, "") == (status, output)
    assert all(step.startswith("Downloading ") for step in steps), errors
    assert re.fullmatch(
        r"[a-zA-Z ]+ could not be downloaded: the package index does not answer\. "
        r"Check the network and the settings of pip \(`pip config list`\), then try again",
        told,
    )
    assert [] == list((made.home / ".cache" / "tallymill").iterdir())
    assert not (stands / ".tallymill").exists()


def test_a_download_that_is_ended_leaves_nothing(made: Installed) -> None:
    """By SIGTERM, as `up --detach` does it, to this process alone: pip, which waits for a silent index, ends too."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = {"PIP_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}", "PIP_FIND_LINKS": ""}
        process = made.start("tallymill", "up", environ=index)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Downloading ")
        connection, _ = silent.accept()
        process.terminate()
        process.communicate(timeout=COMMAND_SECONDS)
        connection.close()
    assert 128 + signal.SIGTERM == process.returncode
    assert [] == made.processes()
    assert [] == list((made.home / ".cache" / "tallymill").iterdir())


def test_a_read_only_cache_is_told_in_one_sentence(made: Installed, stands: Path) -> None:
    """The one that lacks files: a complete one may be read-only."""
    closed = made.folder / "closed"
    closed.mkdir(exist_ok=True)
    closed.chmod(0o555)
    status, output, errors = made.run("tallymill", "up", environ={"TALLYMILL_CACHE": str(closed)}, stands=stands)
    assert (1, "") == (status, output)
    assert f"The cache folder {closed} can't be written: Permission denied" in errors
    assert 1 == len(errors.splitlines())


def test_a_data_folder_that_cant_be_written_is_told_in_one_sentence(made: Installed, stands: Path) -> None:
    """As where the user stands in a folder of somebody else."""
    stands.chmod(0o755)
    status, output, errors = made.run("tallymill", "up", stands=stands)
    data = stands / ".tallymill"
    assert (1, "") == (status, output)
    assert f"The data folder {data} can't be written: Permission denied. Choose another one with --data\n" == errors


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
@pytest.mark.parametrize(
    ("mode", "words", "expected"),
    [
        (0o755, "status", "The data folder {} is another user's. Run the command as that user, or choose another one"),
        (0o755, "down", "The data folder {} is another user's. Run the command as that user, or choose another one"),
        (0o700, "config", "the file .tallymill/settings.toml can't be read: permission denied"),
        (0o755, "config", "the file .tallymill/settings.toml can't be read: permission denied"),
    ],
)
def test_the_data_folder_of_another_user_is_told(
    made: Installed, stands: Path, mode: int, words: str, expected: str
) -> None:
    """As after `sudo tallymill up`: in a sentence, without a trace."""
    data = stands / ".tallymill"
    data.mkdir()
    for name in ("lock", "settings.toml"):
        (data / name).touch(mode=0o600)
    data.chmod(mode)
    status, output, errors = made.run("tallymill", words, stands=stands)
    assert (2, "", 1) == (status, output, len(errors.splitlines())), errors
    assert errors.startswith(expected.format(data))


@pytest.mark.faults
def test_everything_is_downloaded_by_python(made: Installed) -> None:
    """On a machine without Java, Maven, mongod and caches: 130 MB. A second start needs no network."""
    for program in ("java", "mongod"):  # of the other tests
        (made.bin / program).unlink(missing_ok=True)
    environ = {DATA_VARIABLE: str(made.home / "data")}
    for more in ({}, OFFLINE):
        process = made.start("tallymill", "up", "--workers=1", "--json", environ={**environ, **more})
        assert process.stdout is not None
        assert "{\n" == process.stdout.readline(), process.communicate()[1]
        errors = interrupted(process)
        assert 0 == process.returncode, errors
    assert [] == made.processes()
    names = {folder.name.partition("-")[0] for folder in (made.home / ".cache" / "tallymill").iterdir()}
    assert {"jre", "kafka", "maven", "mongod"} == names
