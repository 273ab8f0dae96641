"""What `tallymill up` prints when the system is ready: addresses, and commands to paste."""

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from ops.local.state import State, mongodb_text

DEMO_APP = "demo"
DEMO_PLAYER = "player-1"
DEMO_EVENT = "LEVEL_UP"
MINUTE_MS = 60_000
_LINK = " within ten minutes (`tallymill link` prints another link)"


def demo_body(request_id: int, now_ms: int) -> dict[str, object]:
    """One LEVEL_UP in the minute before the last full one."""
    end = now_ms - now_ms % MINUTE_MS
    period = {"periodStartMillis": str(end - MINUTE_MS), "periodEndMillis": str(end)}
    updates = [{"definitionId": DEMO_EVENT, "updateCount": "1"}]
    return {
        "requestId": str(request_id),
        "currentTimeMillis": str(now_ms),
        "timePeriods": [{"timePeriod": period, "updates": updates}],
    }


def curl_line(ingress: str, token: str, body: dict[str, object]) -> str:
    """One line that can be pasted into any shell. Nothing in it needs escaping within single quotes."""
    headers = f"-H 'Authorization: Bearer {token}' -H 'Content-Type: application/json'"
    return f"curl -sS {ingress}/games/v1/events {headers} -d '{json.dumps(body)}'"


def list_line(ingress: str, token: str) -> str:
    """The definitions in one of the demo's languages. Quoted, because `&` and `?` are special in a shell."""
    return (
        f"curl -sS '{ingress}/games/v1/eventDefinitions?language=pt-BR&maxResults=3' -H 'Authorization: Bearer {token}'"
    )


def counts_line(console: str, token: str, now_ms: int) -> str:
    """The demo app's counts by the minute, of the hour around now."""
    half = 30 * MINUTE_MS
    query = f"app={DEMO_APP}&source=games&step=minute&from={now_ms - half}&to={now_ms + half}"
    return f"curl -sS '{console}/v1/counts?{query}' -H 'Authorization: Bearer {token}'"


def addresses_text(state: State) -> str:
    """One line for each known address. During the start none is known."""
    lines = [("ingress", state.ingress.address), ("console", state.console.address)]
    lines += [("kafka", state.servers.kafka.address), ("mongodb", mongodb_text(state.servers))]
    lines += [(f"worker-{number}", worker.metrics) for number, worker in enumerate(state.workers, 1)]
    lines += [("canary", state.canary.address), ("prometheus", state.prometheus.address)]
    return "\n".join(f"  {name:<11}{where}" for name, where in lines if where)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Bearer tokens of the demo app: for its ingress, and for the console."""

    ingress: str
    console: str


def welcome_text(state: State, tokens: Tokens | None, page: str | None, stop: str, downloads: Path) -> str:
    """Addresses, and what to open, to paste and to do next. The first command counts once, also if it is run twice.

    Without `tokens`, which another issuer signs, nothing can be pasted. `page`: the link that signs in, if there is
    one. `stop`: how to stop the system. `downloads`: the cache folder. No other folder than these two is written to.
    """
    console = state.console.address or ""
    folders = "\n".join(f"  {name:<11}{folder}" for name, folder in (("data", state.data), ("downloads", downloads)))
    parts = [
        f"{addresses_text(state)}\n{folders}",
        f"Open in a browser{_LINK if page else ''}:\n\n{page or f'{console}/'}",
    ]
    if tokens:
        parts += _to_paste(state.ingress.address or "", console, tokens)
    return "\n\n".join([*parts, f"Stop the system: {stop}\n"])


def _to_paste(ingress: str, console: str, tokens: Tokens) -> list[str]:
    now_ms = time.time_ns() // 1_000_000
    body = demo_body(secrets.randbelow(1 << 53), now_ms)
    return [
        f"Record an event (run it twice: it counts once):\n\n{curl_line(ingress, tokens.ingress, body)}",
        f"List the events that can be recorded:\n\n{list_line(ingress, tokens.ingress)}",
        f"Query the counts:\n\n{counts_line(console, tokens.console, now_ms)}",
    ]
