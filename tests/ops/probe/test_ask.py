"""`tallymill probe`: the health check of a container."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.probe import ask
from tests.patience import PATIENCE_SECONDS

COMMAND = (sys.executable, "-m", "ops", "probe")


@contextmanager
def serving(*pieces: bytes, pause_seconds: float = 0) -> Iterator[str]:
    """A server that answers one request with these bytes, and then keeps the connection open."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                for piece in pieces:
                    if done.wait(pause_seconds):
                        return
                    connection.sendall(piece)
                done.wait(PATIENCE_SECONDS)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/readyz?x=1"
        finally:
            done.set()
            thread.join()


def answer(status: str, body: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "299 x"])
def test_a_process_that_answers_2xx_is_well(status: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed."""
    with serving(answer(status)) as url:
        assert 0 == ask.probe(url, PATIENCE_SECONDS)
    assert ("", "") == capsys.readouterr()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (answer("503 Service Unavailable", '{"ready":\n false}'), '503 Service Unavailable: {"ready": false}'),
        (answer("503 Service Unavailable"), "503 Service Unavailable"),
        (answer("302 Found"), "302 Found"),
        (answer("500 Oh", "\x1b[2J" + "x" * 5_000), "500 Oh: \\x1b[2J" + "x" * 296),
        (b"220 mail.example ESMTP\r\n", "the answer is not HTTP"),
    ],
)
def test_any_other_answer_is_shown_in_one_line(reply: bytes, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the beginning of the body, because /readyz says there what is missing."""
    with serving(reply) as url:
        assert 1 == ask.probe(url, PATIENCE_SECONDS)
    assert f"{url}: {said}\n" == capsys.readouterr().err


def test_a_port_on_which_nothing_listens_is_unwell(capsys: pytest.CaptureFixture[str]) -> None:
    """In plain words."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert 1 == ask.probe(f"http://127.0.0.1:{port}/", PATIENCE_SECONDS)
    assert capsys.readouterr().err.endswith(": connection refused\n")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x/", "must begin with http:// or https://, and name a host"),
        ("http://", "must begin with http:// or https://, and name a host"),
        ("localhost:8080", "must begin with http:// or https://, and name a host"),
        ("http://x:y/", "is not a URL"),
        ("http://[::1/", "is not a URL"),
        ("http://127.0.0.1/a b", "is not a URL"),
    ],
)
def test_what_is_no_url_is_said(url: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent."""
    assert 1 == ask.probe(url, 1)
    assert f"{url}: {said}\n" == capsys.readouterr().err


def test_the_time_holds_for_the_whole_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A server that sends a byte now and then does not prolong it."""
    drip = [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\n"] * 100
    started = time.monotonic()
    with serving(*drip, pause_seconds=0.05) as url:
        assert 1 == ask.probe(url, 0.3)
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert f"{url}: no answer within 0.3 s\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["http://x"], ("http://x", 2.0)),
        (["http://x", "--timeout", "5"], ("http://x", 5.0)),
        (["--timeout", "0.5", "http://x"], ("http://x", 0.5)),
        ([], None),
        (["--help"], None),
        (["http://x", "--timeout", "0"], None),
        (["http://x", "--timeout", "nan"], None),
        (["http://x", "--timeout", "soon"], None),
        (["http://x", "--retries", "5"], None),
        (["http://x", "http://y"], None),
    ],
)
def test_only_a_plain_command_line_takes_the_short_way(arguments: list[str], options: tuple[str, float] | None) -> None:
    """The full command says what is wrong with any other."""
    assert options == ask.options_of(arguments)


def test_both_ways_give_the_same_result() -> None:
    """The command that `--help` describes is the one that runs."""
    with serving(answer("204 No Content")) as url:
        assert 0 == CliRunner().invoke(app, ["probe", url]).exit_code
    with serving(answer("503 No")) as url:
        result = CliRunner().invoke(app, ["probe", url])
    assert (1, f"{url}: 503 No\n") == (result.exit_code, result.stderr)
    assert "2.0" in CliRunner().invoke(app, ["probe", "--help"]).output


def test_it_starts_without_what_the_other_commands_import() -> None:
    """Only the standard library: that is what makes it start in less than a tenth of a second."""
    with serving(answer("200 OK")) as url:
        shown = [sys.executable, "-X", "importtime", "-m", "ops", "probe", url, "--timeout", str(PATIENCE_SECONDS)]
        ran = subprocess.run(shown, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.splitlines()}
    assert "http" in imported
    ours = {"ops", "coverage", "a1_coverage", "_editable_impl_tallymill", "sitecustomize", "usercustomize", "__main__"}
    foreign = imported - set(sys.stdlib_module_names) - ours
    assert {"imported package", ""} >= foreign, foreign
    assert "typer" not in imported


def test_the_command_ends_with_the_result() -> None:
    """As a health check sees it: the exit status, and one line."""
    with serving(answer("503 Service Unavailable", "not yet")) as url:
        ran = subprocess.run([*COMMAND, url], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert (1, f"{url}: 503 Service Unavailable: not yet\n") == (ran.returncode, ran.stderr)
