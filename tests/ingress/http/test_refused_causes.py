"""Each series of `refused_total` can move, and no other does: every API's causes are provoked here.

A series that never moves would tell an operator that something does not happen which nobody counts.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from structlog.testing import capture_logs

from ingress.http.refused_causes import CAUSES, RouteApi
from ingress.memory import MemoryRecord
from ingress.ports import Rejection
from schemas.canary import CANARY_APP
from schemas.coordinates import Coordinates
from schemas.records.receipt import Receipt, issue_receipt
from schemas.settings import Limits
from serving.http.unparsed import BY_STATUS, extensions_of
from serving.tokens.identity import Unchecked
from tests.consumer.core.analytics.test_stored import LARGE
from tests.ingress.rig import GAMES, KEPT_SECONDS, NOW, RECORD, SIGNING, Rig, batch, period, token, update
from tests.samples import item, pool

ADD, VALIDATE, SESSIONS = "/AddEventBatch", "/v1/validate", "/v1/sessions"
JSON: Final = {"content-type": "application/json"}
EDITOR: Final = {"content-type": "application/json", "authorization": f"Bearer {token()}"}
ANY_BODY: Final = {RECORD: batch(period(update())), ADD: pool(item()), VALIDATE: batch(period(update()))}

Seen = set[tuple[RouteApi, str]]


def moved(rig: Rig) -> Seen:
    """The series that are above 0."""
    families = rig.shared.metrics.registry.collect()
    samples = (s for f in families if f.name == "tallymill_ingress_refused" for s in f.samples)
    return {(s.labels["api"], s.labels["cause"]) for s in samples if s.value}  # type: ignore[misc]  # the label's values


def bearer(**claims: object) -> dict[str, str]:
    return {**JSON, "authorization": f"Bearer {token(**claims)}"}


async def unparsed(path: str) -> Seen:
    """What the HTTP parser refuses."""
    rig = Rig(apply_seconds=0)
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    for refusal in BY_STATUS.values():
        await rig.app({**scope, "extensions": extensions_of(refusal)}, _gone, _ignored)
    return moved(rig)


async def _gone() -> dict[str, str]:
    """A client that sends no more. The reply waits for the rest of a body, up to seconds."""
    return {"type": "http.disconnect"}


async def _ignored(_message: Mapping[str, object]) -> None:
    """A client that reads nothing."""


async def heads(path: str) -> Seen:
    """What the head of a request shows."""
    rig = Rig(apply_seconds=0)
    await rig.call("DELETE", path, EDITOR)
    await rig.call("POST", path, {**EDITOR, "content-length": "99999999"})
    await rig.call("POST", path, {**EDITOR, "content-type": "multipart/mixed"}, [ANY_BODY[path]])
    await rig.call("POST", path, {**EDITOR, "content-encoding": "x"}, [ANY_BODY[path]])
    await rig.call("POST", path, JSON, [ANY_BODY[path]])
    await rig.call("POST", path, {**JSON, "authorization": "Bearer x.y.z"}, [ANY_BODY[path]])
    await rig.call("POST", path, bearer(app=CANARY_APP), [ANY_BODY[path]])
    form = {**EDITOR, "x-http-method-override": "GET", "content-length": "2"}
    for one in (RECORD, "/v1/limits") if path != ADD else ():
        await rig.call("POST", one, form, [b"{}"])
    await rig.call("POST", path if path != VALIDATE else SESSIONS, EDITOR, [b"{"])
    return moved(rig)


async def bounds(path: str) -> Seen:
    """Too late, no room, too often, and a token that can't be checked."""
    late, busy, unchecked = Rig(body_seconds=0.01), Rig(body_bytes_held=4_096), Rig(apply_seconds=0)
    often = Rig(apply_seconds=0, max_requests_per_address=1)
    await late.call("POST", path, EDITOR, [b"{"], ends=False)
    await busy.call("POST", path, EDITOR, [b"x" * 5_000], ends=False)
    for _ in range(2):
        await often.call("POST", path, EDITOR, [ANY_BODY[path]])

    async def unknown(*_: object) -> None:
        raise Unchecked("not now")

    unchecked.tokens._verified = unknown  # type: ignore[assignment]  # stands in for it
    await unchecked.call("POST", path, EDITOR, [ANY_BODY[path]])
    return moved(late) | moved(busy) | moved(often) | moved(unchecked)


async def broken(path: str) -> Seen:
    """Kafka or MongoDB is away, or there is a bug."""
    away, bug = Rig(apply_seconds=0), Rig(apply_seconds=0)
    away.topic.away = away.analytics_topic.away = True
    away.store.away = path == VALIDATE
    await away.call("POST", path, EDITOR, [ANY_BODY[path]])
    bug.definitions._apps = {"demo": "a bug"}  # type: ignore[assignment]  # on purpose
    bug.analytics_topic.publish = None  # type: ignore[assignment,method-assign]  # the same
    await bug.call("POST", path, EDITOR, [ANY_BODY[path]])
    return moved(away) | moved(bug)


async def games_tokens() -> Seen:
    rig = Rig(apply_seconds=0)
    await rig.call("POST", RECORD, bearer(scope="email"), [ANY_BODY[RECORD]])
    await rig.call("POST", RECORD, bearer(anonymous=True), [ANY_BODY[RECORD]])
    await rig.call("GET", RECORD, bearer(scope="email"))
    rig.store.away = True
    await rig.call("GET", RECORD, EDITOR)
    return moved(rig)


async def games_batches() -> Seen:
    """Each cause of a batch, a period and an update."""
    rig, small = (
        Rig(apply_seconds=0),
        Rig(Limits(max_updates_per_request=1, max_requests_per_player=1), apply_seconds=0),
    )
    old = NOW - 40 * 86_400_000
    await rig.record(
        period(update(), start=NOW - 10, end=NOW - 9),
        period(update(), start=NOW - 90_000_000, end=NOW - 1_000),
        period(update(), start=old, end=old + 60_000),
        period(update("NOBODY_KNOWS"), update(count="0")),
    )
    await small.record(period(update(), update()))
    for number in range(2):
        await small.record(period(update()), request_id=str(number + 1))
    return moved(rig) | moved(small)


def dead(rig: Rig, lineage: str) -> Callable[[MemoryRecord], None]:
    """A worker that can't read any record."""
    return lambda record: rig.store.pass_over(
        Coordinates(lineage, record.partition, record.offset), Rejection("dead", "not readable")
    )


async def outcomes(rig: Rig) -> Seen:
    """What only a worker knows. `rig`: its watches run."""
    await rig.add(pool(item(), {"Event": "no time"}), f"{ADD}?partial=true")
    await rig.add(pool(item("A"), requestId="7"))
    await rig.add(pool(item("B"), requestId="7"))
    rig.topic._heard, rig.analytics_topic._heard = dead(rig, "r1"), dead(rig, "r2")
    await rig.add(pool(item("C")))
    await rig.record(period(update()), request_id="9")
    return moved(rig)


async def analytics_limits() -> Seen:
    large = Rig()
    await large.add(b'{"x":[' + b"1," * 600_000 + b"1]}")
    await large.add(LARGE)
    strict, few = Rig(anonymous_apps=()), Rig(Limits(max_items_per_request=1))
    fast = Rig(Limits(max_requests_per_player=1), apply_seconds=0)
    await strict.add(pool(item()), bearer=token(anonymous=True))
    await few.add(pool(item(), item()))
    for _ in range(2):
        await fast.add(pool(item()))
    return moved(large) | moved(strict) | moved(few) | moved(fast)


async def other_routes() -> Seen:
    rig = Rig(apply_seconds=0)
    await rig.call("GET", "/nowhere")
    await rig.call("POST", SESSIONS, JSON, [b'{"app": "another"}'])
    await rig.call("POST", VALIDATE, bearer(scope="email"), [ANY_BODY[VALIDATE]])
    await rig.call("POST", VALIDATE, bearer(anonymous=True), [ANY_BODY[VALIDATE]])
    await rig.call("GET", "/v1/refusals", bearer(scope=GAMES))
    await rig.call("GET", "/v1/requests/77", EDITOR)
    await rig.call("GET", "/v1/receipts/x")
    receipt = Receipt(Coordinates("r1", 0, 1), NOW - KEPT_SECONDS * 2_000, None)
    await rig.call("GET", f"/v1/receipts/{issue_receipt(receipt, SIGNING)}")
    rig.store.away = True
    await rig.call("GET", "/v1/requests/77", EDITOR)
    return moved(rig)


PROVOKED: Final[tuple[Callable[[], Awaitable[Seen]], ...]] = (
    games_tokens,
    games_batches,
    analytics_limits,
    other_routes,
)


async def test_each_cause_that_is_declared_can_move_and_no_other(rig: Rig) -> None:
    """Of each API, and of the routes of neither."""
    with capture_logs():
        seen = await provoked(rig)
    declared = {(api, cause) for api, causes in CAUSES.items() for cause in causes}
    assert (set(), set()) == (declared - seen, seen - declared)


async def provoked(rig: Rig) -> Seen:
    seen = await outcomes(rig)
    for path in (RECORD, ADD, VALIDATE):
        for provoke in (unparsed, heads, bounds, broken):
            seen |= await provoke(path)
    for own in PROVOKED:
        seen |= await own()
    return seen
