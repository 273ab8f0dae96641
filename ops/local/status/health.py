"""Whether every process of the local system works now: all are asked in parallel, in bounded time.

The state file (local/state.py) says what was started. Only an answer shows that a process works: a process that is
stopped (SIGSTOP) keeps its process id, its port and its entry in the state file.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from console.observer.snapshot import instant
from ops.config import FILE_VARIABLE, LOCAL_FILE_NAME, Settings, SettingsError, load_settings
from ops.local.state import Run, State, mongodb_text
from ops.local.status.balance import balance_report, unknown
from ops.local.status.probes import ANSWER_SECONDS, Answer, http_state, is_frozen
from ops.local.status.server_probes import kafka_state, mongodb_state
from ops.local.status.traffic import Traffic, measure

T = TypeVar("T")
Said = Literal["ready", "not ready", "no answer", "frozen", "down"]

# A little longer than a probe, so that a probe that times out can still say why.
COLLECT_SECONDS = ANSWER_SECONDS + 0.5

METRICS_PATH = "/metrics"


@dataclass(frozen=True, slots=True)
class Asked:
    """A process to ask: its address, and the question. `pid` None: `up` did not start this server."""

    name: str
    address: str
    pid: int | None
    ask: Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class ProcessNow:
    """The present state of one process."""

    name: str
    said: Said
    detail: str
    address: str
    pid: int | None
    run: Run | None = None
    """Since when it runs, and how often it was started again. None if `up` did not start it."""

    def as_json(self) -> dict[str, Any]:
        run = self.run or Run(None)
        shown = {name: getattr(self, name) for name in ("name", "said", "detail", "address", "pid")}
        return {**shown, "since": instant(run.since_millis), "restarts": run.restarts if self.run else None}

    @property
    def problem(self) -> str:
        """One phrase, empty where the process is ready."""
        if self.said == "ready":
            return ""
        return f"{self.name}: {self.said}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Health:
    """The present state of the system."""

    processes: Sequence[ProcessNow]
    balance: Mapping[str, Any]
    traffic: Traffic = field(default_factory=Traffic)
    denied: Sequence[str] = ()
    """Rights of Kafka that `status` lacks, a sentence each: what they would show is unknown."""

    @property
    def phase(self) -> str:
        return "not ready" if self.problems else "ready"

    def as_json(self) -> dict[str, Any]:
        processes = [one.as_json() for one in self.processes]
        shown = {"phase": self.phase, "problems": self.problems, "processes": processes}
        return {**shown, **self.balance, **self.traffic.as_json()}

    @property
    def lost(self) -> list[str]:
        """Records that were acknowledged and are lost."""
        return [f"LOST: {loss}" for loss in self.balance["lost"] or ()]

    @property
    def perhaps_lost(self) -> list[str]:
        """Records that were acknowledged, and nobody knows whether they are lost."""
        return [f"UNKNOWN: {loss}" for loss in self.balance["perhaps_lost"] or ()]

    @property
    def problems(self) -> list[str]:
        """Everything that does not work or is unknown, lost records first."""
        found = [
            *self.lost,
            *self.perhaps_lost,
            *(one.problem for one in self.processes if one.problem),
            *self.traffic.problems,
        ]
        balance = self.balance["balance"]
        if balance is None:
            found.append(f"balance and lost records unknown: {self.balance['balance_why']}")
        found += [f"Kafka: {one}" for one in self.denied if not any(one in problem for problem in found)]
        return found + [
            f"{topic}: the balance does not add up" for topic, one in (balance or {}).items() if not one["holds"]
        ]


def health_of(state: State, data: Path) -> Health:
    """Ask everything at once; returns after COLLECT_SECONDS at the latest. Never raises."""
    from console.observer import loop, mongodb  # noqa: F401, PLC0415 the same
    from ops.lineage import find  # noqa: F401, PLC0415 with the clients: loaded before the clock runs, and only here
    from ops.local.status import group_reader  # noqa: F401, PLC0415 the same
    from serving.kafka import bootstrap, rights  # noqa: F401, PLC0415 the same
    from serving.mongodb import watch  # noqa: F401, PLC0415 the same

    settings, measured, denied = _settings(data), list[Traffic](), dict[str, None]()
    rights.DENIALS.process, rights.DENIALS.tell = "status", lambda one: denied.setdefault(str(one))
    asked = asked_of(state, settings)
    questions: list[Callable[[], Any]] = [*(one.ask for one in asked), lambda: balance_report(data)]
    if isinstance(settings, str):
        measured.append(Traffic(why=settings))
    else:
        questions.append(partial(measure, settings, measured))
    answers = side_by_side(questions, COLLECT_SECONDS)
    balance = answers[len(asked)]
    late = f"no answer within {ANSWER_SECONDS:g} s"
    # The supervisor has the lock, so it runs. If it is frozen, it starts no process again.
    supervisor = Asked("supervisor", "", state.supervisor, lambda: Answer("ready"))
    answered = zip([supervisor, *asked], [Answer("ready"), *answers[: len(asked)]], strict=True)
    return Health(
        [_now(one, answer or Answer("no answer", late), state.runs.get(one.name)) for one, answer in answered],
        balance or unknown(late),
        measured[-1] if measured else Traffic(why=late),
        tuple(denied),
    )


def side_by_side(questions: Iterable[Callable[[], T]], seconds: float) -> list[T | None]:
    """Ask each question in its own thread. Returns the answers that come in time, None for the others.

    The threads are daemons: one that hangs, for example in DNS, does not keep the command from ending.
    """
    answers: dict[int, T] = {}

    def ask(number: int, question: Callable[[], T]) -> None:
        answers[number] = question()

    threads = [threading.Thread(target=ask, args=numbered, daemon=True) for numbered in enumerate(questions)]
    give_up = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, give_up - time.monotonic()))
    return [answers.get(number) for number in range(len(threads))]


def asked_of(state: State, settings: Settings | str) -> list[Asked]:
    """The processes of a system. `settings`: what they run with, or why that is not known."""
    servers: list[tuple[str, str | None, int | None, Callable[[Settings], Answer]]] = [
        ("kafka", state.servers.kafka.address, state.servers.kafka.pid, kafka_state),
        ("mongodb", mongodb_text(state.servers), state.servers.mongodb.pid, mongodb_state),
    ]
    found = [
        Asked(
            name,
            address or "",
            pid,
            partial(Answer, "no answer", settings) if isinstance(settings, str) else partial(ask, settings),
        )
        for name, address, pid, ask in servers
    ]
    http = [(name, one.address, one.pid or 0) for name, one in (("ingress", state.ingress), ("console", state.console))]
    http += [
        (f"worker-{number}", worker.metrics.removesuffix(METRICS_PATH), worker.pid)
        for number, worker in enumerate(state.workers, 1)
    ]
    if state.canary.address:
        http.append(("canary", state.canary.address, state.canary.pid or 0))
    found += [Asked(name, url or "", pid, partial(http_state, url or "")) for name, url, pid in http]
    if url := state.prometheus.address:
        ask = partial(http_state, url, "/-/healthy", "/-/ready")
        found.append(Asked("prometheus", url, state.prometheus.pid or 0, ask))
    return found


def _settings(data: Path) -> Settings | str:
    try:
        return load_settings({**os.environ, FILE_VARIABLE: str(data / LOCAL_FILE_NAME)})
    except SettingsError as error:
        return f"not asked, because the settings can't be used: {error}"


def _now(asked: Asked, answer: Answer, run: Run | None) -> ProcessNow:
    """The state of a process. If it gave no answer, being stopped or not running is the reason."""
    said, detail = _said(asked, answer)
    return ProcessNow(asked.name, said, detail, asked.address, asked.pid, run)


def _said(asked: Asked, answer: Answer) -> tuple[Said, str]:
    if asked.pid and is_frozen(asked.pid):
        return "frozen", "it is stopped: continue it with `kill -CONT`"
    if answer.state == "no answer" and asked.pid == 0:
        return "down", "the supervisor starts it again; see `tallymill logs`"
    return answer.state, answer.detail
