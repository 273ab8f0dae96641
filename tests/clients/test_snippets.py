"""The programs of docs/clients.md: each is run unchanged, with failures on the way, and counts once."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.clients.browser import MODULES
from tests.clients.nodejs import NODE
from tests.clients.programs import program
from tests.clients.running import APP, System, environment, until
from tests.clients.snippets import programs
from tests.clients.unlucky import RETRY_AFTER_SECONDS, Attempt, Fault, Unlucky
from tests.patience import PATIENCE_SECONDS

HTTP_PROGRAMS = ("google_client.py", "fetch_client.mjs", "curl_client.sh")
OFFLINE_POOL = "offline_pool.mjs"

# What each program counts.
TOTALS = {"LEVEL_UP": 7}


def command(name: str, folder: Path) -> list[str]:
    """The command that runs the program, and the module that it may need."""
    file = folder / name
    for wanted in {name, *MODULES} if name == OFFLINE_POOL else {name}:
        (folder / wanted).write_text(programs()[wanted])
    runners = {".py": [sys.executable], ".mjs": [str(NODE)], ".sh": ["sh"]}
    if name.endswith(".sh"):
        program("curl")
    return [*runners[file.suffix], str(file)]


def run(name: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    given = environment(**variables)
    words = command(name, folder)
    return subprocess.run(
        words, cwd=folder, env=given, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def test_every_program_of_the_page_is_run_here() -> None:
    """A new one wants a test; those of a page are run in test_browser.py."""
    assert {*HTTP_PROGRAMS, OFFLINE_POOL, *MODULES, "kafka_producer.py"} == programs().keys()


@pytest.mark.parametrize("name", HTTP_PROGRAMS)
def test_a_program_keeps_its_id_until_it_is_answered(
    system: System, unlucky: Unlucky, tmp_path: Path, name: str
) -> None:
    """Answers lost after they counted, a 503 and RECORD_RATE_HIGH, and in the end each count is there once."""
    player = f"doc-{name.partition('_')[0]}"
    # httplib2 by itself sends again once where a new connection breaks.
    cuts = [Fault.CUT] * (2 if name == "google_client.py" else 1)
    unlucky.faults += [*cuts, Fault.AWAY, Fault.TOO_FAST]
    ran = run(name, tmp_path, TALLYMILL_URL=unlucky.url, TALLYMILL_TOKEN=system.token(player))
    assert 0 == ran.returncode, ran.stderr
    assert "LEVEL_UP" in ran.stdout
    assert TOTALS == system.totals(player)
    by_id: dict[str, list[Attempt]] = {}
    for attempt in unlucky.attempts:
        by_id.setdefault(attempt.body["requestId"], []).append(attempt)
    first, *rest = by_id.values()
    assert [*cuts, Fault.AWAY, Fault.TOO_FAST, None] == [attempt.fault for attempt in first]
    assert all(len(attempts) == 1 for attempts in rest)
    retried_right(first[len(cuts) :])


def retried_right(attempts: list[Attempt]) -> None:
    """Each as late as Retry-After asked, with the same periods and the clock's time of then."""
    for before, after in pairwise(attempts):
        assert after.at_seconds - before.at_seconds >= RETRY_AFTER_SECONDS
        assert before.body["timePeriods"] == after.body["timePeriods"]
        assert int(before.body["currentTimeMillis"]) < int(after.body["currentTimeMillis"])


@pytest.mark.parametrize("name", HTTP_PROGRAMS)
def test_a_program_does_not_repeat_what_would_be_refused_again(unlucky: Unlucky, tmp_path: Path, name: str) -> None:
    """A bad token: one attempt, and the exit status shows it."""
    ran = run(name, tmp_path, TALLYMILL_URL=unlucky.url, TALLYMILL_TOKEN="no.such.token")
    assert 0 != ran.returncode
    assert 1 == len(unlucky.attempts)


def test_a_sealed_pool_is_sent_again_until_it_is_answered(system: System, unlucky: Unlucky, tmp_path: Path) -> None:
    """By the next run too: the first one's token was bad. Each event is registered once."""
    ran = run(OFFLINE_POOL, tmp_path, TALLYMILL_URL=unlucky.url, TALLYMILL_TOKEN="no.such.token")
    assert 0 != ran.returncode
    assert 1 == len(unlucky.attempts)
    unlucky.faults += [Fault.CUT, Fault.AWAY, Fault.TOO_FAST]
    ran = run(OFFLINE_POOL, tmp_path, TALLYMILL_URL=unlucky.url, TALLYMILL_TOKEN=system.token("doc-pool"))
    assert 0 == ran.returncode, ran.stderr
    first, *again, last = [attempt.body for attempt in unlucky.attempts]
    assert [first["requestId"]] * 4 == [body["requestId"] for body in again]
    assert [first["eventData"]] * 4 == [body["eventData"] for body in again]
    assert first["requestId"] != last["requestId"]
    until(lambda: len(system.events("doc-pool")) == 14, "both pools are registered")
    assert sorted([*range(1, 8)] * 2) == sorted(event["data"]["level"] for event in system.events("doc-pool"))


def test_the_producer_counts_once_however_often_it_is_run(system: System, tmp_path: Path) -> None:
    """Killed when its batch had counted, perhaps before it heard of the ack; then run again, to its end."""
    kafka = system.settings.kafka
    variables = {"KAFKA": kafka.bootstrap_servers or "", "TOPIC": kafka.records_topic, "APP": APP, "PLAYER": "doc-pipe"}
    words = command("kafka_producer.py", tmp_path)
    with subprocess.Popen(words, env=environment(**variables), stdout=subprocess.DEVNULL) as killed:
        until(lambda: system.totals("doc-pipe") == TOTALS, "the batch of the pipeline is counted")
        killed.kill()
    ran = run("kafka_producer.py", tmp_path, **variables)
    assert 0 == ran.returncode, ran.stderr
    second = int(re.findall(r"offset=(\d+)", ran.stdout)[0])
    partition = int(re.findall(r"partition=(\d+)", ran.stdout)[0])
    until(lambda: system.passed(partition, second), "the worker has read what came again")
    assert TOTALS == system.totals("doc-pipe")
