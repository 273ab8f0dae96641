"""`tallymill up --observe`: the canary, and what a real Prometheus shows of a loaded system."""

import json
import math
import os
import re
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
from pymongo import MongoClient

from ops.config import FILE_VARIABLE, LOCAL_FILE_NAME, load_settings, variable_of
from ops.dashboards.counts import COLUMNS, QUERY, ROWS
from ops.dashboards.files import OF_PROMETHEUS, dashboard_files
from ops.local.servers.prometheus import fetch
from ops.local.state import Process, State, read_state
from ops.tokens.token import make_token
from schemas.canary import CANARY_APP, CANARY_EVENT
from schemas.documents import owned_by
from schemas.games.scopes import GAMES_SCOPE
from schemas.wire.console_replies import READ_SCOPE
from tests.end_to_end.running import SETTINGS, System, get, post, until
from tests.ops.local.servers.test_processes import goes

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

RATE_INTERVAL = "1m"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with a canary and Prometheus; `down` leaves no process of it."""
    fetch()
    quick = {variable_of("canary.interval_seconds"): "1"}
    running = System(tmp_path_factory.mktemp("system"), settings={**SETTINGS, **quick})
    try:
        status, welcome, errors = running.run("up", "--detach", "--observe", "--workers=2")
        assert 0 == status, errors
        yield System(running.data, welcome, settings=running.settings)
        state = state_of(running)
        processes = (state.servers.kafka, state.servers.mongodb, state.ingress, state.console, *observers_of(state))
        pids = [state.supervisor, *(one.pid for one in processes), *(one.pid for one in state.workers)]
    finally:
        stopped = running.run("down")
    assert (0, "stopped\n") == stopped[:2]
    assert [] == [pid for pid in pids if pid and not goes(pid)]


def state_of(system: System) -> State:
    """What runs. `status` says the same, but starts a process."""
    state = read_state(system.data)
    assert state
    return state


def observers_of(state: State) -> tuple[Process, Process]:
    return state.canary, state.prometheus


def token(system: System, app: str, player: str, scope: str) -> str:
    """Of the system's issuer."""
    settings = load_settings({FILE_VARIABLE: str(system.data / LOCAL_FILE_NAME)})
    return make_token(settings, app, player, [scope])


class Prometheus:
    """The HTTP API of the system's Prometheus."""

    def __init__(self, system: System) -> None:
        self.address = state_of(system).prometheus.address or ""

    def asked(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 JSON
        url = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
            return json.loads(answer.read())["data"]

    def values(self, expression: str) -> list[float]:
        """The present samples. An expression that does not parse is an error."""
        values = [float(one["value"][1]) for one in self.asked("query", query=expression)["result"]]
        return [value for value in values if not math.isnan(value)]


def canary_outcomes(system: System) -> dict[str, int]:
    """By the canary itself."""
    address = state_of(system).canary.address
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{address}/metrics") as answer:
        text = answer.read().decode()
    found = re.findall(r'^tallymill_canary_batches_total{outcome="(\w+)"} (\d+)', text, re.MULTILINE)
    return {outcome: int(count) for outcome, count in found}


def has_counted(system: System, number: int) -> bool:
    return canary_outcomes(system)["counted"] >= number


def canary_log(system: System) -> str:
    return (system.data / "logs" / "canary.log").read_text()


def test_the_canary_counts_exactly_once_while_processes_are_killed(system: System) -> None:
    """The death of both workers delays batches. That of the ingress loses answers. None is miscounted or refused."""
    until(partial(has_counted, system, 2), "two batches of the canary are counted")
    for victim in ("worker-1", "worker-2", "ingress"):
        before = canary_outcomes(system)["counted"]
        os.kill(pid_of(system, victim), signal.SIGKILL)
        until(partial(has_counted, system, before + 2), "two more are counted")
    outcomes = canary_outcomes(system)
    assert (1, 0, 0) == (outcomes["first"], outcomes["miscounted"], outcomes["refused"]), canary_log(system)
    assert "canary_miscounted" not in canary_log(system)


def pid_of(system: System, name: str) -> int:
    state = state_of(system)
    pid = state.ingress.pid if name == "ingress" else state.workers[int(name[-1]) - 1].pid
    assert pid
    return pid


def test_nobody_else_can_send_as_the_canary(system: System) -> None:
    """A good token of the issuer for this app, without the scope of the canary."""
    ingress = state_of(system).ingress.address
    sent = token(system, CANARY_APP, "ann", GAMES_SCOPE)
    headers = {"Authorization": f"Bearer {sent}", "Content-Type": "application/json"}
    answer = post(f"{ingress}/games/v1/events", headers, "{}")
    assert HTTPStatus.FORBIDDEN == answer.status
    assert "reserved" in answer.body["error"]["message"]


def test_status_names_the_canary_and_prometheus(system: System) -> None:
    """And `up` prints where they are."""
    told = json.loads(system.run("status", "--json")[1])
    said = {one["name"]: one["said"] for one in told["processes"]}
    assert ("ready", "ready") == (said["canary"], said["prometheus"])
    assert f"prometheus {Prometheus(system).address}" in system.welcome
    assert (system.data / "prometheus" / "data").is_dir()


def loaded(system: System) -> None:
    """Every kind of traffic: both APIs, duplicates, refusals, queries, and a recount."""
    loads = [
        system.start("load", "--rate=40", "--seconds=6", "--players=40", "--duplicates=0.2", f"--api={api}")
        for api in ("games", "analytics")
    ]
    ingress = state_of(system).ingress.address
    json_type = {"Content-Type": "application/json"}
    assert HTTPStatus.UNAUTHORIZED == post(f"{ingress}/games/v1/events", json_type, "{}").status
    assert HTTPStatus.OK == post(f"{ingress}/v1/sessions", json_type, '{"app": "demo"}').status
    for load in loads:
        _, errors = load.communicate()
        assert 0 == load.returncode, errors
    assert 0 == system.run("verify")[0]


def test_every_panel_shows_a_sample_of_a_loaded_system(system: System) -> None:
    """Each expression of each dashboard parses and returns at least one number."""
    prometheus = Prometheus(system)
    loaded(system)
    expressions = [
        (f"{name}: {panel['title']}", target["expr"])
        for name in OF_PROMETHEUS
        for panel in json.loads(dashboard_files()[name])["panels"]
        for target in panel.get("targets", ())
    ]
    assert len(expressions) > 60
    missing: list[tuple[str, str]] = expressions

    def are_shown() -> bool:
        nonlocal missing
        missing = [(title, one) for title, one in missing if not prometheus.values(as_shown(one))]
        return not missing

    try:
        until(are_shown, "every panel has a sample", pause_seconds=1)
    except pytest.fail.Exception:
        pytest.fail("\n".join(f"{title}: {one}" for title, one in missing))


def as_shown(expression: str) -> str:
    """The expression with Grafana's variables at their first values."""
    shown = expression.replace("$__rate_interval", RATE_INTERVAL)
    return re.sub(r"\$(api|instance)\b", ".*", shown)


def test_every_rule_is_evaluated_and_nothing_is_wrong(system: System) -> None:
    """After the load, with a worker killed on the way. No alert fires."""
    prometheus = Prometheus(system)

    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.asked("rules")["groups"] for rule in group["rules"]]

    until(lambda: {"ok"} == {rule["health"] for rule in rules()}, "every rule is evaluated", pause_seconds=1)
    assert [] == [rule["lastError"] for rule in rules() if rule.get("lastError")]
    firing = [rule["name"] for rule in rules() if rule.get("state") == "firing"]
    assert [] == firing
    targets = prometheus.asked("targets")["activeTargets"]
    assert {"up"} == {target["health"] for target in targets}
    assert 5 == len(targets)


def test_the_counts_dashboard_asks_what_the_console_answers(system: System) -> None:
    """Its query, with the variables as Grafana replaces them."""
    state, now = state_of(system), time.time_ns() // 1_000_000
    reader = token(system, "demo", "grafana", READ_SCOPE)
    values = {"app": "demo", "source": "analytics", "step": "hour", "__from": now - 7_200_000, "__to": now + 60_000}
    query = QUERY
    for name, value in values.items():
        query = query.replace(f"${{{name}}}", str(value))
    headers = {
        "Authorization": f"Bearer {token(system, 'demo', 'ann', GAMES_SCOPE)}",
        "Content-Type": "application/json",
    }
    event = json.dumps({"eventData": {"Timestamp": now, "Event": "Opened"}})
    assert HTTPStatus.OK == post(f"{state.ingress.address}/AddEvent", headers, event).status
    answer: dict[str, Any] = {}

    def is_there() -> bool:
        nonlocal answer
        status, answer = get(f"{state.console.address}{query}", f"Bearer {reader}")
        assert HTTPStatus.OK == status, answer
        return bool(answer[ROWS])

    until(is_there, "the event is counted")
    assert COLUMNS.keys() == answer[ROWS][0].keys()


def test_a_miscount_is_seen_and_pages(system: System) -> None:
    """A total that someone has changed in MongoDB. The last test, because verify finds a difference from now on."""
    before, state = canary_outcomes(system), state_of(system)
    with MongoClient[dict[str, Any]](state.servers.mongodb.address) as client:
        players = client[state.servers.database]["players"]
        assert 1 == players.update_many(owned_by(CANARY_APP), {"$inc": {f"totals.{CANARY_EVENT}": 1}}).modified_count
    until(lambda: canary_outcomes(system)["miscounted"] == 1, "the miscount is seen")
    until(partial(has_counted, system, before["counted"] + 2), "the batches after it are counted")
    assert 1 == canary_outcomes(system)["miscounted"]
    line = next(json.loads(one) for one in canary_log(system).splitlines() if "canary_miscounted" in one)
    assert ("error", line["expected"] + 1) == (line["level"], line["found"])
    firing = 'ALERTS{alertname="CanaryMiscounted", alertstate="firing", severity="critical"}'
    until(lambda: [1.0] == Prometheus(system).values(firing), "the alert fires", pause_seconds=1)
