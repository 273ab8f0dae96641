"""What `tallymill up` prints when the system is ready: addresses, and commands to paste."""

import json
import secrets
import time

from ops.local.state import State, mongodb_text

DEMO_APP = "demo"
DEMO_PLAYER = "player-1"
DEMO_EVENT = "LEVEL_UP"
MINUTE_MS = 60_000


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
    return "\n".join(f"  {name:<10}{where}" for name, where in lines if where)


def welcome_text(state: State, token: str, read_token: str) -> str:
    """Addresses and curl commands. The first one counts once, also if it is run twice (ALREADY_UPDATED)."""
    now_ms = time.time_ns() // 1_000_000
    ingress, console = state.ingress.address or "", state.console.address or ""
    body = demo_body(secrets.randbelow(1 << 53), now_ms)
    return (
        f"{addresses_text(state)}\n\n"
        f"Record an event (run it twice: it counts once):\n\n{curl_line(ingress, token, body)}\n\n"
        f"List the events that can be recorded:\n\n{list_line(ingress, token)}\n\n"
        f"Query the counts:\n\n{counts_line(console, read_token, now_ms)}\n"
    )
