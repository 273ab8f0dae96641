"""Reads secrets again at SIGHUP, so that they can be changed without a restart.

1. All settings are read again. If one is wrong, nothing changes: the old values stay in use, and the log says why.
2. A secret that this process uses is renewed in its place. Whoever connects next, or signs next, uses the new value.
   Connections that are open stay as they are.
3. Other settings that have changed are named in the log: they need a restart.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import BaseModel, SecretStr

from serving.failures import report
from serving.reload.hangups import Hangups

log = structlog.get_logger()

Renew = Callable[[Any], None]
"""Uses a new value. Raises NotRead if it can't; then the old one stays in use."""


class NotRead(Exception):
    """The settings can't be used. Each reason names a setting."""

    def __init__(self, reasons: Collection[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(self.reasons))


@dataclass(frozen=True, slots=True)
class _Renewal:
    """Of a secret, or of several settings of a section. `kept`: what of the value must stay as it was."""

    names: tuple[str, ...]
    renew: Renew
    kept: Callable[[Any], object] = lambda _: None
    section: str | None = None


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
        self._renewals: list[_Renewal] = []
        self._each_time: list[Callable[[], object]] = []

    def renews(self, name: str, renew: Renew = lambda _: None, kept: Callable[[Any], object] = lambda _: None) -> None:
        """A new value of this secret can be used. `renew` is called with it, after it was renewed in its place."""
        self._renewals.append(_Renewal((name,), renew, kept))

    def renews_part(self, section: str, names: Iterable[str], renew: Renew) -> None:
        """New values of these settings of a section can be used. `renew` is called with the section."""
        self._renewals.append(_Renewal(tuple(f"{section}.{name}" for name in names), renew, section=section))

    def each_time(self, check: Callable[[], object]) -> None:
        """Call this after each reading: files that the settings name may have changed. It may raise NotRead."""
        self._each_time.append(check)

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
            settings = await asyncio.to_thread(self._read)
            found = dict(_values(settings))
            changed = [name for one in self._renewals for name in self._renewed(one, found, settings)]
            for check in self._each_time:
                check()
        except NotRead as error:
            log.error("secrets_not_renewed", reason=str(error))  # noqa: TRY400 the reason says it; no traceback
            return
        except Exception as error:  # noqa: BLE001 a bug must not end a process that works
            report(error)
            return
        log.info("secrets_renewed", changed=changed)
        if left := [name for name in found if self._needs_restart(name, _plain(found[name]))]:
            log.warning("restart_needed", settings=left)

    def _renewed(self, renewal: _Renewal, found: Mapping[str, object], settings: BaseModel) -> list[str]:
        """Use new values, if there are. Returns their names. Raises NotRead."""
        changed = [name for name in renewal.names if _plain(found[name]) != self._newest[name]]
        if not changed:
            return []
        if renewal.section:
            renewal.renew(getattr(settings, renewal.section))
        else:
            (name,) = changed
            old, new = self._values[name], found[name]
            if type(old) is not type(new):  # set or unset: the process must be made anew
                return []
            if isinstance(old, SecretStr):
                SecretStr.__init__(old, str(_plain(new)))  # in its place: all who have the setting have this object
            try:
                renewal.renew(new)
            except NotRead:
                if isinstance(old, SecretStr):
                    SecretStr.__init__(old, str(self._newest[name]))
                raise
        self._newest |= {name: _plain(found[name]) for name in changed}
        return changed

    def _needs_restart(self, name: str, value: object) -> bool:
        """Whether a section that is used has a value that is not in use."""
        if name.partition(".")[0] not in self._sections:
            return False
        kept = [one.kept for one in self._renewals if name in one.names]
        if not kept:
            return value != self._started[name]
        if value != self._newest[name] or value is None:
            return value != self._newest[name]
        return any(one(value) != one(self._started[name]) for one in kept)


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
