"""An unhandled failure is one line: an outage in plain words, a library by its name, a bug with its trace."""

import asyncio
import errno
import json
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import errors
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import AutoReconnect, NetworkTimeout, NotPrimaryError, ServerSelectionTimeoutError
from structlog.testing import capture_logs

from ops.logs import LibraryLog
from serving import failures
from serving.failures import FAILURES, handle_loop_exception, new_loop, outage_words, report
from serving.seldom import REPEAT_SECONDS, Seldom


def counted(kind: str) -> float:
    return float(FAILURES.labels(kind)._value.get())


@pytest.mark.parametrize(
    "error",
    [
        errors.KafkaConnectionError("Connection at 127.0.0.1:9092 closed"),
        errors.RequestTimedOutError(),
        AutoReconnect("x"),
        NetworkTimeout("x"),
        NotPrimaryError("x"),
        ServerSelectionTimeoutError("127.0.0.1:1: [Errno 111] Connection refused, Topology Description: <x>"),
        ConnectionResetError(errno.ECONNRESET, "x"),
        ConnectionResetError("Connection lost"),
        OSError(errno.EHOSTUNREACH, "x"),
        socket.gaierror(-2, "Name or service not known"),
        ssl.SSLError(1, "[SSL] x"),
        TimeoutError(),
        asyncio.IncompleteReadError(b"", 4),
    ],
)  # fmt: skip
def test_an_outage_is_a_warning_without_a_trace_and_without_a_class_name(error: Exception) -> None:
    before = counted("outage")
    with capture_logs() as logs:
        report(ExceptionGroup("tasks", [error]))
    [line] = logs
    assert (line["event"], line["log_level"]) == ("background_failure", "warning")
    assert "exc_info" not in line
    assert type(error).__name__ not in line["reason"]
    assert counted("outage") == before + 1


def test_a_bug_keeps_its_trace() -> None:
    with capture_logs() as logs:
        report(ZeroDivisionError("ours"), path="/v1")
    assert [(line["event"], line["path"]) for line in logs] == [("bug", "/v1")]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


def test_a_bug_is_one_wherever_it_was_raised_if_our_code_is_on_its_trace() -> None:
    """In a library that tallymill's code calls with a wrong value."""
    with pytest.raises(TypeError) as caught:
        Seldom(lambda: 0.0).allows([])
    with capture_logs() as logs:
        report(caught.value)
    assert ["bug"] == [line["event"] for line in logs]


def test_a_client_that_was_used_wrongly_is_no_outage() -> None:
    """No server is to blame."""
    for kind in (errors.IllegalStateError, errors.IllegalArgumentError, errors.KafkaConfigurationError):
        assert outage_words(kind("x")) is None
    assert outage_words(errors.KafkaError("x")) is not None


@pytest.mark.parametrize(("file", "library"), [("aiokafka/conn.py", "aiokafka"), ("six.py", "six")])
def test_the_library_of_a_failure_is_named(file: str, library: str) -> None:
    """By its package, or its one file."""
    code = compile("raise ValueError", f"/usr/lib/site-packages/{file}", "exec")
    try:
        exec(code)  # noqa: S102 a frame of a library
    except ValueError as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        with capture_logs() as logs:
            report(error)
    assert [f"{library} failed in its own background task"] == [line["reason"] for line in logs]


def test_failures_of_another_kind_type_or_place_are_lines_of_their_own() -> None:
    """A bug in what our code gives a library is not hidden by a failure of the library alone."""
    ours = str(Path(failures.__file__).parent / "none.py")
    sources = [("json.loads('{')", "none.py"), ("json.loads('{')", ours)]
    raised = [("raise TimeoutError", "none.py"), ("raise EOFError", "none.py"), ("\nraise EOFError", "none.py")]
    with capture_logs() as logs:
        for source, file in [*sources, *raised] * 2:
            try:
                exec(compile(source, file, "exec"), {"json": json})  # noqa: S102 a frame of that file
            except Exception as error:  # noqa: BLE001 any of them
                report(error)
    events = [line["event"] for line in logs]
    assert ["background_failure", "bug", *["background_failure"] * 3] == events


def test_a_librarys_own_failure_names_it_and_its_place() -> None:
    try:
        json.loads("{")  # raises in Python's own code, but called from here: this file is none of the process's
    except ValueError as error:
        with capture_logs() as logs:
            report(error)
    assert logs[0]["reason"] == "Python failed in its own background task"
    assert logs[0]["at"].startswith("decoder.py:")


async def test_what_a_task_raised_that_nobody_awaited_is_one_line() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_loop_exception)

    async def fail() -> None:
        raise errors.KafkaConnectionError("Connection at 127.0.0.1:9092 closed")

    with capture_logs() as logs:
        for _ in range(3):
            task = asyncio.ensure_future(fail())
            await asyncio.wait((task,))
            del task
    assert [line["event"] for line in logs] == ["background_failure"]
    assert logs[0]["at"].startswith("test_failures.py:")


async def test_what_has_no_exception_is_a_line_too() -> None:
    """As of a transport that was left open: its first line, once, with how often it came."""
    now = [0.0]
    loop, before = asyncio.get_running_loop(), counted("library")
    with pytest.MonkeyPatch.context() as patched, capture_logs() as logs:
        patched.setattr(failures, "_seldom", Seldom(lambda: now[0]))
        for _ in range(3):
            handle_loop_exception(loop, {"message": "left open\n  File x.py"})
        now[0] += REPEAT_SECONDS
        handle_loop_exception(loop, {"message": "left open"})
    assert [("left open", None), ("left open", 2)] == [(line["reason"], line.get("repeated")) for line in logs]
    assert counted("library") == before + 4


def test_how_often_it_came_is_written_with_the_next_line() -> None:
    now, error = [0.0], TimeoutError()
    with pytest.MonkeyPatch.context() as patched, capture_logs() as logs:
        patched.setattr(failures, "_seldom", Seldom(lambda: now[0]))
        for seconds in (0, 1, REPEAT_SECONDS - 1, REPEAT_SECONDS):
            now[0] = seconds
            report(error)
    assert [None, 2] == [line.get("repeated") for line in logs]
    assert REPEAT_SECONDS >= 60, "a line a minute of each kind, at most"


def test_every_kind_is_exported_before_it_comes() -> None:
    """Or the first failure would be no increase."""
    each = "for one in next(iter(FAILURES.collect())).samples"
    code = f"from serving.failures import FAILURES; print(*(one.labels['kind'] {each}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"outage", "library", "bug"} <= set(ran.stdout.split())


def test_a_new_loop_hands_over_what_nobody_awaited() -> None:
    """Also where the logging module is not ours."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.get_loop().get_exception_handler() is handle_loop_exception


def test_the_same_again_is_counted_and_written_later() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    assert [seldom.allows("a"), seldom.allows("a"), seldom.allows("b"), seldom.allows("a")] == [0, None, 0, None]
    now[0] = REPEAT_SECONDS
    assert [seldom.allows("a"), seldom.allows("b")] == [2, 0]
    now[0] = 2 * REPEAT_SECONDS
    assert 0 == seldom.allows("a")


@given(st.sampled_from(sorted(errno.errorcode)), st.text())
def test_every_number_of_the_system_has_words_or_is_no_outage(number: int, text: str) -> None:
    words = outage_words(OSError(number, text))
    assert words is None or ("Errno" not in words and "Error" not in words)


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    logger, handler = logging.getLogger("some.library"), LibraryLog()
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_a_librarys_log_is_a_line_of_ours(library: logging.Logger) -> None:
    with capture_logs() as logs:
        library.warning("one\ntwo %s", "three")
        try:
            raise errors.RequestTimedOutError
        except errors.KafkaError:
            library.exception("it failed")
    assert [(line["event"], line.get("message"), line.get("reason")) for line in logs] == [
        ("library_message", "one", None),
        ("background_failure", None, "Kafka: no answer in time"),
    ]


UNHANDLED = """
import asyncio, gc, sys, threading, warnings
from ops.logs import configure_logs
from serving.failures import new_loop
configure_logs()

class Leaves:
    def __del__(self):
        raise ConnectionResetError(104, "gone")

async def fail():
    raise ConnectionRefusedError(111, "refused")

async def main():
    asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0.01)
    gc.collect()
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)

with asyncio.Runner(loop_factory=new_loop) as runner:
    runner.run(main())
warnings.warn("old", DeprecationWarning, stacklevel=1)
warnings.warn("odd", RuntimeWarning, stacklevel=1)
Leaves()
thread = threading.Thread(target=lambda: open("/no/such/file"))
thread.start()
thread.join()
raise TimeoutError
"""


def test_nothing_but_json_reaches_the_log_of_a_process(tmp_path: Path) -> None:
    """A task's, a timer's, a destructor's, a thread's and the process's own exception, and warnings."""
    script = tmp_path / "unhandled.py"
    script.write_text(UNHANDLED)
    root = str(Path(__file__).parent.parent.parent)
    ran = subprocess.run(
        [sys.executable, "-W", "always", str(script)],
        env={"PYTHONPATH": root}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert ran.returncode == 1
    events = [line["event"] for line in lines]
    assert events.count("background_failure") >= 3
    reasons = {line.get("reason") for line in lines}
    assert {"network: connection refused", "network: no answer in time"} <= reasons
    assert not any("Traceback" in json.dumps(line) for line in lines if line["event"] != "bug")
