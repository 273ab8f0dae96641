"""`tallymill up` in the foreground: start everything in order, keep it running, stop it in order.

Start: 1. Kafka and MongoDB. 2. The settings file. 3. init and the demo app's definitions. 4. ingress, console, workers.
5. with --observe, a canary and Prometheus.
Stop, on the first SIGINT, SIGTERM or SIGHUP: 1. the canary. 2. ingress and console, which finish what they accepted.
3. the workers, which finish their flushes. 4. Prometheus and the servers. Each in bounded time; a second SIGINT or
SIGTERM kills all at once. Whatever happens to this process, the watchdog (local/servers/watchdog.py) kills what it
leaves.
"""

import http.client
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from types import FrameType
from urllib.parse import urlsplit

from ops.config import DATA_VARIABLE, FILE_VARIABLE, Settings, variable_of
from ops.local import observe
from ops.local.running_options import OBSERVE, WORKERS, options_of, write_options
from ops.local.servers.paths import DEMO_DEFINITIONS
from ops.local.servers.ports import LOOPBACK, Wanted, assign_ports
from ops.local.servers.processes import (
    Child,
    Children,
    NotReadyError,
    Program,
    StoppedError,
    last_lines,
    own_command,
    wait_until,
)
from ops.local.servers.prometheus import PrometheusFiles
from ops.local.servers.source import Sources
from ops.local.servers.stack import USUAL_PORTS, start_servers
from ops.local.settings import local_settings, write_local_settings
from ops.local.state import PROCESSES, Process, Run, Servers, State, Worker, data_lock, write_state
from ops.local.supervisor_log import SupervisorLog
from ops.local.watch import Watch
from ops.local.welcome import DEMO_APP
from ops.output import EXIT_KILLED
from ops.tokens.issuer import ensure_issuer

# Imports alone have taken ten seconds on a busy machine.
READY_SECONDS = 120
ONCE_SECONDS = 120
STEP_SECONDS = 0.2
ANSWER_SECONDS = 2

# Added to the time that the process may take to stop, before it is killed.
STOP_MARGIN_SECONDS = 3

# Of Kafka, Kafka's controller and MongoDB, in the order of stack.py.
CONTROLLER = "kafka-controller"
SERVER_PORTS = ("kafka", CONTROLLER, "mongodb")
MAX_PORT = 65_535

STARTED_MILLIS = time.time_ns() // 1_000_000

Command = Callable[..., tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SystemOptions:
    """The system to run."""

    data: Path
    workers: int
    settings: Settings
    sources: Sources
    command: Command = own_command
    observe: PrometheusFiles | None = None
    """Start a canary, and Prometheus from these files."""

    @property
    def command_line(self) -> dict[str, object]:
        """What a later `up` is compared with (running_options.py)."""
        return {WORKERS: self.workers, OBSERVE: self.observe is not None}


class Supervisor:
    """One run of the local system."""

    def __init__(self, options: SystemOptions) -> None:
        self._options = options
        self._stop = Event()
        self._children: Children | None = None
        self._log = SupervisorLog(options.data / "logs")

    def run(self, ready: Callable[[State], None]) -> None:
        """Run until a signal. `ready` is called once, when every process answers.

        Raises RunningError, PortsTaken, FetchError, NotReadyError.
        """
        data = self._options.data
        with data_lock(data), Children(data / "logs") as self._children:
            on_signals(self._on_signal, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            watch = Watch(self._children, self._log.info, self._log.warning)
            state = State(
                "starting", os.getpid(), str(data.resolve()), Servers(self._options.settings.mongodb.database)
            )
            write_options(data, options_of(self._options.command_line, self._options.settings))
            write_state(data, state)
            try:
                state = self._start(self._children, watch, state)
                ready(state)
                self._keep(state)
                while not self._stop.wait(STEP_SECONDS):
                    if watch.step(time.monotonic()):
                        self._keep(with_pids(state, watch))
            except StoppedError:
                pass  # a signal came during the start
            finally:
                self._keep(state.in_phase("stopping"))
                self._log.info("Stopping ingress and console, then workers, then servers. A second signal kills all")
                watch.stop(lambda name: name == observe.CANARY)
                watch.stop(lambda name: name in ("ingress", "console"))
                watch.stop(lambda name: name.startswith("worker"))
                watch.stop(lambda _: True)

    def _keep(self, state: State) -> None:
        """Write the state for other commands. A full disk must not end what runs, nor the order of a stop."""
        try:
            write_state(self._options.data, state)
        except OSError as error:
            self._log.warning(
                f"The state file can't be written: {error.strerror}. `tallymill status` shows an old state"
            )

    def _start(self, children: Children, watch: Watch, state: State) -> State:
        options, settings = self._options, self._options.settings
        wanted = wanted_ports(options)
        ports = assign_ports(wanted)
        with self._log.phase(servers_text(options.sources)):
            of_servers = tuple(ports.get(name, 0) for name in SERVER_PORTS)
            servers = start_servers(children, options.data, options.sources, of_servers, self._stop)
        for server in (servers.kafka, servers.mongodb):
            if server:
                watch.add(server)
        kafka = servers.kafka_address or settings.kafka.bootstrap_servers or ""
        mongodb = servers.mongodb_uri or (settings.mongodb.uri.get_secret_value() if settings.mongodb.uri else "")
        ingress_port, console_port = ports["ingress"], ports["console"]
        worker_ports = [ports[f"worker-{number}"] for number in range(1, options.workers + 1)]
        given = settings.tokens.jwks or settings.tokens.introspection_url
        tokens = {} if given else ensure_issuer(options.data) | {"session_apps": [DEMO_APP]}
        added = local_settings(kafka, mongodb, {"ingress": ingress_port, "console": console_port}, tokens)
        file = write_local_settings(options.data, added)
        environ = {FILE_VARIABLE: str(file.resolve()), DATA_VARIABLE: str(options.data.resolve())}
        self._run_once(children, environ)
        programs = [ingress_program(options, environ, ingress_port)]
        programs.append(console_program(options, environ, console_port))
        programs += [worker_program(options, environ, n, port) for n, port in enumerate(worker_ports, 1)]
        with self._log.phase(f"Starting ingress, console and {options.workers} worker{'s' * (options.workers != 1)}"):
            started = [children.start(program) for program in programs]
            for child, port in zip(started, (ingress_port, console_port, *worker_ports), strict=True):
                watch.add(child)
                wait_for_http(child, f"http://{LOOPBACK}:{port}/readyz", self._stop)
        self._observe(children, watch, environ, ports)
        ready = replace(
            state,
            phase="ready",
            servers=Servers(state.servers.database, Process(kafka), Process(masked(mongodb))),
            ingress=Process(f"http://{LOOPBACK}:{ingress_port}"),
            console=Process(f"http://{LOOPBACK}:{console_port}"),
            workers=tuple(Worker(0, f"http://{LOOPBACK}:{port}/metrics") for port in worker_ports),
            notes=moved_text(wanted, ports),
        )
        if options.observe:
            canary, prometheus = (Process(observe.address(name, ports)) for name in observe.NAMES)
            ready = replace(ready, canary=canary, prometheus=prometheus)
        return with_pids(ready, watch)

    def _observe(self, children: Children, watch: Watch, environ: dict[str, str], ports: Mapping[str, int]) -> None:
        options = self._options
        if not options.observe:
            return
        observing = observe.Observing(options.data, ports, options.command("canary"), environ)
        with self._log.phase("Starting a canary and Prometheus"):
            for program in observe.programs(options.observe, observing, options.settings):
                child = children.start(program)
                watch.add(child)
                url = observe.address(program.name, ports) + observe.PROBES[program.name]
                wait_for_http(child, url, self._stop)

    def _run_once(self, children: Children, environ: dict[str, str]) -> None:
        """`init` and the demo app's events, in one process: its imports take longer than its work."""
        with self._log.phase("Creating topics, collections and the demo app"):
            words = f"prepare {DEMO_DEFINITIONS}"
            child = children.start(Program("init", self._options.command("prepare", str(DEMO_DEFINITIONS)), environ))
            give_up = time.monotonic() + ONCE_SECONDS
            while (status := child.exit_status()) is None and time.monotonic() < give_up:
                if self._stop.wait(STEP_SECONDS / 4):
                    raise StoppedError(words)
            children.forget(child)
            if status != 0:
                raise NotReadyError(f"`tallymill {words}` failed. The end of {child.log}:\n{last_lines(child.log)}")

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        # A terminal that closes sends SIGHUP more than once: the shell does, and the kernel when the shell has ended.
        if not self._stop.is_set() or number == signal.SIGHUP:
            self._stop.set()
            return
        if self._children:
            self._children.kill_all()
        os._exit(EXIT_KILLED)


def on_signals(handler: Callable[[int, FrameType | None], object], *numbers: signal.Signals) -> None:
    """Set the handler of these signals. SIGHUP stays ignored if it was by `nohup`."""
    for number in numbers:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def ingress_program(options: SystemOptions, environ: dict[str, str], port: int) -> Program:
    seconds = options.settings.ingress.stop_timeout_seconds + STOP_MARGIN_SECONDS
    return Program("ingress", options.command("ingress"), environ | {variable_of("ingress.port"): str(port)}, seconds)


def console_program(options: SystemOptions, environ: dict[str, str], port: int) -> Program:
    seconds = options.settings.console.stop_timeout_seconds + STOP_MARGIN_SECONDS
    return Program("console", options.command("console"), environ | {variable_of("console.port"): str(port)}, seconds)


def worker_program(options: SystemOptions, environ: dict[str, str], number: int, port: int) -> Program:
    seconds = options.settings.worker.stop_timeout_seconds + STOP_MARGIN_SECONDS
    ports = {variable_of("worker.metrics_port"): str(port)}
    return Program(f"worker-{number}", options.command("worker"), environ | ports, seconds)


def wanted_ports(options: SystemOptions) -> list[Wanted]:
    """Of all processes that `up` starts. Workers that the user gives a port get the ports from that one on."""
    settings = options.settings
    first = settings.worker.metrics_port
    numbers = range(1, options.workers + 1)
    of_workers = {f"worker-{n}": first + n - 1 if first and first + n - 1 <= MAX_PORT else 0 for n in numbers}
    wanted = [
        Wanted(name, port, f"{section}.{field}" if field in part.model_fields_set else None)
        for name, port, section, part, field in (
            ("ingress", settings.ingress.port, "ingress", settings.ingress, "port"),
            ("console", settings.console.port, "console", settings.console, "port"),
            *((name, port, "worker", settings.worker, "metrics_port") for name, port in of_workers.items()),
        )
    ]
    if options.observe:
        wanted += observe.wanted_ports(settings)
    sources = options.sources
    ours = {"kafka": sources.kafka, CONTROLLER: sources.kafka, "mongodb": sources.mongodb}
    usual = zip(SERVER_PORTS, USUAL_PORTS, strict=True)
    return wanted + [Wanted(name, port) for name, port in usual if ours[name] != "settings"]


def moved_text(wanted: Sequence[Wanted], ports: Mapping[str, int]) -> tuple[str, ...]:
    """A sentence about the ports that were taken by other programs."""
    moved = [f"{one.process} on {ports[one.process]}, not {one.port}" for one in wanted if _is_moved(one, ports)]
    return (f"Some usual ports are taken by other programs: {'; '.join(moved)}",) if moved else ()


def _is_moved(one: Wanted, ports: Mapping[str, int]) -> bool:
    return one.port not in (0, ports[one.process]) and one.process != CONTROLLER


def with_pids(state: State, watch: Watch) -> State:
    """The state with the present process ids, and with their starts. A worker that is down has 0."""
    servers, now = state.servers, {name: watch.pid(name) for name in PROCESSES}
    return replace(
        state,
        runs={"supervisor": Run(STARTED_MILLIS), **watch.runs()},
        servers=replace(
            servers,
            kafka=replace(servers.kafka, pid=now["kafka"]),
            mongodb=replace(servers.mongodb, pid=now["mongodb"]),
        ),
        ingress=replace(state.ingress, pid=now["ingress"]),
        console=replace(state.console, pid=now["console"]),
        canary=replace(state.canary, pid=now["canary"]),
        prometheus=replace(state.prometheus, pid=now["prometheus"]),
        workers=tuple(Worker(watch.pid(f"worker-{n}") or 0, one.metrics) for n, one in enumerate(state.workers, 1)),
    )


def servers_text(sources: Sources) -> str:
    where = {"settings": "at the addresses of the settings", "docker": "in Docker", "local": "on this machine"}
    if sources.kafka == sources.mongodb:
        return f"Starting Kafka and MongoDB {where[sources.kafka]}"
    return f"Starting Kafka {where[sources.kafka]} and MongoDB {where[sources.mongodb]}"


def masked(uri: str) -> str:
    """A connection string without user and password, and of its options only the replica set: others may be secrets."""
    scheme, separator, rest = uri.partition("://")
    hosts, _, query = rest.partition("?")
    options = [one for one in query.split("&") if one.startswith("replicaSet=")]
    return f"{scheme}{separator}{'?'.join([hosts.rpartition('@')[2], *options[:1]])}"


def wait_for_http(child: Child, url: str, stop: Event) -> None:
    wait_until(lambda: http_answers(url), child, child.program.name, seconds=READY_SECONDS, stop=stop)


def http_answers(url: str) -> bool:
    """Whether a GET is answered 200, without a proxy."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
