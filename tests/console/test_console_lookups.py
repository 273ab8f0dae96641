"""The lists and look-ups of the console, on the store in memory and on real MongoDB (Q14, Q15)."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from bson import ObjectId
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from console.config import ConsoleSettings
from console.metrics import QUERIES
from console.mongo import MongoStore
from console.ports import TooSlow, Unavailable
from schemas.analytics.body import identity_at
from schemas.coordinates import Coordinates, PartitionId
from schemas.definitions import Definition
from schemas.documents import (
    CHECKPOINTS,
    DEAD_LETTERS,
    DEFINITIONS,
    EVENTS,
    EXCEPTIONS,
    LINEAGES,
    PLAYERS,
    REFUSALS,
    REQUESTS,
    TITLES,
    utc,
)
from schemas.records.receipt import Receipt, issue_receipt
from schemas.records.signing import SigningKeys
from schemas.request_ids import StoredRequest, packed
from schemas.requirements import indexes
from schemas.settings import KafkaSettings, Limits, MongoSettings
from schemas.wire.console_lists import (
    AppsReply,
    CountedReceiptReply,
    CountedRequestReply,
    DeadLettersReply,
    DefinitionsReply,
    PlayerReply,
    RefusalsReply,
)
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.clock import SystemClock
from tests.console.rig import MIDNIGHT, Answer, Rig, event, read_token
from tests.servers import Servers

Document = dict[str, Any]
REFUSALS_TOKEN = read_token(scope=REFUSALS_SCOPE)
OPERATOR = read_token(scope=f"{READ_SCOPE} {REFUSALS_SCOPE} {OPERATE_SCOPE}")
KEYS = SigningKeys((b"a key of thirty-two characters...",))


@dataclass(frozen=True)
class Held:
    """A console, and a function that puts documents into its store."""

    rig: Rig
    put: Callable[..., Awaitable[None]]

    async def get(self, path: str, bearer: str | None = None, **query: object) -> Answer:
        return await self.rig.get(path, query, bearer)

    async def found(self, path: str, bearer: str | None = None, **query: object) -> Any:  # noqa: ANN401 JSON is any
        answer = await self.get(path, bearer, **query)
        assert 200 == answer.status, answer.body
        return answer.json


@pytest.fixture(params=["memory", pytest.param("mongodb", marks=pytest.mark.real)])
async def held(request: pytest.FixtureRequest) -> AsyncIterator[Held]:
    """Both stores pass the same tests."""
    if request.param == "memory":
        rig = Rig()

        async def remember(collection: str, *documents: Document) -> None:
            rig.store.lookups.put(collection, *documents)

        yield Held(rig, remember)
        return
    servers: Servers = request.getfixturevalue("servers")
    name = f"console-{secrets.token_hex(6)}"
    async with AsyncMongoClient[Document](servers.mongodb, tz_aware=True) as client:
        for index in indexes(KafkaSettings(), Limits()):
            # None expires while the test runs, whatever its time is.
            ttl: dict[str, Any] = {} if index.expire_seconds is None else {"expireAfterSeconds": 10**9}
            await client[name][index.collection].create_index(index.key, name=index.name, **ttl)
        store = MongoStore(MongoSettings(uri=SecretStr(servers.mongodb), database=name), ConsoleSettings())

        async def insert(collection: str, *documents: Document) -> None:
            await client[name][collection].insert_many([dict(one) for one in documents])

        yield Held(Rig(store), insert)
        await store.close()
        await client.drop_database(name)


def definition(name: str, app: str = "demo", **changed: object) -> Document:
    texts: Any = {"default_language": "en", "names": {"en": name}, "declared_at": utc(MIDNIGHT), **changed}
    return dict(Definition(app=app, definition_id=name, **texts).document())


def player_document(player: str, app: str = "demo", **totals: int) -> Document:
    return {"_id": f"{app}/{player}", "totals": totals, "updatedAt": utc(MIDNIGHT)}


def refusal(number: int, cause: str = "NOT_FOUND", app: str = "demo", player: str = "ann") -> Document:
    return {
        "_id": ObjectId(f"{number:024x}"),
        "app": app,
        "player": player,
        "cause": cause,
        "field": "requestId",
        "firstBytes": b"\xffx",
        "requestId": number if number % 2 else None,
        "at": utc(MIDNIGHT + number),
    }


def dead_letter(offset: int, key: bytes | None = b"demo/ann", **changed: object) -> Document:
    found: Document = {"value": b"12345", "headers": [], "key": key, "reason": "not readable: at server 10.0.0.1"}
    return {"_id": f"r1/03/{offset}", "at": utc(MIDNIGHT + offset), **found, **changed}


def lineage(name: str, generation: int = 1, topic: str = "records") -> Document:
    return {"_id": name, "topic": topic, "generation": generation}


async def pages(held: Held, path: str, key: str, bearer: str | None = None, **query: object) -> list[Any]:
    """The items on all pages of two."""
    items: list[Any] = []
    token: str | None = None
    for _ in range(50):
        page = await held.found(path, bearer, limit=2, pageToken=token, **query)
        assert len(page[key]) <= 2
        items += page[key] if isinstance(page[key], list) else page[key].items()
        token = page.get("nextPageToken")
        if token is None:
            return items
    raise AssertionError("the pages have no end")


async def test_q14_operators_see_all_apps_and_a_reader_the_own(held: Held) -> None:
    """Apps of definitions, players and titles, on pages in the order of their ids."""
    await held.put(DEFINITIONS, definition("A"), definition("B"), definition("C", retired_at=utc(MIDNIGHT + 1)))
    await held.put(PLAYERS, player_document("ann"), player_document("bob"), player_document("x", app="demo-2"))
    numbers = {"count": 1, "anonymous": 0}
    await held.put(TITLES, {"_id": "demo", **numbers}, {"_id": "demo/Started"}, {"_id": "z9", **numbers})
    await held.put(TITLES, {"_id": "web/a/b"}, {"_id": "web", **numbers})
    demo = {"app": "demo", "definitions": 2, "counted": ["games", "analytics"]}
    others = [{"app": "demo-2", "definitions": 0, "counted": ["games"]}]
    others += [{"app": "web", "definitions": 0, "counted": ["analytics"]}]
    assert [others[0], demo, others[1]] == await pages(held, "/v1/apps", "apps", OPERATOR)
    own = await held.found("/v1/apps")
    assert ([demo], "counted") == (own["apps"], own["basis"])
    AppsReply.model_validate(own)
    assert [others[1]] == (await held.found("/v1/apps", OPERATOR, app="web"))["apps"]


async def test_q14_definitions_are_those_of_the_app_retired_ones_too(held: Held) -> None:
    """By id, and with what an operator has declared."""
    retired = definition("B", retired_at=utc(MIDNIGHT + 5), visibility="HIDDEN", children=("A",))
    await held.put(DEFINITIONS, definition("A"), retired, definition("C"), definition("D", app="demo2"))
    found = await pages(held, "/v1/definitions", "definitions")
    assert ["A", "B", "C"] == [one["definitionId"] for one in found]
    assert "2026-11-23T00:00:00.005Z" == found[1]["retiredAt"]
    DefinitionsReply.model_validate(await held.found("/v1/definitions"))
    assert ["D"] == [
        one["definitionId"] for one in (await held.found("/v1/definitions", OPERATOR, app="demo2"))["definitions"]
    ]


async def test_q14_refusals_have_samples_newest_first_and_the_number_of_each_cause(held: Held) -> None:
    """Of the own app, by cause or player."""
    await held.put(
        REFUSALS, *(refusal(n, ("NOT_FOUND", "TOO_LARGE")[n % 4 == 0], player="ab"[n % 2]) for n in range(7))
    )
    await held.put(REFUSALS, refusal(90, app="other"))
    found = await pages(held, "/v1/refusals", "refusals", REFUSALS_TOKEN)
    assert [f"{n:024x}" for n in range(6, -1, -1)] == [one["id"] for one in found]
    first = await held.found("/v1/refusals", REFUSALS_TOKEN)
    assert ("refused", "demo") == (first["basis"], first["app"])
    assert [{"cause": "NOT_FOUND", "samples": 5}, {"cause": "TOO_LARGE", "samples": 2}] == first["causes"]
    assert ("\\xffx", "5", None) == (found[1]["firstBytes"], found[1]["requestId"], found[0]["requestId"])
    RefusalsReply.model_validate(first)
    large = await held.found("/v1/refusals", REFUSALS_TOKEN, cause="TOO_LARGE", player="a")
    assert [4, 0] == [int(one["id"], 16) for one in large["refusals"]]
    everyones = await held.found("/v1/refusals", OPERATOR)
    assert (8, None) == (len(everyones["refusals"]), everyones["app"])


async def test_q14_dead_letters_say_where_they_were_and_why(held: Held) -> None:
    """Newest first. Only operators see those of other apps, those without an app, and a whole reason."""
    cut = {"bytes": 2**31, "sha256": "", "headers": 0}
    await held.put(LINEAGES, lineage("r1"))
    await held.put(
        DEAD_LETTERS, *(dead_letter(n) for n in range(4)), dead_letter(5, b"demo2/ann"), dead_letter(6, None)
    )
    await held.put(DEAD_LETTERS, dead_letter(7, b"\xff/", reason="too large", cut=cut), dead_letter(8, b"none"))
    await held.put(DEAD_LETTERS, dead_letter(9, redriven=utc(MIDNIGHT)))
    own = await pages(held, "/v1/dead-letters", "deadLetters", REFUSALS_TOKEN)
    assert [9, 3, 2, 1, 0] == [one["offset"] for one in own]
    assert {
        "id": "r1/03/3",
        "topic": "records",
        "lineage": "r1",
        "partition": 3,
        "offset": 3,
        "app": "demo",
        "player": "ann",
        "cause": "not readable",
        "reason": "not readable",
        "at": "2026-11-23T00:00:00.003Z",
        "bytes": 5,
        "cut": False,
        "redriven": None,
    } == own[1]
    everyones = await pages(held, "/v1/dead-letters", "deadLetters", OPERATOR)
    assert [9, 8, 7, 6, 5, 3, 2, 1, 0] == [one["offset"] for one in everyones]
    assert ("not readable: at server 10.0.0.1", None) == (everyones[1]["reason"], everyones[1]["app"])
    assert (2**31, True) == (everyones[2]["bytes"], everyones[2]["cut"])
    reply = await held.found("/v1/dead-letters", OPERATOR, cause="not readable", redriven="false")
    assert ([8, 6, 5, 3, 2, 1, 0], "accepted") == ([one["offset"] for one in reply["deadLetters"]], reply["basis"])
    assert [9] == [
        one["offset"] for one in (await held.found("/v1/dead-letters", OPERATOR, redriven="true"))["deadLetters"]
    ]
    DeadLettersReply.model_validate(reply)


async def test_q15_a_player_has_totals_on_pages_and_an_unknown_one_is_404(held: Held) -> None:
    """Also a player who has only analytics events, and one whose name needs escapes in a path."""
    await held.put(
        PLAYERS, player_document("a b", LEVEL_UP=3, COIN=2**60, BOSS=1, NONE=0), player_document("x", "other", A=1)
    )
    await held.put(EVENTS, event("1", MIDNIGHT, "~web"))
    found = await held.found("/v1/players/a b")
    assert {"BOSS": 1, "COIN": 2**60, "LEVEL_UP": 3} == found["totals"]
    assert ("counted", False, "2026-11-23T00:00:00.000Z") == (found["basis"], found["hasEvents"], found["updatedAt"])
    assert [("BOSS", 1), ("COIN", 2**60), ("LEVEL_UP", 3)] == await pages(held, "/v1/players/a b", "totals")
    PlayerReply.model_validate(found)
    web = await held.found("/v1/players/~web")
    assert ({}, True, None) == (web["totals"], web["hasEvents"], web["updatedAt"])
    for path, bearer, app in (("nobody", None, None), ("x", None, None), ("a b", OPERATOR, "other")):
        answer = await held.get(f"/v1/players/{path}", bearer, app=app)
        assert (404, "notFound") == (answer.status, answer.reason)
    assert {"A": 1} == (await held.found("/v1/players/x", OPERATOR, app="other"))["totals"]


async def test_q15_a_request_says_when_and_where_it_counted(held: Held) -> None:
    """Of an id that counted twice, after the dedupe window, the newer one."""
    ids = {f"demo/ann/{n}": StoredRequest(MIDNIGHT + n, 1, 100 + n) for n in range(-3, 600) if n}
    await held.put(REQUESTS, *packed(PartitionId("r1", 3), ids))
    await held.put(REQUESTS, *packed(PartitionId("r2", 0), {"demo/ann/7": StoredRequest(MIDNIGHT + 9_000, 1, 5)}))
    found = await held.found("/v1/requests/8", player="ann")
    where = {"lineage": "r1", "partition": 3, "offset": 108}
    about = {
        "basis": "counted",
        "app": "demo",
        "player": "ann",
        "source": "games",
        "requestId": "8",
        "state": "applied",
    }
    assert {**about, "at": "2026-11-23T00:00:00.008Z", **where} == found
    CountedRequestReply.model_validate(found)
    again = await held.found("/v1/requests/7", player="ann")
    assert ("r2", 0, 5) == (again["lineage"], again["partition"], again["offset"])
    assert 97 == (await held.found("/v1/requests/-3", player="ann"))["offset"]
    for path, bearer, query in (
        ("999", None, {"player": "ann"}),
        ("8", None, {"player": "bob"}),
        ("8", OPERATOR, {"player": "ann", "app": "other"}),
        ("8", None, {"player": "ann", "source": "analytics"}),
    ):
        assert 404 == (await held.get(f"/v1/requests/{path}", bearer, **query)).status


async def test_q15_a_pool_is_found_by_its_first_valid_event(held: Held) -> None:
    """By the identity that a worker gives it; the first event may have been invalid."""
    identity = identity_at("demo/ann", "pool-7", 2)
    await held.put(EVENTS, event(identity, MIDNIGHT, **{"from": "r1/00/41"}))
    found = await held.found("/v1/requests/pool-7", player="ann", source="analytics")
    assert ("2026-11-23T00:00:00.000Z", 0, 41) == (found["at"], found["partition"], found["offset"])


@pytest.mark.parametrize(
    ("path", "query", "fields"),
    [
        ("/v1/requests/0", {}, ["player", "requestId"]),
        ("/v1/requests/07", {"player": "a/b", "sauce": "x"}, ["sauce", "player", "requestId"]),
        ("/v1/requests/9223372036854775808", {"player": "ann"}, ["requestId"]),
        ("/v1/requests/7", {"player": "ann", "source": "x"}, ["source"]),
        (f"/v1/requests/{'x' * 129}", {"player": "ann", "source": "analytics"}, ["requestId"]),
        (f"/v1/players/{'x' * 129}", {"limit": "0"}, ["player", "limit"]),
        ("/v1/apps", {"limit": "x", "app": "a/b"}, ["app", "limit"]),
        ("/v1/refusals", {"player": "a/b", "pageToken": "x"}, ["player"]),
        ("/v1/dead-letters", {"redriven": "maybe", "limit": "0", "from": "1"}, ["from", "redriven", "limit"]),
        ("/v1/definitions", {"pageToken": "x"}, ["pageToken"]),
    ],
)
async def test_q3_every_wrong_parameter_of_a_look_up_is_named(
    path: str, query: dict[str, str], fields: list[str]
) -> None:
    """In one reply."""
    answer = await Rig().get(path, query, OPERATOR)
    assert (400, sorted(fields)) == (answer.status, sorted(answer.fields))


@pytest.mark.parametrize("request_id", ["9223372036854775807", "-9223372036854775808"])
async def test_q15_any_int64_can_be_asked_for(request_id: str) -> None:
    """As G3 has them."""
    assert 404 == (await Rig().get(f"/v1/requests/{request_id}", {"player": "ann"})).status


def receipt_of(offset: int, partition: int = 3, lineage_: str = "r1", age_seconds: float = 0) -> str:
    issued = SystemClock().wall_millis() - int(age_seconds * 1000)
    return issue_receipt(Receipt(Coordinates(lineage_, partition, offset), issued, MIDNIGHT + offset), KEYS)


def checkpoint(next_: int, partition: str = "r1/03") -> Document:
    return {"_id": partition, "next": next_, "last": {"offset": next_ - 1, "timestamp": MIDNIGHT + next_ - 1, "crc": 1}}


def exception(offset: int, fate: str, cause: str, app: str | None = "demo") -> Document:
    return {"_id": f"r1/03/{offset}", "fate": fate, "cause": cause, "app": app, "at": utc(MIDNIGHT + offset)}


async def test_q15_a_receipt_says_where_its_record_is_and_whether_it_counts(held: Held) -> None:
    """By the checkpoint, and by what `exceptions` says."""
    await held.put(LINEAGES, lineage("r1"), lineage("a1", 1, "other"), lineage("a2", 2, "other"))
    await held.put(CHECKPOINTS, checkpoint(10))
    await held.put(
        EXCEPTIONS,
        exception(1, "duplicate", "ALREADY_UPDATED"),
        exception(2, "refused", "NOT_FOUND"),
        exception(3, "dead", "not readable: at server 10.0.0.1", None),
        exception(4, "refused", "NOT_FOUND", "other"),
        {**exception(5, "refused", "NOT_FOUND"), "at": utc(MIDNIGHT + 99)},
    )
    text = receipt_of(0)
    found = await held.found(f"/v1/receipts/{text}")
    where = {"topic": "records", "lineage": "r1", "partition": 3, "offset": 0}
    state = {"counted": True, "state": "applied", "cause": None, "issuedAt": found["issuedAt"]}
    assert {"basis": "accepted", "receipt": text, **where, **state, "appendedAt": "2026-11-23T00:00:00.000Z"} == found
    CountedReceiptReply.model_validate(found)

    async def fate(offset: int, bearer: str | None = None) -> tuple[bool, str, str | None]:
        one = await held.found(f"/v1/receipts/{receipt_of(offset)}", bearer)
        return one["counted"], one["state"], one["cause"]

    assert (False, "pending", None) == await fate(10)
    assert (True, "duplicate", "ALREADY_UPDATED") == await fate(1)
    assert (False, "refused", "NOT_FOUND") == await fate(2)
    assert (False, "dead", "not readable") == await fate(3)
    assert (False, "pending", None) == await fate(5), "it is of another record: the log was cut, and written anew"
    assert 404 == (await held.get(f"/v1/receipts/{receipt_of(4)}")).status, "of another app"
    assert (False, "refused", "NOT_FOUND") == await fate(4, OPERATOR)
    assert (410, "gone") == await failure(held, receipt_of(0, 0, "a1")), "its lineage is not the newest"
    assert "pending" == (await held.found(f"/v1/receipts/{receipt_of(0, 0, 'a2')}"))["state"]
    assert (410, "gone") == await failure(held, receipt_of(0, 0, "r9")), "its lineage is unknown"
    for wrong in ("x", "r1.3.7", text[:-1], f"{text}0", "7"):
        assert (404, "notFound") == await failure(held, wrong)


async def failure(held: Held, text: str) -> tuple[int, str]:
    answer = await held.get(f"/v1/receipts/{text}")
    return answer.status, answer.reason


async def test_q15_an_old_receipt_without_an_exception_is_410(held: Held) -> None:
    """What `exceptions` said may have expired, so it is not known to be applied."""
    await held.put(LINEAGES, lineage("r1"))
    await held.put(CHECKPOINTS, checkpoint(10))
    await held.put(EXCEPTIONS, exception(1, "duplicate", "ALREADY_UPDATED"))
    held.rig.store.lookups.kept_seconds = 10**9
    assert (410, "gone") == await failure(held, receipt_of(0, age_seconds=10**9 - 59))
    assert "applied" == (await held.found(f"/v1/receipts/{receipt_of(0, age_seconds=10**9 - 70)}"))["state"]
    assert "duplicate" == (await held.found(f"/v1/receipts/{receipt_of(1, age_seconds=10**9)}"))["state"]


PATHS = [
    path.replace("{player}", "ann").replace("{requestId}", "7").replace("{receipt}", receipt_of(1)) for path in QUERIES
]
RANGE = {"source": "games", "from": MIDNIGHT, "to": MIDNIGHT + 1, "actor": "ann", "player": "ann"}
KNOWN = {
    "/v1/counts": ("source", "from", "to"),
    "/v1/events": ("actor",),
    "/v1/requests/7": ("player",),
}


def query_of(path: str) -> dict[str, object]:
    return {name: RANGE[name] for name in KNOWN.get(path, ())}


@pytest.mark.parametrize("path", PATHS)
async def test_q2_another_app_is_403_on_every_route_but_not_for_operators(path: str) -> None:
    """And a token needs the scope of the route."""
    own = REFUSALS_TOKEN if path in ("/v1/refusals", "/v1/dead-letters") else read_token()
    refused = await Rig().get(path, query_of(path) | {"app": "other"}, own)
    assert (403, "insufficientPermissions") == (refused.status, refused.reason)
    assert (await Rig().get(path, query_of(path) | {"app": "other"}, OPERATOR)).status in (200, 404, 410)
    lacking = await Rig().get(path, query_of(path), read_token(scope=OPERATE_SCOPE))
    assert (403, "insufficientPermissions") == (lacking.status, lacking.reason)
    wrong_scope = read_token() if own is REFUSALS_TOKEN else REFUSALS_TOKEN
    assert 403 == (await Rig().get(path, query_of(path), wrong_scope)).status


@pytest.mark.parametrize("path", PATHS)
async def test_q9_every_route_waits_for_its_turn_and_is_measured(path: str) -> None:
    """503 if MongoDB is unavailable, 504 if it takes too long."""
    rig = Rig()
    for failure_, status in ((Unavailable, 503), (TooSlow, 504)):
        rig.store.failure = failure_
        assert status == (await rig.get(path, query_of(path), OPERATOR)).status
    route = QUERIES[PATHS.index(path)]
    registry = rig.metrics.registry
    assert 2 == registry.get_sample_value("tallymill_console_query_seconds_count", {"route": route})
    labels = {"route": route, "code": "503"}
    assert 1 == registry.get_sample_value("tallymill_console_requests_total", labels)


@pytest.mark.parametrize("path", ["/v1/players/", "/v1/players", "/v1/players/a/b", "/v1/receipts/", "/v1/apps/x"])
async def test_q10_a_path_with_no_value_or_with_two_is_404(path: str) -> None:
    """A slash ends the value."""
    assert 404 == (await Rig().get(path)).status
