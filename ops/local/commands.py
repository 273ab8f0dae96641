"""up, down and status: what the command line does, without the command line's parsing."""

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict
from pathlib import Path

from ops.config import DATA_VARIABLE, FILE_VARIABLE, LOCAL_FILE_NAME, SettingsError, load_settings
from ops.local.servers.fetch import FetchError, fetch_files
from ops.local.servers.processes import NotReadyError, last_lines, own_command
from ops.local.servers.source import present_sources, settings_of_user
from ops.local.state import RunningError, State, read_state, supervisor_pid, to_fields, to_json
from ops.local.status.balance import balance_text, unknown
from ops.local.status.health import as_text as health_text
from ops.local.status.health import health_of
from ops.local.supervisor import Supervisor, SystemOptions
from ops.local.welcome import DEMO_APP, DEMO_PLAYER, addresses_text, welcome_text
from ops.output import EXIT_BAD_INPUT, EXIT_NOT_RUNNING, EXIT_OK, EXIT_WRONG, complain, say
from schemas.games.scopes import GAMES_SCOPE

# The first start may fetch everything on a slow line; a later one takes seconds.
DETACH_SECONDS = 1_800

# Longer than all stops of the supervisor together (supervisor.py). After that it is killed.
DOWN_SECONDS = 90

POLL_SECONDS = 0.1

SUPERVISOR_LOG = "supervisor.log"


def up(data: Path, workers: int, *, as_json: bool) -> int:
    """Run the system in the foreground until a signal stops it."""
    if already := _running(data, as_json=as_json):
        return already[0]
    try:
        settings = settings_of_user()
        sources = present_sources(settings)
        fetch_files(sources)  # before the supervisor handles signals, so that Ctrl-C ends a long download
        options = SystemOptions(data, workers, settings, sources)
        Supervisor(options).run(lambda state: _announce(state, data, as_json=as_json))
    except SettingsError as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    except (FetchError, NotReadyError) as error:
        complain(str(error))
        return EXIT_WRONG
    except RunningError:
        complain(f"Another `tallymill up` has just started with the data folder {data}")
        return EXIT_WRONG
    return EXIT_OK


def up_detached(data: Path, workers: int, *, as_json: bool) -> int:
    """Start a supervisor in the background and return when the system is ready."""
    if already := _running(data, as_json=as_json):
        return already[0]
    try:
        settings_of_user()  # refuse bad settings before anything starts
    except SettingsError as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    logs = data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / SUPERVISOR_LOG
    command = own_command("up", f"--workers={workers}", f"--data={data.resolve()}")
    with log.open("wb") as output:
        supervisor = subprocess.Popen(  # noqa: S603 our own command
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    return _await_detached(supervisor, data, log, as_json=as_json)


def _await_detached(supervisor: "subprocess.Popen[bytes]", data: Path, log: Path, *, as_json: bool) -> int:
    give_up = time.monotonic() + DETACH_SECONDS
    try:
        while time.monotonic() < give_up:
            state = read_state(data)
            if state and state.phase == "ready" and state.supervisor == supervisor.pid:
                _announce(state, data, as_json=as_json)
                return EXIT_OK
            if supervisor.poll() is not None:
                complain(last_lines(log, 30))
                return supervisor.returncode or EXIT_WRONG
            time.sleep(POLL_SECONDS)
        complain(f"The system was not ready after {DETACH_SECONDS} s and is stopped. See {log}")
    except KeyboardInterrupt:
        complain("Interrupted: stopping the system")
    supervisor.terminate()
    supervisor.wait()
    return EXIT_WRONG


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
    """Print each process and whether it works. Exit status 0: everything works. 1: not. 3: not running."""
    pid, state = supervisor_pid(data), read_state(data)
    if state is None or state.phase != "ready":
        return _not_running(data, pid, state, as_json=as_json)
    health = health_of(state, data)
    phase = "not ready" if health.problems else "ready"
    if as_json:
        processes = [asdict(one) for one in health.processes]
        shown = {"phase": phase, "problems": health.problems, "processes": processes, **health.balance}
        say(json.dumps({**to_fields(state), **shown}, indent=2))
    else:
        first = f"{phase} (supervisor {state.supervisor})"
        others = [f"! {one}" for one in health.problems if one not in health.lost]
        say("\n".join([*health.lost, first, *others, health_text(health)]))
        say(balance_text(health.balance))
    return EXIT_WRONG if health.problems else EXIT_OK


def _not_running(data: Path, pid: int | None, state: State | None, *, as_json: bool) -> int:
    """The system starts, stops or does not run: no process is asked."""
    phase = state.phase if state else "stopped" if pid is None else "starting"
    if as_json:
        say(
            json.dumps({**to_fields(state), **unknown("not ready")}, indent=2)
            if state
            else json.dumps({"phase": phase})
        )
    elif state:
        say(f"{phase} (supervisor {state.supervisor})\n{addresses_text(state)}")
    else:
        say(_nothing(data, "not running") if pid is None else "starting")
    return EXIT_NOT_RUNNING


def _nothing(data: Path, words: str) -> str:
    """A misspelt --data must not look like a stopped system."""
    return words if data.is_dir() else f"{words}: there is no folder {data.resolve()}"


def _running(data: Path, *, as_json: bool) -> tuple[int] | None:
    """If the system runs already, print its addresses and return the exit status; else None."""
    pid = supervisor_pid(data)
    if pid is None:
        return None
    state = read_state(data)
    complain(f"The system {'is already running' if state else 'is already starting'} (supervisor {pid})")
    if state:
        say(to_json(state) if as_json else addresses_text(state))
    return (EXIT_OK,)


def _announce(state: State, data: Path, *, as_json: bool) -> None:
    if as_json:
        say(to_json(state))
        return
    from ops.tokens.token import make_token  # noqa: PLC0415 signing loads what no other command here needs
    from schemas.wire.console_replies import READ_SCOPE  # noqa: PLC0415 the same

    if data != Path(".tallymill"):
        say(f"To use other commands with this system: export {DATA_VARIABLE}={data.resolve()}\n")
    try:
        settings = load_settings({**os.environ, FILE_VARIABLE: str(data / LOCAL_FILE_NAME)})
        token, read_token = (make_token(settings, DEMO_APP, DEMO_PLAYER, [one]) for one in (GAMES_SCOPE, READ_SCOPE))
    except SettingsError:  # the settings name another issuer
        say(addresses_text(state))
    else:
        say(welcome_text(state, token, read_token))
