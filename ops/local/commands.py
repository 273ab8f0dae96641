"""up, down and status: what the command line does, without the command line's parsing."""

import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ops.config import DATA_VARIABLE, FILE_VARIABLE, LOCAL_FILE_NAME, Settings, SettingsError, load_settings
from ops.local.running_options import OBSERVE, WORKERS, differences, options_of, read_options
from ops.local.servers.fetch import FetchError, fetch_files
from ops.local.servers.paths import cache_folder
from ops.local.servers.ports import PortsTaken
from ops.local.servers.processes import NotReadyError, open_log, own_command
from ops.local.servers.prometheus import PrometheusFiles, installed, missing_text
from ops.local.servers.source import present_sources, settings_of_user
from ops.local.state import RunningError, State, read_state, supervisor_pid, to_fields, to_json
from ops.local.status.balance import unknown
from ops.local.status.health import health_of
from ops.local.status.text import status_text
from ops.local.supervisor import Supervisor, SystemOptions, on_signals
from ops.local.supervisor_log import SUPERVISOR_LOG
from ops.local.welcome import DEMO_APP, DEMO_PLAYER, Tokens, addresses_text, welcome_text
from ops.output import EXIT_BAD_INPUT, EXIT_KILLED, EXIT_NOT_RUNNING, EXIT_OK, EXIT_WRONG, complain, redrawing, say
from ops.private_file import private_files, private_folder
from schemas.games.scopes import GAMES_SCOPE

# The first start may fetch everything on a slow line; a later one takes seconds.
DETACH_SECONDS = 1_800

USUAL_DATA = Path(".tallymill")
OWN_NAME = "tallymill"

# Of a start that failed.
LAST_LINES = 30

# As shells have it: with the number of the signal added.
EXIT_SIGNAL = 128

# Longer than all stops of the supervisor together (supervisor.py). After that it is killed.
DOWN_SECONDS = 90

POLL_SECONDS = 0.1

# MongoDB alone writes 300 MiB of journal ahead, where there is room. With less than this, servers fail soon.
MIN_FREE_BYTES = 64 << 20

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# Of `status --watch`. One answer takes somewhat more than a second.
WATCH_SECONDS = 2.0

USUAL_WORKERS = 2


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the user asked for. `workers`: None stands for the usual number, or for as many as already run."""

    data: Path
    workers: int | None = None
    detach: bool = False
    as_json: bool = False
    observe: bool = False

    @property
    def command_line(self) -> dict[str, object]:
        """What the running system is compared with."""
        return {WORKERS: self.workers, OBSERVE: self.observe or None}


def up(asked: UpOptions) -> int:
    """Start the system. If it runs already, print its addresses, or the options that it has otherwise."""
    try:
        settings = settings_of_user()  # refuse bad settings before anything starts
    except SettingsError as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    if problem := folder_problem(asked.data):
        complain(problem)
        return EXIT_WRONG
    if (pid := supervisor_pid(asked.data)) is not None:
        return _already(asked, settings, pid)
    files = installed() if asked.observe else None
    if asked.observe and files is None:
        complain(missing_text())
        return EXIT_WRONG
    return _up_detached(asked) if asked.detach else _up(asked, settings, files)


def folder_problem(data: Path) -> str | None:
    """Why nothing can be kept in the data folder, and what to do. The folder need not exist yet."""
    whole = data.absolute()
    there = next(folder for folder in (whole, *whole.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return not_written(data, error)
    if free < MIN_FREE_BYTES:
        return f"The disk of {whole} has {free >> 20} MiB left, too few to start. Choose another one with --data"
    return None


def not_written(data: Path, error: OSError) -> str:
    return f"The data folder {data.absolute()} can't be written: {error.strerror}. Choose another one with --data"


def _up(asked: UpOptions, settings: Settings, observe: PrometheusFiles | None) -> int:
    """Run the system in the foreground until a signal stops it."""
    data, workers = asked.data, USUAL_WORKERS if asked.workers is None else asked.workers
    try:
        sources = present_sources(settings)
        _end_by_signals()
        fetch_files(sources)  # before the supervisor handles signals, so that Ctrl-C ends a long download
        options = SystemOptions(data, workers, settings, sources, observe=observe)
        with private_files():
            Supervisor(options).run(lambda state: _announce(state, asked))
    except (FetchError, NotReadyError, PortsTaken) as error:
        complain(str(error))
        return EXIT_WRONG
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        complain(not_written(data, error))
        return EXIT_WRONG
    except RunningError:
        complain(f"Another `tallymill up` has just started with the data folder {data}")
        return EXIT_WRONG
    return EXIT_OK


def _end_by_signals() -> None:
    """SIGTERM and a closed terminal end a download as Ctrl-C does: its programs end too, and no half file is kept."""
    on_signals(lambda signum, _: sys.exit(EXIT_SIGNAL + signum), signal.SIGTERM, signal.SIGHUP)


def _up_detached(asked: UpOptions) -> int:
    """Start a supervisor in the background and return when the system is ready."""
    data = asked.data
    logs = data / "logs"
    with private_files():
        private_folder(logs)
    log = logs / SUPERVISOR_LOG
    words = [] if asked.workers is None else [f"--workers={asked.workers}"]
    words += ["--observe"] if asked.observe else []
    command = own_command("up", *words, f"--data={data.resolve()}")
    with open_log(log) as output:
        began = output.tell()
        # Its answer on standard output holds tokens, which must not be in a log.
        supervisor = subprocess.Popen(  # noqa: S603 our own command
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, start_new_session=True
        )
    return _await_detached(supervisor, asked, log, began)


def _await_detached(supervisor: "subprocess.Popen[bytes]", asked: UpOptions, log: Path, began: int) -> int:
    """`began`: where this start begins in the log."""
    give_up = time.monotonic() + DETACH_SECONDS
    try:
        while time.monotonic() < give_up:
            state = read_state(asked.data)
            if state and state.phase == "ready" and state.supervisor == supervisor.pid:
                _announce(state, asked)
                return EXIT_OK
            if supervisor.poll() is not None:
                complain(_messages(log, began))
                return supervisor.returncode or EXIT_WRONG
            time.sleep(POLL_SECONDS)
        complain(f"The system was not ready after {DETACH_SECONDS} s and is stopped. See {log}")
    except KeyboardInterrupt:
        complain("Interrupted: stopping the system")
    supervisor.terminate()
    supervisor.wait()
    return EXIT_WRONG


def stop_text(data: Path, *, is_detached: bool) -> str:
    """How to stop the system that was just started. Other commands must find its folder too."""
    is_found = data.resolve() == Path(os.environ.get(DATA_VARIABLE, USUAL_DATA)).resolve()
    other = "" if is_found else f"export {DATA_VARIABLE}={shlex.quote(str(data.resolve()))}"
    if is_detached:
        return "; ".join(filter(None, [other, f"{own_name()} down"]))
    return f"Ctrl-C. To use other commands with it: {other}" if other else "Ctrl-C"


def own_name() -> str:
    """What to type for this command: its path, where a shell would not find it."""
    typed = Path(sys.argv[0])
    if typed.name != OWN_NAME or shutil.which(OWN_NAME):
        return OWN_NAME
    near = os.path.relpath(typed)
    return shlex.quote(str(typed) if near.startswith(os.pardir) else near)


def down(data: Path, *, as_json: bool) -> int:
    """Stop the system in order and in bounded time. If it does not run, that is success."""
    pid = supervisor_pid(data)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        give_up = time.monotonic() + DOWN_SECONDS
        while supervisor_pid(data) == pid and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)
        if supervisor_pid(data) == pid:
            complain(f"The supervisor (pid {pid}) did not stop within {DOWN_SECONDS} s. It is killed now")
            os.kill(pid, signal.SIGKILL)
    if as_json:
        say(json.dumps({"stopped": pid}))
    else:
        say(_nothing(data, "not running") if pid is None else "stopped")
    return EXIT_OK


def status(data: Path, *, as_json: bool) -> int:
    """Print each process and topic. Exit status 0: all that is promised holds now. 1: not. 3: not running."""
    shown, exit_status = status_now(data, as_json=as_json)
    say(shown)
    return exit_status


def watch_status(data: Path, *, as_json: bool) -> int:
    """Print it again and again until Ctrl-C: over the one before, or when piped, one after the other."""
    exit_status = EXIT_KILLED
    try:
        with redrawing(apart="" if as_json else "\n") as draw:
            while True:
                due = time.monotonic() + WATCH_SECONDS
                shown, exit_status = status_now(data, as_json=as_json, indent=None)
                draw(shown)
                time.sleep(max(0, due - time.monotonic()))
    except KeyboardInterrupt:
        return exit_status


def status_now(data: Path, *, as_json: bool, indent: int | None = 2) -> tuple[str, int]:
    """What `status` prints, and its exit status."""
    pid, state = supervisor_pid(data), read_state(data)
    if state is None or state.phase != "ready":
        return _not_running(data, pid, state, as_json=as_json), EXIT_NOT_RUNNING
    health = health_of(state, data)
    exit_status = EXIT_WRONG if health.problems else EXIT_OK
    if as_json:
        return json.dumps({**to_fields(state), **health.as_json()}, indent=indent), exit_status
    return status_text(state.supervisor, health), exit_status


def _not_running(data: Path, pid: int | None, state: State | None, *, as_json: bool) -> str:
    """The system starts, stops or does not run: no process is asked."""
    phase = state.phase if state else "stopped" if pid is None else "starting"
    if as_json:
        return json.dumps({**to_fields(state), **unknown("not ready")} if state else {"phase": phase})
    if state:
        return f"{phase} (supervisor {state.supervisor})\n{addresses_text(state)}".rstrip()
    return _nothing(data, "not running") if pid is None else "starting"


def _nothing(data: Path, words: str) -> str:
    """A misspelt --data must not look like a stopped system."""
    return words if data.is_dir() else f"{words}: there is no folder {data.resolve()}"


def _messages(log: Path, began: int) -> str:
    """What the supervisor has said since then, without its entries for `tallymill logs`."""
    text = log.read_bytes()[began:].decode(errors="replace")
    lines = [line for line in text.splitlines() if not line.startswith("{")]
    return "\n".join(lines[-LAST_LINES:])


def _already(asked: UpOptions, settings: Settings, pid: int) -> int:
    """Exit status 1 if the running system has other options than those that are asked for."""
    state, running = read_state(asked.data), read_options(asked.data) or {}
    is_ready = state is not None and state.phase == "ready"
    complain(f"The system {'is already running' if is_ready else 'is already starting'} (supervisor {pid})")
    if found := differences(options_of(asked.command_line, settings, only_asked=True), running):
        options = "\n".join(f"  {one}" for one in found)
        complain(f"It has other options:\n{options}\nTo change them, stop it first: tallymill down")
        return EXIT_WRONG
    if state:
        say(to_json(state) if asked.as_json else addresses_text(state))
    return EXIT_OK


def _announce(state: State, asked: UpOptions) -> None:
    """The addresses and what to do next; with --json the state alone."""
    for note in state.notes:
        complain(note)
    if asked.as_json:
        say(to_json(state))
        return
    from ops.tokens.link import page_link  # noqa: PLC0415 signing loads what no other command here needs
    from ops.tokens.token import make_token  # noqa: PLC0415 the same
    from schemas.wire.console_replies import READ_SCOPE  # noqa: PLC0415 the same

    data = asked.data
    settings = load_settings({**os.environ, FILE_VARIABLE: str(data / LOCAL_FILE_NAME)})
    try:
        token, read_token = (make_token(settings, DEMO_APP, DEMO_PLAYER, [one]) for one in (GAMES_SCOPE, READ_SCOPE))
        tokens = Tokens(token, read_token)
    except SettingsError:  # the settings name another issuer
        tokens = None
    try:
        page = page_link(settings, DEMO_APP)
    except SettingsError:  # people sign in at an issuer
        page = None
    say(welcome_text(state, tokens, page, stop_text(data, is_detached=asked.detach), cache_folder()))
