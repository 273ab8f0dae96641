"""Keeps the child processes running: one that ends is started again, and a line says so."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ops.local.restart import FORGIVEN_SECONDS, restart_delay_seconds
from ops.local.servers.processes import Child, Children, Program
from ops.local.state import Run


@dataclass(slots=True)
class Watched:
    """A program that must run: its process, and the times of its recent ends."""

    program: Program
    child: Child | None
    deaths: list[float] = field(default_factory=list)
    due: float = 0  # while there is no child: when the next one is started
    restarts: int = 0


class Watch:
    """The children of one system, in the order they were started."""

    def __init__(
        self, children: Children, say: Callable[[str], None], warn: Callable[[str], None] | None = None
    ) -> None:
        self._children = children
        self._say = say
        self._warn = warn or say
        self._watched: dict[str, Watched] = {}

    def add(self, child: Child) -> None:
        self._watched[child.program.name] = Watched(child.program, child)

    def pid(self, name: str) -> int | None:
        """The process id of a child, None while it is down or if it is not ours."""
        watched = self._watched.get(name)
        return watched.child.pid if watched and watched.child else None

    def runs(self) -> dict[str, Run]:
        """Since when each child runs, and how often it was started again. One that is down has no start."""
        return {
            name: Run(one.child.started_millis if one.child else None, one.restarts)
            for name, one in self._watched.items()
        }

    def step(self, now: float) -> bool:
        """Check every child once. True if one was started or has ended."""
        changed = [
            self._check(watched, now) for watched in self._watched.values()
        ]  # a list: any() alone would stop at the first
        return any(changed)

    def stop(self, names: Callable[[str], bool]) -> None:
        """Stop the children with these names, in parallel, and don't restart them."""
        chosen = [self._watched.pop(name) for name in tuple(self._watched) if names(name)]
        self._children.stop(watched.child for watched in chosen if watched.child)

    def _check(self, watched: Watched, now: float) -> bool:
        if watched.child is None:
            if now < watched.due:
                return False
            watched.child = self._children.start(watched.program)
            watched.restarts += 1
            self._say(f"{watched.program.name} is started again (pid {watched.child.pid})")
            return True
        status = watched.child.exit_status()
        if status is None:
            return False
        self._children.forget(watched.child)
        watched.child = None
        watched.deaths = [at for at in (*watched.deaths, now) if now - at < FORGIVEN_SECONDS]
        delay = restart_delay_seconds(watched.deaths, now)
        watched.due = now + delay
        self._warn(f"{watched.program.name} ended ({ending(status)}). It starts again in {delay:g} s")
        return True


def ending(status: int) -> str:
    """How a process ended, in words: negative is the signal that killed it."""
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
