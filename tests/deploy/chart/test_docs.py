"""The commands of docs/kubernetes.md name objects, files and commands that there are."""

import re
from typing import Any, Final

import pytest
import typer

from ops.cli import app
from ops.reference import ROOT
from tests.deploy.chart.conftest import COMMITTED, documents_of_case
from tests.deploy.chart.objects import name_of

DOC: Final = ROOT / "docs" / "kubernetes.md"

# `job/tallymill-init` or `delete job tallymill-init`.
OBJECT: Final = re.compile(r"\b(job|deployment|networkpolicy|pod|service)[/ ](tallymill[a-z-]*)")
# Only `helm test` makes it.
DOCTOR: Final = ("pod", "tallymill-doctor")


def commands() -> list[str]:
    """The lines of code blocks, and what is within a sentence."""
    text = DOC.read_text()
    return [*re.findall(r"^ {4,}(\S.*)$", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)]


@pytest.mark.parametrize("command", [one for one in commands() if OBJECT.search(one)])
def test_an_object_that_a_command_names_is_in_the_manifests(command: str) -> None:
    known = {(one["kind"].lower(), name_of(one)) for one in documents_of_case(COMMITTED)} | {DOCTOR}
    assert set(OBJECT.findall(command)) <= known


def test_a_file_that_a_command_applies_is_there() -> None:
    files = [file for one in commands() for file in re.findall(r"\bapply -f (\S+)", one)]
    assert files
    assert [] == [file for file in files if not list((ROOT / file).glob("*.yaml")) and not (ROOT / file).is_file()]


def test_a_command_of_tallymill_is_one() -> None:
    """Also within a pod."""
    group: Any = typer.main.get_command(app)
    named = {found for one in commands() for found in re.findall(r"(?:^|-- )tallymill ([a-z]+)", one)}
    assert {"definitions", "doctor", "init", "verify"} <= named
    assert named <= set(group.commands)


def test_no_command_waits_for_kubectl_s_half_minute_only() -> None:
    """`init` may take longer: an image is pulled, and the Job is tried again."""
    waits = [one for one in commands() if "kubectl" in one and " wait " in one]
    assert waits
    assert [] == [one for one in waits if "--timeout=" not in one]
