"""Why an event was dropped: what is noted of requests, and `GET /v1/refusals`."""

from collections.abc import Sequence

import pytest

from ingress.ports import SampledRefusal
from ingress.refusals.recorder import MAX_FIRST_BYTES
from schemas.openapi.routes import ROUTES
from schemas.settings import Limits
from tests.ingress.rig import NOW, RECORD, Answer, Rig, batch, period, token, update

PATH = "/v1/refusals"


async def look(rig: Rig, query: str = "", app: str = "demo", scope: str = "tallymill.refusals") -> Answer:
    bearer = token(app=app, sub="operator", scope=scope)
    return await rig.call("GET", PATH + query, {"authorization": f"Bearer {bearer}"})


async def noted(rig: Rig) -> list[tuple[str, str, bytes]]:
    await rig.shared.refusals.write()
    return [(one.cause, one.field, one.first_bytes) for one in rig.store.refused]


def refused(number: int, app: str = "demo", player: str = "ann", cause: str = "NOT_FOUND") -> SampledRefusal:
    return SampledRefusal(app, player, cause, "", b"%d" % number, number, NOW + number)


def numbers(answer: Answer) -> list[str]:
    return [one["requestId"] for one in answer.json["refusals"]]


async def test_each_cause_of_a_batch_is_noted_once_with_its_first_place(rig: Rig) -> None:
    """With the rejected part as it was read, without the good parts."""
    gone = update("GONE")
    await rig.record(
        period(update(), gone, update("GONE_TOO"), update(count="0")),
        period(update(), start=NOW - 10, end=NOW - 9),
        period(update(), start=NOW - 20, end=NOW - 19),
    )
    assert [
        (
            "TIME_PERIOD_SHORT",
            "timePeriods[1].timePeriod",
            b'{"periodStartMillis":"%d","periodEndMillis":"%d"}' % (NOW - 10, NOW - 9),
        ),
        ("NOT_FOUND", "timePeriods[0].updates[1].definitionId", b'{"definitionId":"GONE","updateCount":"1"}'),
        (
            "INVALID_UPDATE_VALUE",
            "timePeriods[0].updates[3].updateCount",
            b'{"definitionId":"LEVEL_UP","updateCount":"0"}',
        ),
    ] == await noted(rig)
    assert {("demo", "ann", 7, NOW)} == {(o.app, o.player, o.request_id, o.at_millis) for o in rig.store.refused}


async def test_a_whole_refusal_after_the_token_is_noted() -> None:
    """400, 403, 408, 413 and 415, TOO_LARGE and RECORD_RATE_HIGH; with where it is wrong, or the header that is."""
    rig = Rig(Limits(max_updates_per_request=1, max_requests_per_player=1), apply_seconds=0, body_seconds=0.01)
    headers = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    await rig.post(b'{"requestId":"7","odd":1}')
    await rig.post(b"{}", content_type="text/html")
    await rig.post(b" " * ((1 << 20) + 1))
    await rig.call("POST", RECORD, headers, [b"{"], ends=False)
    await rig.post(batch(), authorization=f"Bearer {token(scope='email')}")
    two = batch(period(update(), update()))
    await rig.post(two)
    one = batch(period(update()))
    await rig.post(one)
    await rig.post(one)
    assert [
        ("MALFORMED", "odd", b'{"requestId":"7","odd":1}'),
        ("MEDIA_TYPE", "Content-Type", b"text/html"),
        ("BODY_LARGE", "Content-Length", b""),
        ("BODY_LATE", "", b""),
        ("FORBIDDEN", "", b""),
        ("TOO_LARGE", "timePeriods", two[:MAX_FIRST_BYTES]),
        ("RECORD_RATE_HIGH", "", one[:MAX_FIRST_BYTES]),
    ] == await noted(rig)
    assert [7, None, None, None, None, 7, 7] == [o.request_id for o in rig.store.refused]


async def test_nothing_is_noted_of_who_is_not_known_nor_of_what_is_fine(rig: Rig) -> None:
    """No token, no app to tell it to; an outage refuses nothing."""
    await rig.post(b"{", authorization="Bearer nobody")
    await rig.record(period(update()))
    rig.topic.away = True
    await rig.record(period(update()), request_id="8")
    assert [] == await noted(rig)


async def test_b6_the_token_of_a_request_is_never_noted(rig: Rig) -> None:
    """B6: a client that puts it into the body, too."""
    bearer = token(sub="bob")
    await rig.post(b'{"Token":"' + bearer.encode() + b'"}', authorization=f"Bearer {bearer}")
    ((_, _, kept),) = await noted(rig)
    assert b'{"Token":"***"}' == kept


async def test_mongodb_away_costs_samples_and_no_request_anything(rig: Rig) -> None:
    """The answer has been given before anything is written."""
    rig.store.away = True
    answer = await rig.record(period(update(), start=NOW - 10, end=NOW - 9))
    assert (200, 1) == (answer.status, len(answer.json["batchFailures"]))
    assert [] == await noted(rig)
    assert 1 == rig.metric("refusals_not_kept_total", api="games", reason="away")


async def test_they_are_read_back_newest_first_with_all_that_is_known(rig: Rig) -> None:
    """Bytes as text. Invalid UTF-8 is escaped."""
    await rig.post(b'{"requestId":"7","odd":"\xff"}')
    await rig.record(period(update("GONE")))
    await rig.shared.refusals.write()
    answer = await look(rig)
    assert 200 == answer.status
    assert ["NOT_FOUND", "MALFORMED"] == [one["cause"] for one in answer.json["refusals"]]
    last = answer.json["refusals"][0]
    assert {
        "id": last["id"],
        "at": "2026-09-21T14:13:20.000Z",
        "player": "ann",
        "requestId": "7",
        "cause": "NOT_FOUND",
        "field": "timePeriods[0].updates[0].definitionId",
        "firstBytes": '{"definitionId":"GONE","updateCount":"1"}',
    } == last
    assert '{"requestId":"7","odd":"\\xff"}' == answer.json["refusals"][1]["firstBytes"]
    assert answer.json["refusals"][1]["requestId"] is None, "a body that is no JSON has none"


async def test_g21_a_players_own_token_is_not_enough(rig: Rig) -> None:
    """G21: 403 naming the scope; without a token 401."""
    answer = await look(rig, scope="https://www.googleapis.com/auth/games")
    assert 403 == answer.status
    assert "tallymill.refusals" in answer.json["error"]["message"]
    assert 401 == (await rig.call("GET", PATH)).status


async def test_an_operator_sees_the_tokens_app_alone(rig: Rig) -> None:
    """Whatever the query asks for."""
    rig.store.refused = [refused(1), refused(2, app="other"), refused(3)]
    assert ["3", "1"] == numbers(await look(rig))
    assert ["2"] == numbers(await look(rig, "?app=demo", app="other"))


async def test_they_can_be_had_by_cause_and_by_player(rig: Rig) -> None:
    """Or both."""
    rig.store.refused = [refused(1), refused(2, player="bob"), refused(3, cause="TOO_LARGE"), refused(4, player="bob")]
    assert ["4", "2"] == numbers(await look(rig, "?player=bob"))
    assert ["3"] == numbers(await look(rig, "?cause=TOO_LARGE"))
    assert [] == numbers(await look(rig, "?cause=TOO_LARGE&player=bob"))


async def pages(rig: Rig, limit: int) -> Sequence[list[str]]:
    found, before = [], ""
    while True:
        answer = await look(rig, f"?limit={limit}{before}")
        found.append(numbers(answer))
        if "nextBefore" not in answer.json:
            return found
        before = f"&before={answer.json['nextBefore']}"


async def test_pages_hold_everything_once_and_the_last_one_says_so(rig: Rig) -> None:
    """Also where the last one is full."""
    rig.store.refused = [refused(number) for number in range(1, 5)]
    assert [["4", "3"], ["2", "1"]] == await pages(rig, 2)
    assert [["4", "3", "2"], ["1"]] == await pages(rig, 3)
    rig.store.refused = [refused(number) for number in range(600)]
    assert [500, 100] == [len(page) for page in await pages(rig, 10**6)]
    assert 100 == len(numbers(await look(rig)))


async def test_an_empty_parameter_is_an_absent_one(rig: Rig) -> None:
    """The document allows it. Dashboards send one for a variable that is not set."""
    rig.store.refused = [refused(number) for number in range(1, 5)]
    (described,) = [one for one in ROUTES if one.path == "/v1/refusals"]
    assert described.input.empty_is_absent
    for parameter in described.input.parameters:
        assert ["4", "3", "2", "1"] == numbers(await look(rig, f"?{parameter.name}="))


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?limit=0", ["limit"]),
        ("?limit=x&before=1", ["limit", "before"]),
        ("?cause=nope", ["cause"]),
        ("?player=a/b", ["player"]),
    ],
)
async def test_a_wrong_query_is_400_naming_the_parameter(rig: Rig, query: str, fields: list[str]) -> None:
    """An empty page would look like good news."""
    answer = await look(rig, query)
    assert 400 == answer.status
    assert fields == [one["field"] for one in answer.json["error"]["details"][0]["fieldViolations"]]


async def test_mongodb_away_is_503(rig: Rig) -> None:
    """With Retry-After: an empty page would be a lie."""
    rig.store.away = True
    answer = await look(rig)
    assert (503, "1") == (answer.status, answer.headers["retry-after"])


async def test_the_causes_that_are_counted_are_a_closed_set(rig: Rig) -> None:
    """A client can't create a label."""
    with pytest.raises(KeyError):
        rig.shared.metrics.refused("games", "made up")
