"""Reads secrets again at SIGHUP, so that they can be changed without a restart.

1. All settings are read again. If one is wrong, nothing changes: the old values stay in use, and the log says why.
2. A secret that this process uses is renewed in its place. Whoever connects next, or signs next, uses the new value.
   Connections that are open stay as they are.
3. Other settings that have changed are named in the log: they need a restart.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from typing import Any

import structlog
from pydantic import BaseModel, SecretStr

from serving.failures import report
from serving.reload.hangups import Hangups

log = structlog.get_logger()

Renew = Callable[[Any], None]
"""Uses a new value: of a list of secrets, or after a secret was renewed in its place."""


class NotRead(Exception):
    """The settings can't be used. Each reason names a setting."""

    def __init__(self, reasons: Collection[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(self.reasons))


class Reload:
    """Of one process. `read`: reads all settings, or raises NotRead. `sections`: those that this process uses."""

    def __init__(
        self, settings: BaseModel, read: Callable[[], BaseModel], sections: Collection[str], hangups: Hangups
    ) -> None:
        self._values = dict(_values(settings))
        self._started = {name: _plain(value) for name, value in self._values.items()}
        self._newest = dict(self._started)
        self._read = read
        self._sections = frozenset(sections)
        self._hangups = hangups
        self._renews: dict[str, Renew] = {}

    def renews(self, name: str, renew: Renew = lambda _: None) -> None:
        """A new value of this secret can be used. `renew` is called with it."""
        self._renews[name] = renew

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Act on SIGHUP as long as the block lasts."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()

    async def run(self) -> None:
        """Act on each SIGHUP. Runs until cancelled."""
        self._hangups.watch()
        while True:
            await self._hangups.asked.wait()
            self._hangups.asked.clear()
            await self.renew()

    async def renew(self) -> None:
        """Read the settings, and use the secrets that have changed. Never raises: the old values stay in use."""
        try:
            found = dict(_values(await asyncio.to_thread(self._read)))
            changed = [name for name in self._renews if self._renewed(name, found[name])]
        except NotRead as error:
            log.error("secrets_not_renewed", reason=str(error))  # noqa: TRY400 the reason says it; no traceback
            return
        except Exception as error:  # noqa: BLE001 a bug must not end a process that works
            report(error)
            return
        log.info("secrets_renewed", changed=changed)
        if left := [name for name in found if self._needs_restart(name, _plain(found[name]))]:
            log.warning("restart_needed", settings=left)

    def _renewed(self, name: str, value: object) -> bool:
        """Use the new value of a secret, if it has one."""
        old, new = self._values[name], _plain(value)
        if new == self._newest[name] or type(value) is not type(old):  # set or unset: the process must be made anew
            return False
        if isinstance(old, SecretStr):
            SecretStr.__init__(old, str(new))  # in its place: all who have the setting have this object
        self._renews[name](value)
        self._newest[name] = new
        return True

    def _needs_restart(self, name: str, value: object) -> bool:
        is_used = name.partition(".")[0] in self._sections
        return is_used and value != (self._newest if name in self._renews else self._started)[name]


def _values(settings: BaseModel) -> Iterator[tuple[str, object]]:
    """Each setting, such as `kafka.sasl_password`."""
    for section, part in settings:
        for name, value in part:
            yield f"{section}.{name}", value


def _plain(value: object) -> object:
    """A value that a renewed secret does not change."""
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    return value.get_secret_value() if isinstance(value, SecretStr) else value
