"""What `status` asks processes, and how it judges their answers."""

import gc
import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from pymongo.errors import OperationFailure

from ops.config import Settings
from ops.lineage.losses import Loss, Offsets, loss_text
from ops.local.settings import to_toml
from ops.local.state import Process, Servers, Worker
from ops.local.status import health, probes
from ops.local.status.balance import told, unknown
from ops.local.status.health import COLLECT_SECONDS, Health, ProcessNow, health_of, side_by_side
from ops.local.status.probes import ANSWER_SECONDS, Answer, http_state, is_frozen
from ops.local.status.server_probes import (
    CLIENT_MILLIS,
    CONNECT_MILLIS,
    KAFKA_SECONDS,
    kafka_state,
    metadata_state,
    mongodb_state,
)
from ops.local.status.traffic import Traffic
from tests.frozen import freeze
from tests.ops.local.test_state import STATE
from tests.patience import PATIENCE_SECONDS

BALANCED = {"balance": {"t": {"holds": True}}, "lost": [], "perhaps_lost": []}

REJECTED = "authentication failed: wrong user, password or authSource in mongodb.uri"


@contextmanager
def answering(**replies: tuple[int, Any]) -> Iterator[str]:
    """An HTTP server on loopback that answers each path (without its slash) so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = replies[self.path.removeprefix("/")]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and never answers, as a process that is stopped does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def closed() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def cut_off() -> Iterator[None]:
    """Pymongo leaves the socket of a try open that close() cuts off: no warning of a test that comes later."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


ALIVE = (200, {"live": True})


@pytest.mark.parametrize(
    ("livez", "readyz", "expected"),
    [
        (ALIVE, (200, {"ready": True, "missing": []}), Answer("ready")),
        (ALIVE, (503, {"ready": False, "missing": ["kafka", "keys"]}), Answer("not ready", "missing: kafka, keys")),
        (
            ALIVE,
            (503, {"missing": ["kafka"], "reasons": ["no broker has answered", "x"]}),
            Answer("not ready", "missing: kafka (no broker has answered; x)"),
        ),
        (ALIVE, (503, {"ready": False}), Answer("not ready", "it answers that it is not ready (/readyz)")),
        (ALIVE, (503, b"<html>"), Answer("not ready", "it answers that it is not ready (/readyz): HTTP 503")),
        (ALIVE, (503, [7]), Answer("not ready", "it answers that it is not ready (/readyz)")),
        ((503, {}), (200, {"ready": True}), Answer("not ready", "it answers that it is not alive (/livez)")),
    ],
)
def test_a_process_is_ready_if_it_says_so_twice(
    livez: tuple[int, Any], readyz: tuple[int, Any], expected: Answer
) -> None:
    """Alive and ready. What it names as missing is printed."""
    with answering(livez=livez, readyz=readyz) as url:
        assert expected == http_state(url)


def test_a_process_that_is_not_there_has_no_answer() -> None:
    """Nor has one whose name can't be resolved, or one that closes the connection."""
    assert Answer("no answer", "nothing listens there (connection refused)") == http_state(f"http://{closed()}")
    assert "no answer" == http_state("http://no-such-host.invalid:1").state


def at_brokers(*addresses: str) -> Settings:
    return Settings.model_validate({"kafka": {"bootstrap_servers": ",".join(addresses)}})


def test_brokers_that_do_not_answer_are_named_each_with_its_reason() -> None:
    """In the words that the logs of the processes have. All are asked at once, and a silent one is given up in time."""
    down = closed()
    began = time.monotonic()
    with silent() as quiet:
        told = kafka_state(at_brokers(down, quiet))
    seconds = time.monotonic() - began
    assert Answer("no answer", f"{down}: connection refused; {quiet}: no answer in {KAFKA_SECONDS:g} s") == told
    assert seconds < 2 * ANSWER_SECONDS, "far from what a client waits that serves"


def topic(name: str, code: int, *leaders: int) -> dict[str, Any]:
    """A topic of a Metadata response, with the leader of each partition."""
    partitions = [{"partition": number, "leader": leader} for number, leader in enumerate(leaders)]
    return {"topic": name, "error_code": code, "partitions": partitions}


def of(*topics: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"brokers": [{}], "topics": topics}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"brokers": [], "topics": []}, "the broker is not part of a cluster yet"),
        (of(topic("t", 3)), "topic t is missing: run `tallymill init`"),
        (of(topic("t", 0, 1, -1, 1, -1)), "topic t: no leader for partitions 1, 3"),
        (of(topic("t", 5)), "topic t is unavailable: the partition has no leader now"),
        (of(topic("t", 29)), "topic t is unavailable: Kafka does not allow the topic to this user"),
        (of(topic("t", 72, 1)), "topic t is unavailable: Kafka answered: "),
        (of(topic("t", 0)), "topic t is unavailable: it has no partitions"),
        (of(topic("a", 0, 1), topic("b", 3), topic("c", 3)), "topic b is missing: run `tallymill init`; topic c is"),
    ],
)
def test_a_cluster_that_cannot_take_records_is_not_ready(found: Mapping[str, Any], words: str) -> None:
    """Though a broker answers."""
    told = metadata_state(found)
    assert "not ready" == told.state
    assert told.detail.startswith(words)


def test_a_cluster_whose_topics_all_have_leaders_is_ready() -> None:
    assert Answer("ready") == metadata_state(of(topic("a", 0, 1, 2), topic("b", 0, 2)))


def test_servers_without_an_address_are_not_ready() -> None:
    """The message names the setting."""
    nothing = Settings.model_construct(kafka=Settings().kafka.model_copy(update={"bootstrap_servers": None}))
    assert Answer("not ready", "kafka.bootstrap_servers is not set") == kafka_state(nothing)
    assert Answer("not ready", "mongodb.uri: required") == mongodb_state(Settings())


def test_settings_that_cannot_be_used_are_named_by_status_too(tmp_path: Path) -> None:
    """As the processes refuse them."""
    kafka = {"bootstrap_servers": "127.0.0.1:1", "security_protocol": "SSL", "ssl_cafile": str(tmp_path / "none.pem")}
    told = kafka_state(Settings.model_validate({"kafka": kafka}))
    assert Answer("not ready", f"kafka.ssl_cafile: there is no file {tmp_path}/none.pem") == told
    uri = "mongodb://127.0.0.1/?readPreference=secondary"
    wrong = mongodb_state(Settings.model_validate({"mongodb": {"uri": uri}}))
    assert "not ready" == wrong.state
    assert "readPreference" in wrong.detail


@pytest.mark.usefixtures("cut_off")
def test_a_mongod_that_is_away_is_told_in_plain_words() -> None:
    """No topology description, no class name."""
    at = closed()
    given = Settings.model_validate({"mongodb": {"uri": f"mongodb://{at}/?replicaSet=rs0"}})
    told = mongodb_state(given)
    assert Answer("no answer", f"{at}: connection refused") == told


@pytest.mark.parametrize(
    ("hello", "expected"),
    [
        ({"isWritablePrimary": True}, Answer("ready")),
        ({"isWritablePrimary": False}, Answer("not ready", "there is no primary, so writes are refused")),
        (OperationFailure("", 18), Answer("not ready", REJECTED)),
    ],
)
def test_a_mongod_that_takes_no_writes_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, hello: dict[str, object] | Exception, expected: Answer
) -> None:
    """Though it answers."""
    client = AsyncMock()
    client.admin.command.side_effect = [hello]
    monkeypatch.setattr("serving.mongodb.client.new_client", lambda *_, **__: client)
    assert expected == mongodb_state(Settings())
    client.close.assert_awaited_once()


@pytest.mark.usefixtures("cut_off")
def test_a_mongod_that_stands_still_is_told_by_its_address() -> None:
    """Before the client gives up, so that it differs from one that has ended."""
    with silent() as quiet:
        given = Settings.model_validate({"mongodb": {"uri": f"mongodb://{quiet}/?replicaSet=rs0"}})
        assert Answer("no answer", f"{quiet}: no answer in time") == mongodb_state(given)


@pytest.mark.slow
@pytest.mark.usefixtures("cut_off")
def test_a_system_that_says_nothing_holds_status_up_for_a_moment(tmp_path: Path) -> None:
    """Kafka, MongoDB, ingress, console and two workers that hang: asked side by side, and every one is named."""
    with ExitStack() as stack:
        kafka, mongodb, *http = [stack.enter_context(silent()) for _ in range(6)]
        tables = {"kafka": {"bootstrap_servers": kafka}, "mongodb": {"uri": f"mongodb://{mongodb}"}}
        (tmp_path / "settings.toml").write_text(to_toml(tables))
        ingress, console, *workers = [f"http://{address}" for address in http]
        state = replace(
            STATE,
            supervisor=1,
            servers=Servers("tallymill", Process(kafka), Process("mongodb://m")),
            ingress=Process(ingress, 0),
            console=Process(console, 1),
            workers=tuple(Worker(1, f"{worker}/metrics") for worker in workers),
        )
        health_of(state, tmp_path)  # loads the clients
        start = time.monotonic()
        found = health_of(state, tmp_path)
        seconds = time.monotonic() - start
    expected = {"supervisor": "ready", "kafka": "no answer", "mongodb": "no answer", "ingress": "down"}
    expected |= {"console": "no answer", "worker-1": "no answer", "worker-2": "no answer"}
    assert expected == {one.name: one.said for one in found.processes}
    assert 8 == len(found.problems)  # six processes, and neither lag nor balance is known
    # Far from the sum of all, with room for a machine that is busy.
    assert COLLECT_SECONDS - 1 < seconds < 3 * COLLECT_SECONDS


@pytest.fixture
def all_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process is ready, and the balance adds up."""
    for name in ("kafka_state", "mongodb_state", "http_state"):
        monkeypatch.setattr(health, name, lambda _: Answer("ready"))
    monkeypatch.setattr(health, "balance_report", lambda _: BALANCED)
    monkeypatch.setattr(health, "measure", lambda _, found: found.append(Traffic()))


@pytest.fixture
def stopped() -> Iterator[int]:
    """A process that is stopped (SIGSTOP)."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        freeze(process.pid)
        yield process.pid
        process.kill()


@pytest.mark.usefixtures("all_answer")
def test_each_process_that_stands_still_is_frozen_whatever_it_answered(tmp_path: Path, stopped: int) -> None:
    """Because that was a moment ago. This includes the supervisor, which is not asked."""
    settings(tmp_path)
    standing = replace(
        STATE,
        supervisor=stopped,
        servers=Servers("tallymill", Process("k:1", stopped), Process("mongodb://m", stopped)),
        ingress=Process("http://i", stopped),
        console=Process("http://c", stopped),
        workers=(Worker(stopped, "http://w/metrics"), Worker(os.getpid(), "http://x/metrics")),
    )
    found = health_of(standing, tmp_path)
    expected = dict.fromkeys(["supervisor", "kafka", "mongodb", "ingress", "console", "worker-1"], "frozen")
    assert expected | {"worker-2": "ready"} == {one.name: one.said for one in found.processes}
    assert "kafka: frozen (it is stopped: continue it with `kill -CONT`)" in found.problems


def settings(folder: Path) -> None:
    tables = {"kafka": {"bootstrap_servers": "127.0.0.1:1"}, "mongodb": {"uri": "mongodb://127.0.0.1:1"}}
    (folder / "settings.toml").write_text(to_toml(tables))


@pytest.mark.usefixtures("all_answer")
def test_one_that_answers_is_ready_though_the_supervisor_has_no_id_of_it(tmp_path: Path) -> None:
    """It has been started since the state was written."""
    settings(tmp_path)
    found = health_of(replace(STATE, supervisor=os.getpid(), ingress=Process("http://i", 0)), tmp_path)
    assert [] == found.problems


@pytest.mark.usefixtures("all_answer")
def test_one_that_the_supervisor_has_not_started_again_yet_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where nothing answers."""
    settings(tmp_path)
    monkeypatch.setattr(
        health, "http_state", lambda url: Answer("no answer" if url == STATE.ingress.address else "ready")
    )
    found = health_of(replace(STATE, supervisor=os.getpid(), ingress=Process("http://i", 0)), tmp_path)
    assert ["ingress: down (the supervisor starts it again; see `tallymill logs`)"] == found.problems


@pytest.mark.usefixtures("all_answer")
def test_what_cannot_be_asked_without_settings_is_no_answer(tmp_path: Path) -> None:
    """And the reason is printed."""
    (tmp_path / "settings.toml").write_text("[kafka]\nbootstrap_server = 'a:1'\n")
    found = {one.name: one for one in health_of(STATE, tmp_path).processes}
    for server in ("kafka", "mongodb"):
        assert "no answer" == found[server].said
        assert "the settings can't be used: kafka.bootstrap_server: " in found[server].detail
    assert "ready" == found["ingress"].said


@pytest.mark.usefixtures("all_answer")
def test_an_answer_that_does_not_come_in_time_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a balance that does not come in time one that holds."""
    settings(tmp_path)
    release = threading.Event()

    def hang(*_: object) -> Any:  # noqa: ANN401 nothing
        release.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(health, "COLLECT_SECONDS", 0.2)
    for name in ("kafka_state", "balance_report", "measure"):
        monkeypatch.setattr(health, name, hang)
    found = health_of(STATE, tmp_path)
    release.set()
    assert {
        "kafka: no answer (no answer within 3 s)",
        "balance and lost records unknown: no answer within 3 s",
        "lag, stopped partitions and partitions without a worker unknown: no answer within 3 s",
    } == set(found.problems)


def test_probes_give_up_before_status_does() -> None:
    """So that their own words are shown, in the seconds that status may take."""
    assert KAFKA_SECONDS * 1.5 <= ANSWER_SECONDS < COLLECT_SECONDS < 5
    assert CONNECT_MILLIS < CLIENT_MILLIS < ANSWER_SECONDS * 1000


# Of a socket without a time-out.
LONG_SECONDS = 30


def test_both_questions_to_a_process_have_one_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise `status` would wait twice as long as it says."""
    now, timeouts = [0.0], list[float]()

    class Connection:
        def __init__(self, _place: str, timeout: float) -> None:
            timeouts.append(timeout)
            now[0] += 1

        def request(self, *_: str) -> None: ...

        def getresponse(self) -> Any:  # noqa: ANN401 http.client's
            return SimpleNamespace(status=200, read=lambda _most: b"{}")

        def close(self) -> None: ...

    monkeypatch.setattr(http.client, "HTTPConnection", Connection)
    monkeypatch.setattr(probes, "time", SimpleNamespace(monotonic=lambda: now[0]))
    assert Answer("ready") == http_state("http://a:1")
    assert [ANSWER_SECONDS, ANSWER_SECONDS - 1] == timeouts


def test_a_port_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is silent, drips, or hangs up."""
    monkeypatch.setattr(probes, "ANSWER_SECONDS", 0.2)
    began = time.monotonic()
    socket.setdefaulttimeout(LONG_SECONDS)
    try:
        with silent() as quiet:
            assert Answer("no answer", "no answer within 0.2 s") == http_state(f"http://{quiet}")
    finally:
        socket.setdefaulttimeout(None)
    assert time.monotonic() - began < LONG_SECONDS
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hanging_up = threading.Thread(target=lambda: listener.accept()[0].close())  # noqa: PLW0108 not yet accepted
        hanging_up.start()
        told = http_state(f"http://127.0.0.1:{listener.getsockname()[1]}")
        hanging_up.join()
    assert Answer("no answer", "it closed the connection without an answer") == told


def test_a_port_that_speaks_another_language_has_no_answer() -> None:
    """As that of an SSH server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            with listener.accept()[0] as connection:
                connection.recv(1_000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        speaking = threading.Thread(target=speak)
        speaking.start()
        told = http_state(f"http://127.0.0.1:{listener.getsockname()[1]}")
        speaking.join()
    assert Answer("no answer", "it closed the connection without an answer") == told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "DNS does not know the host name"),
        (OSError(113, "x"), "No route to host"),
        (http.client.BadStatusLine("SSH-2.0"), "it closed the connection without an answer"),
        (OSError("x"), "it can't be reached"),
    ],
)
def test_why_there_is_no_answer_is_told_in_plain_words(error: Exception, words: str) -> None:
    assert words == probes.why_no_answer(error)


def test_an_unknown_balance_is_a_problem() -> None:
    """Like one that does not add up: neither shows that all is well."""
    ready = [ProcessNow("kafka", "ready", "", "a:1", 7)]
    assert [] == Health(ready, BALANCED).problems
    assert ["balance and lost records unknown: why"] == Health(ready, unknown("why")).problems
    assert ["t: the balance does not add up"] == Health(
        ready, {"balance": {"t": {"holds": False}}, "lost": [], "perhaps_lost": []}
    ).problems


def test_lost_records_are_named_first() -> None:
    """Before any process: nothing else can be mended later."""
    silent_kafka = [ProcessNow("kafka", "no answer", "", "a:1", 7)]
    found = Health(silent_kafka, {**BALANCED, "lost": ["t, partition 0: offsets 1 to 2"]}).problems
    assert ["LOST: t, partition 0: offsets 1 to 2", "kafka: no answer"] == found


def test_records_of_a_log_that_can_not_be_asked_are_not_called_lost() -> None:
    """A topic without a leader for a moment is no loss. JSON has the two apart."""
    unknown = Loss("t", "r1", Offsets(0, 9, None), "unknown")
    removed = Loss("t", "r1", Offsets(1, 3, 5), "removed")
    found = told([unknown, removed, replace(unknown, accepted="test data")])
    assert found == {"lost": [str(removed)], "perhaps_lost": [str(unknown)]}
    health = Health([], {**BALANCED, **found})
    assert [f"LOST: {removed}", f"UNKNOWN: {unknown}"] == health.problems == list(map(loss_text, (removed, unknown)))
    assert [f"LOST: {removed}"] == health.lost


def test_what_does_not_come_in_time_is_left_behind() -> None:
    """The others are still printed."""
    release = threading.Event()
    answers = side_by_side([lambda: True, lambda: release.wait(PATIENCE_SECONDS), lambda: False], 0.2)
    release.set()
    assert [True, None, False] == answers


def test_a_process_that_is_stopped_is_known_by_its_state(tmp_path: Path) -> None:
    """Whatever characters its name has. If the state is unknown, it does not count as stopped."""
    for pid, state in ((1, "S"), (2, "T"), (3, "t")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (T) T) {state} 1 1")
    assert [False, True, True, False] == [is_frozen(pid, tmp_path) for pid in (1, 2, 3, 4)]
