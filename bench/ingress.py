"""Requests a second of the ingress, compared with the floor under it, a FastAPI service, and a handler that only reads.

    python -m bench.ingress --rounds 3 --seconds 10

Each subject runs in turn on a new topic, and all again in each round:

    acked        the ingress with apply_timeout_seconds = 0: answered when Kafka has acknowledged
    counted      the ingress as it is by default, and one worker: answered when the batch is counted
    floor        a bare ASGI app that sends the same record with the same producer (bench/rivals/floor.py)
    fastapi      FastAPI, a pydantic body, send_and_wait (bench/rivals/fastapi_app.py); no token, no rule
    reads-only   a handler that reads the body and answers (bench/rivals/reads_only.py)

All use the ingress's uvicorn settings, loop and parser, and get the same bytes from the same sender (bench/sender.py).

`rate` is requests/s of clients that send as soon as they are answered, `cpu` the server's CPU in microseconds a
request. N clients that wait 0.1 s for each answer send 10 N requests/s, however much the server could take. So there
are enough of them for the subject that answers last: 256 are the limit of `counted`, 1,024 are not. `half_p50_ms` and
`half_p99_ms` are from when a request is due to its answer, at half of that rate, sent whether or not earlier requests
are answered. The sender shares the machine: where `sender_share` nears 1, a whole core, it was the limit, and `cpu` is
the better figure.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvloop

from bench.measure import cpu_seconds
from bench.place import Place, servers
from bench.records import APP
from bench.report.figures import Measured, Round, interleaved
from bench.report.outcome import NoiseMeter, add_options, finish, some_of
from bench.rivals.fastapi_app import KAFKA_VARIABLE, TOPIC_VARIABLE
from bench.sender import Clients, Requests
from bench.visible import ANY_RATE, declare, is_ready, tokens_of
from ingress.config import TokenSettings
from ops.config import Settings, variable_of
from ops.connect import database
from ops.init.command import initialise, wrong
from ops.load.report import percentiles_millis
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Child, Program, last_lines
from ops.tokens.issuer import ensure_issuer
from serving.descriptors import raise_descriptor_limit

OURS = ("acked", "counted")
RIVALS = {
    "floor": "bench.rivals.floor",
    "fastapi": "bench.rivals.fastapi_app",
    "reads-only": "bench.rivals.reads_only",
}
SUBJECTS = (*OURS, *RIVALS)

START_SECONDS = 60


def server_program(place: Place, settings: Settings, subject: str, port: int) -> Program:
    if module := RIVALS.get(subject):
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
    try:  # the port is bound at once, and answers when the application has started
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
    answered = bool(await reader.read(1))
    writer.close()
    return answered


async def measure(place: Place, settings: Settings, subject: str, options: argparse.Namespace) -> Round:
    """One subject, from nothing."""
    assert not wrong(await initialise(settings))
    async with database(settings) as db:
        await declare(db, APP)
    clients, port = Clients(Requests(tokens_of(settings, APP, options.players))), any_free()
    async with serving(place, settings, subject, port) as server:
        await clients.connect(LOOPBACK, port, options.connections)
        await clients.closed_loop(options.warm_seconds)
        before = cpu_seconds(server.pid)
        sent = await clients.closed_loop(options.seconds)
        cpu = cpu_seconds(server.pid) - before
        assert sent.answered, "no answer in time: more seconds are needed"
        rate = sent.answered / sent.seconds
        delays = percentiles_millis((await clients.open_loop(rate / 2, options.seconds)).answered_seconds)
        clients.close()
    return {
        "rate": rate,
        "cpu": cpu / sent.answered * 1e6,
        "half_p50_ms": delays["p50"],
        "half_p99_ms": delays["p99"],
        "sender_share": sent.sender_share,
    }


async def run(options: argparse.Namespace) -> Measured:
    with servers() as place:
        tokens = TokenSettings.model_validate(ensure_issuer(place.folder))

        async def one(subject: str, _number: int) -> Round:
            settings = place.settings(options.partitions).model_copy(update={"tokens": tokens})
            return await measure(place, settings, subject, options)

        return await interleaved(options.subjects, options.rounds, one)


def main(subjects: Sequence[str] = SUBJECTS) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=1_024)
    parser.add_argument("--players", type=int, default=1_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--subjects", type=some_of(SUBJECTS), default=subjects)
    add_options(parser)
    options = parser.parse_args()
    raise_descriptor_limit()
    meter = NoiseMeter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(run(options))
    print(
        f"{options.connections} connections, {options.rounds} round(s) of {options.seconds:g} s; every answer was 200"
    )
    finish("ingress", options, meter, measured, {})


if __name__ == "__main__":
    main()
