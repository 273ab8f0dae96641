"""events.listByPlayer and events.listDefinitions through the whole app, on the store in memory."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingress.games.images import DEFAULT_IMAGE_PATH
from schemas.definitions import DefinitionTerm
from schemas.documents import utc
from schemas.errors.table import Refusal
from tests.examples import examples
from tests.ingress.conftest import running_rig
from tests.ingress.rig import GAMES, NOW, RECORD, Answer, Rig, period, token, update

EVENTS = RECORD
DEFINITIONS = "/games/v1/eventDefinitions"
BOTH = (EVENTS, DEFINITIONS)
PNG = b"\x89PNG\r\n\x1a\n"


def ids(answer: Answer) -> list[str]:
    return [item.get("id") or item["definitionId"] for item in answer.json["items"]]


def fields(answer: Answer) -> list[str]:
    assert answer.status == 400
    error = answer.json["error"]
    assert (error["status"], error["errors"][0]["reason"]) == ("INVALID_ARGUMENT", "badRequest")
    return [one["field"] for one in error["details"][0]["fieldViolations"]]


@pytest.fixture
async def lists(rig: Rig) -> Rig:
    """Six definitions of three kinds. ann has recorded two of them, and bob another."""
    names = {"en": "Boss", "pt-BR": "Chefe"}
    rig.store.declare("demo", "BOSS", names=names, children=("SECRET", "LEVEL_UP"), image_url="https://i.test/b.png")
    rig.store.declare("demo", "SECRET", visibility="HIDDEN")
    rig.store.declare("demo", "OLD", retired_at=utc(NOW))
    rig.store.declare("demo", "NEXT", declared_at=utc(NOW + 1))
    rig.store.players["demo/ann"] = {"OLD": 1_234, "LEVEL_UP": 5, "BOSS": 0}
    rig.store.players["demo/bob"] = {"SECRET": 1}
    await rig.definitions.poll()
    return rig


async def test_g20_listbyplayer_has_what_was_recorded_at_least_once_sorted_by_id(lists: Rig) -> None:
    """A retired event is listed too, but a total of 0 is not."""
    answer = await lists.get(EVENTS)
    assert answer.json == {
        "kind": "games#playerEventListResponse",
        "items": [
            {
                "kind": "games#playerEvent",
                "playerId": "ann",
                "definitionId": event,
                "numEvents": total,
                "formattedNumEvents": written,
            }
            for event, total, written in (("LEVEL_UP", "5", "5"), ("OLD", "1234", "1,234"))
        ],
    }


async def test_g20_listdefinitions_has_what_is_in_force(lists: Rig) -> None:
    """Retired and future definitions are not listed."""
    assert ["BOSS", "ENEMY_DEFEATED", "LEVEL_UP"] == ids(await lists.get(DEFINITIONS))


async def test_g20_a_definition_has_every_field(lists: Rig) -> None:
    """With its own image and its children. A child that the player may not see is left out."""
    first, second, *_ = (await lists.get(DEFINITIONS)).json["items"]
    assert first == {
        "kind": "games#eventDefinition",
        "id": "BOSS",
        "displayName": "Boss",
        "description": "",
        "imageUrl": "https://i.test/b.png",
        "isDefaultImageUrl": False,
        "visibility": "REVEALED",
        "childEvents": [{"kind": "games#eventChild", "childId": "LEVEL_UP"}],
    }
    assert second["childEvents"] == []


async def test_g20_a_hidden_definition_is_shown_to_who_recorded_it(lists: Rig) -> None:
    """Bob sees it, also as a child. ann does not."""
    answer = await lists.get(DEFINITIONS, authorization=f"Bearer {token(sub='bob')}")
    assert ["BOSS", "ENEMY_DEFEATED", "LEVEL_UP", "SECRET"] == ids(answer)
    assert "HIDDEN" == answer.json["items"][-1]["visibility"]
    assert ["SECRET", "LEVEL_UP"] == [child["childId"] for child in answer.json["items"][0]["childEvents"]]
    assert b"SECRET" not in (await lists.get(DEFINITIONS)).body


async def test_g20_a_second_players_totals_cannot_be_read(lists: Rig) -> None:
    """The token names the player. Parameters that name one are ignored."""
    query = "playerId=ann&player=ann&sub=ann"
    answer = await lists.get(EVENTS, query, authorization=f"Bearer {token(sub='bob')}")
    assert [("SECRET", "bob")] == [(item["definitionId"], item["playerId"]) for item in answer.json["items"]]
    other = await lists.get(EVENTS, authorization=f"Bearer {token(app='other')}")
    assert [] == other.json["items"]


async def test_g20_what_was_recorded_is_listed_at_once(lists: Rig) -> None:
    """So is a HIDDEN definition."""
    await lists.record(period(update("SECRET", "3")))
    assert ["LEVEL_UP", "OLD", "SECRET"] == ids(await lists.get(EVENTS))
    assert "SECRET" in ids(await lists.get(DEFINITIONS))


async def test_g20_a_definition_without_an_image_has_a_served_default(lists: Rig) -> None:
    """Under the address that the client used. It needs no token, because image loaders send none."""
    item = (await lists.get(DEFINITIONS)).json["items"][1]
    assert (True, f"http://events.test{DEFAULT_IMAGE_PATH}") == (item["isDefaultImageUrl"], item["imageUrl"])
    image = await lists.call("GET", DEFAULT_IMAGE_PATH)
    assert (200, "image/png", "no-store") == (
        image.status,
        image.headers["content-type"],
        image.headers["cache-control"],
    )
    assert image.body.startswith(PNG)


async def test_g20_the_public_address_goes_before_the_host_header() -> None:
    """Only the settings can know a proxy that adds TLS."""
    async for rig in running_rig(Rig(public_url="https://events.example/base/")):
        item = (await rig.get(DEFINITIONS)).json["items"][0]
        assert f"https://events.example/base{DEFAULT_IMAGE_PATH}" == item["imageUrl"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("a.test:8080", "a.test:8080"), ("[::1]:8080", "[::1]:8080"), ('a"><b>', "localhost"), ("", "localhost")],
)
async def test_g20_a_host_header_comes_back_only_if_it_is_an_address(lists: Rig, host: str, expected: str) -> None:
    """Other text of the header is never repeated in a reply."""
    item = (await lists.get(DEFINITIONS, host=host)).json["items"][1]
    assert f"http://{expected}{DEFAULT_IMAGE_PATH}" == item["imageUrl"]


@pytest.mark.parametrize("path", BOTH)
async def test_g20_a_wrong_parameter_is_400_and_named(lists: Rig, path: str) -> None:
    """Both are named if both are wrong (B2). Unknown parameters are ignored."""
    assert ["maxResults"] == fields(await lists.get(path, "maxResults=0"))
    assert ["pageToken"] == fields(await lists.get(path, "pageToken=abc"))
    assert ["maxResults", "pageToken"] == fields(await lists.get(path, "maxResults=x&pageToken=y"))
    assert 200 == (await lists.get(path, "maxResults=501&unknown=1&language=")).status


async def test_g20_a_page_token_is_good_for_its_player_and_method_alone(lists: Rig) -> None:
    """That of another player is refused like a forged one, without a reason."""
    own = (await lists.get(EVENTS, "maxResults=1")).json["nextPageToken"]
    assert ["OLD"] == ids(await lists.get(EVENTS, f"pageToken={own}"))
    assert ["pageToken"] == fields(await lists.get(DEFINITIONS, f"pageToken={own}"))
    for other in ({"sub": "bob"}, {"app": "other"}):
        assert ["pageToken"] == fields(
            await lists.get(EVENTS, f"pageToken={own}", authorization=f"Bearer {token(**other)}")
        )


async def test_g20_the_last_page_has_no_token(lists: Rig) -> None:
    """The field is absent, not null or empty: clients continue while it is present."""
    assert "nextPageToken" in (await lists.get(EVENTS, "maxResults=1")).json
    assert "nextPageToken" not in (await lists.get(EVENTS, "maxResults=2")).json


async def walk(rig: Rig, path: str, size: int) -> list[str]:
    """The items of all pages, as a client reads them."""
    found: list[str] = []
    query = f"maxResults={size}"
    for _ in range(100):
        answer = await rig.get(path, query)
        found += ids(answer)
        following = answer.json.get("nextPageToken")
        if following is None:
            return found
        query = f"maxResults={size}&pageToken={following}"
    raise AssertionError("a list without end")


@settings(max_examples=examples(25), deadline=None)
@given(
    names=st.sets(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), min_size=1, max_size=12),
    size=st.integers(1, 13),
)
def test_g20_pages_of_any_size_walk_both_lists_once(names: set[str], size: int) -> None:
    """With any ids, in their order."""

    async def run() -> None:
        rig = Rig()
        rig.store.declared.clear()
        rig.store.declare("demo", *names)
        rig.store.players["demo/ann"] = dict.fromkeys(names, 1)
        for path in BOTH:
            assert sorted(names) == await walk(rig, path, size)

    asyncio.run(run())


@pytest.mark.parametrize("path", BOTH)
async def test_b1_the_lists_check_token_then_scope_then_query(lists: Rig, path: str) -> None:
    """Each check alone. The scope games_lite allows only recording."""
    assert 401 == (await lists.get(path, "maxResults=0", authorization="Bearer x")).status
    lite = await lists.get(path, "maxResults=0", authorization=f"Bearer {token(scope=f'{GAMES}_lite')}")
    assert (403, "insufficientPermissions") == (lite.status, lite.json["error"]["errors"][0]["reason"])
    assert lite.json["error"]["message"] == Refusal.FORBIDDEN_LIST.value.message
    lists.store.away = True
    assert ["maxResults"] == fields(await lists.get(path, "maxResults=0"))


@pytest.mark.parametrize("path", BOTH)
async def test_with_mongodb_unavailable_the_lists_are_503(lists: Rig, path: str) -> None:
    """Nothing is guessed, and Retry-After says when to retry."""
    lists.store.away = True
    answer = await lists.get(path)
    assert (503, "UNAVAILABLE", "1") == (answer.status, answer.json["error"]["status"], answer.headers["retry-after"])


@pytest.mark.parametrize("path", BOTH)
async def test_definitions_that_were_never_loaded_are_503(path: str) -> None:
    """They are loaded as soon as MongoDB is available."""
    rig = Rig()
    rig.store.away = True
    assert 503 == (await rig.get(path)).status
    rig.store.away = False
    assert 200 == (await rig.get(path)).status


async def test_g19_texts_come_in_the_language_asked_for(lists: Rig) -> None:
    """By the parameter, or else the header, or else the app's default, for each definition."""

    async def names(query: str = "", **headers: str) -> list[str]:
        answer = await lists.get(DEFINITIONS, query, **headers)
        assert 200 == answer.status
        return [item["displayName"] for item in answer.json["items"]][:2]

    assert ["Chefe", "ENEMY_DEFEATED"] == await names("language=pt-BR")
    assert ["Chefe", "ENEMY_DEFEATED"] == await names(accept_language="de, pt-BR;q=0.5, en;q=0.1")
    assert ["Boss", "ENEMY_DEFEATED"] == await names("language=en", accept_language="pt-BR")
    for language in ("xx", "", "en-US-x-foo", "%01%00", "a" * 5000):
        assert ["Boss", "ENEMY_DEFEATED"] == await names(f"language={language}")


async def test_g19_totals_are_written_for_the_language_and_the_definition(lists: Rig) -> None:
    """In the list and in the reply of events.record."""
    lists.store.declare("demo", "ENEMY_DEFEATED", format="plain")
    await lists.definitions.poll()
    lists.store.players["demo/ann"] |= {"LEVEL_UP": 1_234_560}

    def written(answer: Answer) -> dict[str, str]:
        items: list[dict[str, Any]] = answer.json.get("items") or answer.json["playerEvents"]
        return {item["definitionId"]: item["formattedNumEvents"] for item in items}

    body = period(update(count="7"), update("ENEMY_DEFEATED", "4321"))
    with_header = await lists.record(body, request_id="8", accept_language="hi;q=0.1, ar-EG")
    assert {"LEVEL_UP": "١٬٢٣٤٬٥٦٧", "ENEMY_DEFEATED": "٤٣٢١"} == written(with_header)  # noqa: RUF001 the digits of Egypt
    sent = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    answer = await lists.call("POST", f"{RECORD}?language=hi", sent, [json_batch(body)])
    assert {"LEVEL_UP": "12,34,567", "ENEMY_DEFEATED": "4321"} == written(answer)
    listed = written(await lists.get(EVENTS, "language=de"))
    assert ("1.234.567", "4321", "1.234") == (listed["LEVEL_UP"], listed["ENEMY_DEFEATED"], listed["OLD"])


def json_batch(*periods: dict[str, object]) -> bytes:
    """Sends the batch again: the reply to a duplicate has the totals too (G14)."""
    return json.dumps({"requestId": "8", "currentTimeMillis": str(NOW), "timePeriods": list(periods)}).encode()


async def test_g12_an_event_declared_again_is_listed_again(lists: Rig) -> None:
    """Its earlier terms matter only when periods are judged."""
    earlier = (DefinitionTerm(declared_at=utc(0), retired_at=utc(NOW)),)
    lists.store.declare("demo", "OLD", declared_at=utc(NOW), earlier=earlier)
    await lists.definitions.poll()
    assert "OLD" in ids(await lists.get(DEFINITIONS))


async def test_a_head_request_of_a_list_is_answered(lists: Rig) -> None:
    """Like a GET. The server drops the body."""
    assert 200 == (await lists.call("HEAD", EVENTS, {"authorization": f"Bearer {token()}"})).status
