"""Requests a second of the ingress, compared with a simple FastAPI service and with a handler that only reads.

    python -m bench.ingress --rounds 3 --seconds 10

Each subject runs in turn on a new topic, and all again in the next round. The medians are printed:

    acked        the ingress with apply_timeout_seconds = 0: answered when Kafka has acknowledged
    counted      the ingress as it is by default, and one worker: answered when the batch is counted
    fastapi      FastAPI, a pydantic body, send_and_wait (bench/rivals/fastapi_app.py); no token, no rule
    reads-only   a handler that reads the body and answers (bench/rivals/reads_only.py)

All use the ingress's uvicorn settings, loop and parser, and get the same bytes from the same sender (bench/sender.py).
The sender shares the machine: if it used a whole core, it was the limit, and CPU a request is the better figure.
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

import uvloop

from bench.measure import cpu_seconds
from bench.place import Place, servers
from bench.records import APP
from bench.rivals.fastapi_app import KAFKA_VARIABLE, TOPIC_VARIABLE
from bench.sender import ClosedLoop, requests
from bench.visible import ANY_RATE, declare, is_ready, tokens_of
from ingress.config import TokenSettings
from ops.config import Settings, variable_of
from ops.connect import database
from ops.init.command import initialise, wrong
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Child, Program, last_lines
from ops.tokens.issuer import ensure_issuer

OURS = ("acked", "counted")
# Ours over theirs, as docs and design have it.
GOALS = {"fastapi": 3.0, "reads-only": 0.5}
SUBJECTS = (*OURS, *GOALS)

START_SECONDS = 60
# From here on the sender has no time left to wait in.
SENDER_IS_THE_WALL = 0.9


@dataclass(frozen=True, slots=True)
class Served:
    """What one server did: requests a second, CPU of its process in microseconds a request, the sender's share."""

    rate: float
    cpu: float
    sender_share: float


def server_program(place: Place, settings: Settings, subject: str, port: int) -> Program:
    if subject in GOALS:
        module = f"bench.rivals.{'fastapi_app' if subject == 'fastapi' else 'reads_only'}"
        variables = {KAFKA_VARIABLE: place.kafka, TOPIC_VARIABLE: settings.kafka.records_topic}
        return place.python(subject, settings, "bench.rivals.serve", module, str(port), **variables)
    changed = {"ingress.port": port, "limits.max_requests_per_player": ANY_RATE}
    if subject == "acked":
        changed["ingress.apply_timeout_seconds"] = 0
    variables = {variable_of(name): str(value) for name, value in changed.items()}
    return place.python(subject, settings, "ops", "ingress", **variables)


@asynccontextmanager
async def serving(place: Place, settings: Settings, subject: str, port: int) -> AsyncIterator[Child]:
    """The server, listening and ready, with a worker beside it where answers wait for one."""
    workers = place.workers(settings, 1 if subject == "counted" else 0)
    started = [place.children.start(one) for one in (server_program(place, settings, subject, port), *workers)]
    server = started[0]
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _answers(subject, port):
                assert server.exit_status() is None, last_lines(server.log)
                await asyncio.sleep(0.1)
        yield server
    finally:
        place.children.stop(started)


async def _answers(subject: str, port: int) -> bool:
    if subject in OURS:
        return await is_ready(f"http://{LOOPBACK}:{port}")
    try:  # uvicorn listens only when its application has begun, but the port is ours before that
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
    answered = bool(await reader.read(1))
    writer.close()
    return answered


async def measure(place: Place, settings: Settings, subject: str, options: argparse.Namespace) -> Served:
    """One subject, from nothing."""
    assert not wrong(await initialise(settings))
    async with database(settings) as db:
        await declare(db, APP)
    todo, port = requests(tokens_of(settings, APP, options.players)), any_free()
    async with serving(place, settings, subject, port) as server:
        loop = ClosedLoop(port, todo)
        await loop.start(LOOPBACK, options.connections)
        await loop.during(options.warm_seconds)
        before = cpu_seconds(server.pid)
        sent = await loop.during(options.seconds)
        cpu = cpu_seconds(server.pid) - before
        loop.close()
    assert sent.answered, "no answer in time: more seconds are needed"
    return Served(sent.answered / sent.seconds, cpu / sent.answered * 1e6, sent.sender_share)


async def run(options: argparse.Namespace) -> dict[str, Served]:
    measured: defaultdict[str, list[Served]] = defaultdict(list)
    with servers() as place:
        tokens = TokenSettings.model_validate(ensure_issuer(place.folder))
        for _ in range(options.rounds):
            for subject in SUBJECTS:
                settings = place.settings(options.partitions).model_copy(update={"tokens": tokens})
                measured[subject].append(await measure(place, settings, subject, options))
    return {subject: middle(rounds) for subject, rounds in measured.items()}


def middle(rounds: Sequence[Served]) -> Served:
    """The median of each figure."""
    return Served(*(median(getattr(served, name) for served in rounds) for name in Served.__slots__))


def report(measured: dict[str, Served]) -> list[str]:
    """The figures as a table, and how ours compare."""
    lines = ["{:<12} {:>11} {:>17} {:>12}".format("", "requests/s", "CPU us a request", "sender CPU")]
    for subject, served in measured.items():
        wall = "  the sender was the wall" if served.sender_share > SENDER_IS_THE_WALL else ""
        lines.append(f"{subject:<12} {served.rate:>11.0f} {served.cpu:>17.1f} {served.sender_share:>12.0%}{wall}")
    for subject in OURS:
        ours = measured[subject]
        for other, goal in GOALS.items():
            theirs = measured[other]
            lines.append(
                f"{subject} : {other:<12} requests/s {ours.rate / theirs.rate:>5.2f} (goal {goal:g})"
                f"   CPU {theirs.cpu / ours.cpu:>5.2f}"
            )
    return [*lines, "CPU: theirs over ours, so that more is better as with requests/s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--players", type=int, default=1_000)
    parser.add_argument("--partitions", type=int, default=6)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(run(options))
    print(
        f"{options.connections} connections, {options.rounds} round(s) of {options.seconds:g} s; every answer was 200"
    )
    print("\n".join(report(measured)))


if __name__ == "__main__":
    main()
