"""SIGHUP: secrets are read again, and nothing else happens."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from structlog.testing import capture_logs

from serving.reload import hangups as hangups_module
from serving.reload import secrets
from serving.reload.hangups import Hangups
from serving.reload.secrets import NotRead, Reload
from tests.patience import PATIENCE_SECONDS

Given = dict[str, Any]


class Part(BaseModel):
    password: SecretStr | None = None
    keys: tuple[SecretStr, ...] | None = None
    group: str = "group"


class All(BaseModel):
    kafka: Part = Part()
    console: Part = Part()


class Source:
    """Settings that a test changes. `used`: what the process has been given."""

    def __init__(self, **first: Given) -> None:
        self.now: Given = first
        self.problems: list[str] = []
        self.reads = 0
        self.settings = self.read()
        self.used: list[object] = []
        self.hangups = Hangups()
        self.reload = Reload(self.settings, self.read, ("kafka",), self.hangups)
        self.reload.renews("kafka.password", lambda _: self.used.append(self.password))
        self.reload.renews("kafka.keys", lambda keys: self.used.append([one.get_secret_value() for one in keys]))

    def read(self) -> All:
        self.reads += 1
        if self.problems:
            raise NotRead(self.problems)
        return All.model_validate(self.now)

    def has(self, password: str) -> bool:
        return self.password == password

    @property
    def password(self) -> str | None:
        found = self.settings.kafka.password
        return found.get_secret_value() if found else None


@pytest.fixture(autouse=True)
def usual_signals() -> Any:  # noqa: ANN401 a fixture
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


async def renewed(source: Source) -> list[Given]:
    with capture_logs() as logs:
        await source.reload.renew()
    return [{name: value for name, value in one.items() if name != "log_level"} for one in logs]


async def test_a_secret_is_renewed_where_it_is() -> None:
    """Whoever has the setting has the new value, however it was passed on."""
    source = Source(kafka={"password": "old"})
    passed_on = source.settings.kafka.model_copy()
    source.now = {"kafka": {"password": "new"}}
    assert [{"event": "secrets_renewed", "changed": ["kafka.password"]}] == await renewed(source)
    assert passed_on.password is not None
    assert ["new", "new"] == [source.password, passed_on.password.get_secret_value()]
    assert ["new"] == source.used
    assert [{"event": "secrets_renewed", "changed": []}] == await renewed(source)


async def test_a_list_of_secrets_is_given_to_who_uses_it() -> None:
    """A key may be added, or taken away."""
    source = Source(kafka={"keys": ["a"]})
    source.now = {"kafka": {"keys": ["b", "a"]}}
    assert [{"event": "secrets_renewed", "changed": ["kafka.keys"]}] == await renewed(source)
    assert [["b", "a"]] == source.used


async def test_nothing_changes_if_one_setting_is_wrong() -> None:
    """Half of a change may be worse than none. The log names what is wrong."""
    source = Source(kafka={"password": "old"})
    source.now, source.problems = {"kafka": {"password": "new"}}, ["kafka.keys: is empty", "limits: wrong"]
    reason = "kafka.keys: is empty; limits: wrong"
    assert [{"event": "secrets_not_renewed", "reason": reason}] == await renewed(source)
    assert ("old", []) == (source.password, source.used)
    source.problems = []
    await renewed(source)
    assert ("new", ["new"]) == (source.password, source.used)


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"kafka": {"password": "old", "group": "other"}}, ["kafka.group"]),
        ({"kafka": {}}, ["kafka.password"]),
        ({"kafka": {"password": "old", "keys": ["a"]}}, ["kafka.keys"]),
        ({"kafka": {"password": "old"}, "console": {"password": "x", "group": "x"}}, []),
    ],
)
async def test_what_needs_a_restart_is_named(given: Given, needed: list[str]) -> None:
    """Only of the sections that this process uses; until it is as it was at the start."""
    source = Source(kafka={"password": "old"})
    source.now = given
    for _ in range(2):
        done, *left = await renewed(source)
        assert [] == done["changed"]
        assert [{"event": "restart_needed", "settings": needed}] * bool(needed) == left
    source.now = {"kafka": {"password": "old"}}
    assert 1 == len(await renewed(source))
    assert [] == source.used


async def test_a_part_of_a_section_is_given_whole() -> None:
    """For what is not only secrets: a user changes with its password. Nothing is renewed in its place."""
    source = Source(kafka={"password": "old"})
    parts: list[Part] = []
    source.reload = Reload(source.settings, source.read, ("kafka",), source.hangups)
    source.reload.renews_part("kafka", ("password", "group"), parts.append)
    source.now = {"kafka": {"password": "new", "group": "other"}}
    changed = ["kafka.password", "kafka.group"]
    assert [{"event": "secrets_renewed", "changed": changed}] == await renewed(source)
    assert (["other"], "old") == ([one.group for one in parts], source.password)
    assert [{"event": "secrets_renewed", "changed": []}] == await renewed(source)


async def test_what_can_not_be_used_leaves_the_old_value() -> None:
    """The log says why; the next try uses it."""
    source = Source(kafka={"password": "old"})
    refusing = [True]

    def renew(_: SecretStr) -> None:
        if refusing[0]:
            raise NotRead(["kafka.password: no"])

    source.reload = Reload(source.settings, source.read, ("kafka",), source.hangups)
    source.reload.renews("kafka.password", renew)
    source.now = {"kafka": {"password": "new"}}
    assert [{"event": "secrets_not_renewed", "reason": "kafka.password: no"}] == await renewed(source)
    assert source.has("old")
    refusing[0] = False
    await renewed(source)
    assert source.has("new")


async def test_what_must_stay_needs_a_restart() -> None:
    """Such as the servers in a URI. Its password is renewed all the same."""
    source = Source(kafka={"password": "user@host"})
    source.reload = Reload(source.settings, source.read, ("kafka",), source.hangups)
    source.reload.renews("kafka.password", kept=lambda text: text.partition("@")[2])
    for text, left in (("other@host", []), ("other@elsewhere", ["kafka.password"]), ("user@host", [])):
        source.now = {"kafka": {"password": text}}
        found = await renewed(source)
        assert (left, text) == ([name for one in found[1:] for name in one["settings"]], source.password)


async def test_files_are_read_again_each_time() -> None:
    """They may have changed, although their names have not."""
    source = Source(kafka={"password": "old"})
    source.reload.each_time(lambda: source.used.append("read"))
    await renewed(source)
    await renewed(source)
    assert ["read", "read"] == source.used


async def test_a_bug_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported, and the old values stay."""
    source = Source(kafka={"password": "old"})
    reported: list[BaseException] = []
    monkeypatch.setattr(secrets, "report", reported.append)
    source.now = {"kafka": {"password": 5}}  # an error that nobody has translated
    assert [] == await renewed(source)
    assert ("old", 1) == (source.password, len(reported))


@asynccontextmanager
async def running(source: Source) -> AsyncIterator[Callable[[Callable[[], bool]], Any]]:
    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():  # noqa: ASYNC110 a signal has no event
                await asyncio.sleep(0.01)

    async with source.reload.running():
        yield until


async def test_each_hangup_is_acted_on() -> None:
    """Also one before the loop runs, and one during the work for another."""
    source = Source(kafka={"password": "old"})
    source.now = {"kafka": {"password": "1"}}
    os.kill(os.getpid(), signal.SIGHUP)
    async with running(source) as until:
        await until(partial(source.has, "1"))
        for number in range(2, 5):
            source.now = {"kafka": {"password": str(number)}}
            os.kill(os.getpid(), signal.SIGHUP)
            await until(partial(source.has, str(number)))
    assert ["1", "2", "3", "4"] == source.used
    assert 5 == source.reads, "one for each, and the first"


@pytest.mark.parametrize(
    ("before", "after", "is_ignored", "stops"),
    [(True, False, False, True), (True, True, False, False), (False, False, False, False), (True, False, True, False)],
)
def test_a_closed_terminal_stops_and_a_signal_does_not(
    monkeypatch: pytest.MonkeyPatch, *, before: bool, after: bool, is_ignored: bool, stops: bool
) -> None:
    """A service has no terminal; `nohup` ignores its end."""
    terminals = [before]
    monkeypatch.setattr(hangups_module, "has_terminal", lambda: terminals[-1])
    signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
    hangups = Hangups()
    terminals.append(after)
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *words: killed.append(words))
    hangups.note()
    assert ([(os.getpid(), signal.SIGTERM)] if stops else []) == killed
    assert hangups.asked.is_set() is not stops
