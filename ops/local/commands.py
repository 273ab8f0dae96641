"""up, down, status and logs: what the command line does, without the command line's parsing."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ops.config import DATA_VARIABLE, FILE_VARIABLE, LOCAL_FILE_NAME, SettingsError, load_settings
from ops.local.servers.fetch import FetchError, fetch_files
from ops.local.servers.processes import NotReadyError, last_lines, own_command
from ops.local.servers.source import settings_of_user, sources_in_force
from ops.local.state import RunningError, State, holder, read_state, to_fields, to_json
from ops.local.status.balance import balance_text, unknown
from ops.local.status.health import as_text as health_text
from ops.local.status.health import health_of
from ops.local.supervisor import Supervisor, SystemOptions
from ops.local.welcome import DEMO_APP, DEMO_PLAYER, addresses_text, welcome_text
from ops.output import EXIT_BAD_INPUT, EXIT_NOT_RUNNING, EXIT_OK, EXIT_WRONG, complain, say

# The first start may fetch everything on a slow line; a later one takes seconds.
DETACH_SECONDS = 1_800

# More than all stops of an orderly end together (supervisor.py); then it is killed.
DOWN_SECONDS = 90

POLL_SECONDS = 0.1
FOLLOW_SECONDS = 0.3

SUPERVISOR_LOG = "supervisor.log"


def up(data: Path, workers: int, *, as_json: bool) -> int:
    """Run the system in the foreground until told to stop."""
    if already := _running(data, as_json=as_json):
        return already[0]
    try:
        settings = settings_of_user()
        sources = sources_in_force(settings)
        fetch_files(sources)  # before the supervisor takes the signals: a long download ends with Ctrl-C
        options = SystemOptions(data, workers, settings, sources)
        Supervisor(options).run(lambda state: _announce(state, data, as_json=as_json))
    except SettingsError as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    except (FetchError, NotReadyError) as error:
        complain(str(error))
        return EXIT_WRONG
    except RunningError:
        complain(f"another `tallymill up` has just taken {data}")
        return EXIT_WRONG
    return EXIT_OK


def up_detached(data: Path, workers: int, *, as_json: bool) -> int:
    """Start a supervisor of its own and return when the system is ready."""
    if already := _running(data, as_json=as_json):
        return already[0]
    try:
        settings_of_user()  # bad settings are told before anything starts
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
        complain(f"not ready in {DETACH_SECONDS} s; see {log}")
    except KeyboardInterrupt:
        complain("stopping what was started")
    supervisor.terminate()
    supervisor.wait()
    return EXIT_WRONG


def down(data: Path, *, as_json: bool) -> int:
    """Stop what runs, in order and in bounded time. Nothing running is no failure."""
    pid = holder(data)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        give_up = time.monotonic() + DOWN_SECONDS
        while holder(data) == pid and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)
        if holder(data) == pid:
            complain(f"the supervisor did not stop in {DOWN_SECONDS} s and is killed")
            os.kill(pid, signal.SIGKILL)
    if as_json:
        say('{"stopped": %s}' % ("null" if pid is None else pid))
    else:
        say(_nothing(data, "nothing runs") if pid is None else "stopped")
    return EXIT_OK


def status(data: Path, *, as_json: bool) -> int:
    """Say what runs and whether it works: 0 if all that is promised holds now, 1 if not, 3 if it is not running."""
    pid, state = holder(data), read_state(data)
    if state is None or state.phase != "ready":
        return _not_running(data, pid, state, as_json=as_json)
    health = health_of(state, data)
    phase = "not ready" if health.problems else "ready"
    if as_json:
        processes = [asdict(one) for one in health.processes]
        told = {"phase": phase, "problems": health.problems, "processes": processes, **health.balance}
        say(json.dumps({**to_fields(state), **told}, indent=2))
    else:
        first = f"{phase} (supervisor {state.supervisor})"
        others = [f"! {one}" for one in health.problems if one not in health.lost]
        say("\n".join([*health.lost, first, *others, health_text(health)]))
        say(balance_text(health.balance))
    return EXIT_WRONG if health.problems else EXIT_OK


def _not_running(data: Path, pid: int | None, state: State | None, *, as_json: bool) -> int:
    """Not yet, or no longer, or not at all: nothing is asked."""
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
    """A misspelt --data must not read like a system that is stopped."""
    return words if data.is_dir() else f"{words}: there is no folder {data.resolve()}"


def logs(data: Path, name: str | None, *, lines: int, follow: bool) -> int:
    """Show the end of one log or of all, and what is added to them if asked to follow."""
    known = sorted((data / "logs").glob("*.log"))
    chosen = [log for log in known if name in (None, log.stem)]
    if not chosen:
        names = ", ".join(log.stem for log in known)
        complain(f"no log{f' of {name}' if name else 's'} in {data}" + (f"; there are {names}" if names else ""))
        return EXIT_WRONG
    for log in chosen:
        _show(log, last_lines(log, lines).splitlines(), with_name=name is None)
    if follow:
        _follow(chosen, with_name=name is None)
    return EXIT_OK


def _show(log: Path, lines: Iterable[str], *, with_name: bool) -> None:
    for line in lines:
        say(f"{log.stem:<12}{line}" if with_name else line)


def _follow(chosen: list[Path], *, with_name: bool) -> None:
    places = {log: log.stat().st_size for log in chosen}
    try:
        while True:
            for log in chosen:
                places[log] = _show_added(log, places[log], with_name=with_name)
            time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        return


def _show_added(log: Path, place: int, *, with_name: bool) -> int:
    """Show the whole lines after `place`; the new place. A log that shrank was set aside and begun anew."""
    with log.open("rb") as file:
        file.seek(place if place <= log.stat().st_size else 0)
        start = file.tell()
        whole, newline, _ = file.read().rpartition(b"\n")
    _show(log, whole.decode(errors="replace").splitlines(), with_name=with_name)
    return start + len(whole) + len(newline)


def _running(data: Path, *, as_json: bool) -> tuple[int] | None:
    """Say what runs already; the exit status then, None if nothing does."""
    pid = holder(data)
    if pid is None:
        return None
    state = read_state(data)
    complain(f"already running (supervisor {pid})" if state else f"already starting (supervisor {pid})")
    if state:
        say(to_json(state) if as_json else addresses_text(state))
    return (EXIT_OK,)


def _announce(state: State, data: Path, *, as_json: bool) -> None:
    if as_json:
        say(to_json(state))
        return
    if data != Path(".tallymill"):
        say(f"for other commands: export {DATA_VARIABLE}={data.resolve()}\n")
    try:
        token, read_token = _demo_tokens(data)
    except SettingsError:  # the settings name another issuer
        say(addresses_text(state))
    else:
        say(welcome_text(state, token, read_token))


def _demo_tokens(data: Path) -> tuple[str, str]:
    """One to record with, one to read with."""
    from ops.tokens.token import GAMES_SCOPE, make_token  # noqa: PLC0415 the same
    from schemas.wire.console_replies import READ_SCOPE  # noqa: PLC0415 signing loads what no other command here needs

    settings = load_settings({**os.environ, FILE_VARIABLE: str(data / LOCAL_FILE_NAME)})
    record, read = (make_token(settings, DEMO_APP, DEMO_PLAYER, [scope]) for scope in (GAMES_SCOPE, READ_SCOPE))
    return record, read
