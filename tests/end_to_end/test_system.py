"""The whole system in real processes: what a stranger does with it, and what must not go wrong in it."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.config import DATA_VARIABLE
from ops.local.welcome import DEMO_EVENT
from ops.reference import ROOT
from tests.end_to_end.readme import tour
from tests.end_to_end.running import PUBLISH_DEADLINE_SECONDS, Reply, System, get, post, until
from tests.frozen import frozen
from tests.ops.local.servers.test_processes import goes
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with two workers; `down` leaves no process of it."""
    data = tmp_path_factory.mktemp("system")
    starting = System(data)
    try:
        status, welcome, errors = starting.run("up", "--detach", "--workers=2", f"--data={data}")
        assert 0 == status, errors
        running = System(data, welcome)
        yield running
        pids = running.pids()
    finally:
        stopped = starting.run("down")
    assert (0, "stopped\n") == stopped[:2]
    assert [] == [pid for pid in pids if pid and not goes(pid)]


def curl_lines(welcome: str) -> list[str]:
    """The commands that `up` prints."""
    return [line for line in welcome.splitlines() if line.startswith("curl ")]


class Curl:
    """The first line that `up` prints, as a shell would read it."""

    def __init__(self, welcome: str) -> None:
        line = curl_lines(welcome)[0]
        _, _, self.url, *options = shlex.split(line)
        values = list(zip(options[::2], options[1::2], strict=True))
        self.headers = dict(value.split(": ", 1) for option, value in values if option == "-H")
        (self.body,) = [value for option, value in values if option == "-d"]

    def paste(self) -> Reply:
        return post(self.url, self.headers, self.body)


def as_player(system: System, player: str) -> Curl:
    """The same line with another player's token."""
    curl = Curl(system.welcome)
    curl.headers["Authorization"] = f"Bearer {system.token(player)}"
    return curl


def test_the_printed_line_counts_once_however_often_it_is_pasted(system: System) -> None:
    """The first answer has the new total, the second ALREADY_UPDATED with the same total."""
    curl = Curl(system.welcome)
    first, second = curl.paste(), curl.paste()
    assert (200, {DEMO_EVENT: 1}, []) == (first.status, first.totals, first.causes)
    assert (200, {DEMO_EVENT: 1}, ["ALREADY_UPDATED"]) == (second.status, second.totals, second.causes)


def test_anybody_may_have_a_session_of_the_demo_app_and_register_events(system: System) -> None:
    """A token in the body, and the same pool twice: OK both times, registered once."""
    ingress = system.status()["ingress"]
    session = post(f"{ingress}/v1/sessions", {"Content-Type": "application/json"}, '{"app": "demo"}').body
    pool = json.dumps({"Token": session["token"], "eventData": [{"Timestamp": time.time(), "Event": "Navigation"}]})
    answers = [post(f"{ingress}/2.4/addEventBatch/", {"Content-Type": "text/plain"}, pool) for _ in range(2)]
    assert [(200, "OK")] * 2 == [(answer.status, answer.body["StatusMessage"]) for answer in answers]
    assert [None, "true"] == [answer.headers.get("tallymill-duplicate") for answer in answers]


def test_what_the_readme_asks_is_answered_as_it_says(system: System, tmp_path: Path) -> None:
    """A shell runs all of it unchanged but for the ports. Any answer other than 200 would end it."""
    state = system.status()
    script, answers = tour(state["ingress"], state["console"])
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / ".curlrc").write_text('fail-with-body\nwrite-out = "\\n"\n')
    environ = {**os.environ, DATA_VARIABLE: str(system.data), "CURL_HOME": str(tmp_path)}
    ran = subprocess.run(
        ["/bin/bash", "-c", script], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=90
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    said = [line for line in ran.stdout.splitlines() if line]  # nothing of an answer that is written to a file
    asked = script.count("curl -sS") - script.count("-o november.csv")
    assert asked - 1 == len([json.loads(line) for line in said])  # one is for the shell itself
    assert (tmp_path / "november.csv").read_text().startswith("at,event,count")
    assert [] == [answer for answer in answers if answer not in said]
    assert 2 == len(answers), answers


def test_the_printed_list_is_in_the_language_it_asks_for(system: System) -> None:
    """A shell runs it unchanged. Events that are hidden until they are recorded are not in the answer."""
    _, line, _ = curl_lines(system.welcome)
    ran = subprocess.run(shlex.split(line), capture_output=True, check=True, timeout=PATIENCE_SECONDS)
    listed = json.loads(ran.stdout)
    assert ["BOSS_DEFEATED", "ENEMY_DEFEATED", "LEVEL_UP"] == [item["id"] for item in listed["items"]]
    assert "Subiu de nível" == listed["items"][-1]["displayName"]
    assert listed["nextPageToken"]


def test_the_last_printed_line_tells_what_was_counted(system: System) -> None:
    """The console's token reads the app's counts, and the ingress's doesn't."""
    as_player(system, "dora").paste()
    _, _, url, _, header = shlex.split(curl_lines(system.welcome)[2])
    status, found = get(url, header.removeprefix("Authorization: "))
    assert (200, {DEMO_EVENT}) == (status, {row["event"] for row in found["rows"]})
    assert 403 == get(url, f"Bearer {system.token('dora')}")[0]


def test_a_token_is_printed_alone_on_the_last_line_and_is_taken(system: System) -> None:
    """Three dotted parts (RFC 7515); another player starts at nothing, with the same requestId."""
    status, output, _ = system.run("token", "--app", "demo", "--player", "bob")
    assert 0 == status
    assert 3 == len(output.splitlines()[-1].split("."))
    assert {DEMO_EVENT: 1} == as_player(system, "bob").paste().totals


def test_the_status_tells_other_programs_where_things_are(system: System) -> None:
    """Also by exit status. Each address is real, and each worker has its metrics page."""
    status, output, errors = system.run("status", "--json")
    assert 0 == status, output + errors
    state = json.loads(output)
    assert system.status().items() <= state.items()
    assert ("ready", "tallymill") == (state["phase"], state["database"])
    assert state["ingress"].startswith("http://127.0.0.1:")
    assert state["mongodb"].startswith("mongodb://127.0.0.1:")
    assert "127.0.0.1" == state["kafka"].partition(":")[0]
    assert 2 == len({worker["pid"] for worker in state["workers"]} - {0})
    assert 2 == len({worker["metrics"] for worker in state["workers"]})
    assert all(pid > 0 for pid in system.pids())


def test_a_second_up_says_what_runs(system: System) -> None:
    """It prints what the first `up` printed and succeeds. Nothing is started."""
    before = system.pids()
    status, output, errors = system.run("up", "--detach")
    assert 0 == status
    assert "already running" in errors
    assert system.status()["ingress"] in output
    assert before == system.pids()


def test_the_doctor_finds_nothing_wrong(system: System) -> None:
    """In a system that `up` made."""
    assert 0 == system.run("doctor")[0]


def test_a_load_is_counted_to_the_unit(system: System) -> None:
    """With the times that a user would want to know."""
    with system.loading(5, after=1) as load:
        report = load.report()
    assert 500 == report["requests"]
    assert report["already_updated"] > 0
    assert {"p50", "p95", "p99", "p99.9", "max"} == set(report["latency_ms"]) == set(report["accepted_to_visible_ms"])


@pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGKILL, "killed by signal 9"), (signal.SIGTERM, "exit status 0")]
)
def test_a_worker_that_ends_within_a_load_costs_no_count(system: System, number: int, ending: str) -> None:
    """Its partitions move to the other worker. It is started again, and a line says so."""
    log, pid = system.data / "logs" / "supervisor.log", system.worker()
    told_before = len(log.read_text())
    with system.loading(after=200) as load:
        os.kill(pid, number)
        until(lambda: "worker-1 is started again" in log.read_text()[told_before:], "a new worker")
        load.until_counted(200)
        load.ended()
    assert f"worker-1 ended ({ending})" in log.read_text()[told_before:]


def test_mongodb_that_stands_still_within_a_load_loses_nothing(system: System) -> None:
    """Batches are accepted all the time and counted when it continues. None that was answered 200 is lost."""
    pid = system.status()["mongodb_pid"]
    with system.loading(after=200) as load:
        with frozen(pid):
            before = system.accepted()
            until(lambda: system.accepted() >= before + 200, "batches are accepted")
        load.until_counted(200)
        report = load.ended()
    assert report["answered_before_visible"] > 50, "answered while nothing could be counted"


def test_kafka_that_stands_still_is_never_an_ok(system: System) -> None:
    """503 within the deadline: the fate is unknown. The same requestId counts once later."""
    curl, pid = as_player(system, "carol"), system.status()["kafka_pid"]
    with frozen(pid):
        away = [curl.paste() for _ in range(2)]
    for reply in away:
        assert 503 == reply.status
        assert int(reply.headers["retry-after"]) > 0
        assert reply.seconds < 10 * PUBLISH_DEADLINE_SECONDS, "nothing else would have ended it"
    # A client that sends again at once would use up its player's rate (G17).
    until(lambda: {DEMO_EVENT: 1} == curl.paste().totals, "counted", pause_seconds=0.2)
    again = curl.paste()
    assert ({DEMO_EVENT: 1}, ["ALREADY_UPDATED"]) == (again.totals, again.causes)
