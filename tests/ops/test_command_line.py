"""The command itself: its version, and what shells offer when they complete it."""

import gc
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer import Exit
from typer.main import get_command
from typer.testing import CliRunner

from ops.__main__ import main
from ops.cli import app
from ops.commands.options import run
from serving.kafka.rights import DENIALS
from tests.patience import PATIENCE_SECONDS
from tests.test_habits import ROOT

TALLYMILL = Path(sys.executable).with_name("tallymill")
COMPLETE = "_TALLYMILL_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

# What a process of tallymill imports, and a completion must not wait for.
SLOW = {"aiohttp", "aiokafka", "babel", "cryptography", "joserfc", "msgspec", "pymongo", "starlette", "uvicorn", "yaml"}


def completed(shell: str, line: str) -> str:
    """What is offered. It is asked in this process, because a start takes longer than the answer."""
    ran = CliRunner().invoke(app, [], prog_name="tallymill", env=asked_by(shell, line))
    assert (0, "") == (ran.exit_code, ran.stderr)
    return ran.stdout


def asked_by(shell: str, line: str) -> dict[str, str]:
    """What the shell's script hands to the command to complete the end of a line."""
    words = line.split(" ")
    if shell == "bash":
        return {COMPLETE: "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    fish = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"} if shell == "fish" else {}
    return {COMPLETE: f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line, **fish}


def test_the_version_is_one_line() -> None:
    """That of the installed package."""
    ran = CliRunner().invoke(app, ["--version"])
    assert (0, f"tallymill {version('tallymill')}\n", "") == (ran.exit_code, ran.stdout, ran.stderr)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_offered(shell: str) -> None:
    """But not those that only tallymill itself runs."""
    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group, as it has commands
    offered = completed(shell, "tallymill ")
    missing = {name for name, command in commands.items() if not command.hidden and name not in offered}
    assert set() == missing
    assert "prepare" not in offered


@pytest.mark.parametrize("shell", SHELLS)
def test_options_and_commands_of_a_group_are_offered(shell: str) -> None:
    """At the second word and later."""
    assert "--workers" in completed(shell, "tallymill up --w")
    offered = completed(shell, "tallymill definitions ")
    assert "apply" in offered
    assert "list" in offered


def test_a_completion_waits_for_no_slow_import() -> None:
    """It is to feel immediate: only what declares the options is imported."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", TALLYMILL],
        env={**os.environ, **asked_by("bash", "tallymill ")},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.splitlines()}
    assert "typer" in imported
    assert set() == imported & SLOW


def test_the_printed_script_completes_in_bash() -> None:
    """As `--install-completion` writes it."""
    line = f"""
        eval "$({shlex.quote(str(TALLYMILL))} --show-completion)"
        COMP_WORDS=(tallymill sta) COMP_CWORD=1
        _tallymill_completion {shlex.quote(str(TALLYMILL))}
        echo "${{COMPREPLY[@]}}"
    """
    ran = subprocess.run(
        ["/bin/bash", "-c", line], capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert ("status\n", "") == (ran.stdout, ran.stderr)


@pytest.mark.parametrize("words", [["config"], ["config", "--json"]])
def test_a_reader_that_has_ended_ends_the_command_quietly(words: list[str]) -> None:
    """As `tallymill config | head -1` in a shell, which has this exit status for it."""
    read, write = os.pipe()
    os.close(read)
    environ = {**os.environ, "TALLYMILL_DATA": os.devnull}
    ran = subprocess.run(
        [TALLYMILL, *words], stdout=write, stderr=subprocess.PIPE, env=environ, check=False, timeout=PATIENCE_SECONDS
    )
    os.close(write)
    assert (141, b"") == (ran.returncode, ran.stderr)


@pytest.mark.parametrize("words", [["config"], ["config", "--json"]])
def test_a_full_disk_below_the_output_is_named(words: list[str]) -> None:
    """As `tallymill config >/dev/full` in a shell."""
    environ = {**os.environ, "TALLYMILL_DATA": os.devnull}
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [TALLYMILL, *words], stdout=full, stderr=subprocess.PIPE, env=environ, check=False, timeout=PATIENCE_SECONDS
        )
    assert (1, b"Standard output can't be written: No space left on device\n") == (ran.returncode, ran.stderr)


def test_ctrl_c_while_the_command_is_imported_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """An impatient user stops a command in the first tenths of a second."""

    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "ops.cli", Interrupted("ops.cli"))
    monkeypatch.setattr(sys, "argv", ["tallymill", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert 130 == ended.value.code


def test_ctrl_c_before_the_work_begins_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would warn of a coroutine that was never awaited."""

    async def work() -> int:
        return 0

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.guard.guarded", interrupted)
    with warnings.catch_warnings(record=True, action="always") as warned, pytest.raises(KeyboardInterrupt):
        run("status", work())
    gc.collect()
    assert [] == warned


def test_a_denied_right_is_explained_for_the_command_that_runs() -> None:
    """By its name, which says what rights it needs."""

    async def work() -> int:
        return 0 if DENIALS.process == "lineage" else 1

    with pytest.raises(Exit) as ended:
        run("lineage", work())
    assert 0 == ended.value.exit_code


@pytest.mark.parametrize(("command", "told"), [("up", "[default: 2]"), ("logs", "[default: 20; with --since all]")])
def test_the_help_keeps_a_default_that_is_written_in_brackets(command: str, told: str) -> None:
    assert told in " ".join(help_of(command).split())


def test_the_help_folds_its_paragraphs_at_the_edge_of_the_terminal() -> None:
    """Not also where the source code has a line end, which leaves single words on lines."""
    text = help_of("status")
    sentences = text[text.index("Exit status 0") : text.index("Options")].splitlines()
    assert len(sentences) < 6
    assert all(len(line.strip()) > 60 for line in sentences[:2])


def help_of(command: str) -> str:
    """On a terminal of 80 columns."""
    return re.sub("[│╭╮╰╯─]", " ", CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"}).stdout)


def without_json(group: Any, prefix: str = "") -> Iterator[str]:  # noqa: ANN401 a group of typer's own click
    """The commands that can't print JSON."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from without_json(command, f"{prefix}{name} ")
        elif not command.hidden and not any("--json" in option.opts for option in command.params):
            yield prefix + name


def test_the_page_says_which_commands_have_no_json() -> None:
    """All others print their result as JSON."""
    page = (ROOT / "docs" / "command.md").read_text()
    (told,) = re.findall(r"All have `--json` but\s([^.]+)\.", page)
    assert set(re.findall("`(.+?)`", told)) == set(without_json(get_command(app)))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("up --workers x", "'--workers': must be a whole number"),
        ("up --workers 65", "'--workers': must be less than or equal to 64"),
        ("init --partitions 10001", "'--partitions': must be less than or equal to 10000"),
        ("load --rate much", "'--rate': must be a number"),
        ("load --rate nan", "'--rate': must be less than or equal to 100000"),
        ("logs --level loud", "'--level': 'loud' is not one of"),
        ("dead-letters redrive --rate 0", "'--rate': must be greater than or equal to 0.01"),
    ],
)
def test_a_wrong_option_is_told_in_plain_words(words: str, told: str) -> None:
    """Also one of a command within a group."""
    ran = CliRunner().invoke(app, words.split())
    text = re.sub(r"[\s│╭╮╰╯─]+", " ", ran.stderr)
    assert 2 == ran.exit_code
    assert told in text
    assert not re.search("(?i)input should|value error|unable to parse|valid", text.replace("Invalid value", ""))
