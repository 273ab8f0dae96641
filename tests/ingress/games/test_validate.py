"""The dry run answers what events.record would, and changes nothing."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.games.body import parse_request
from schemas.games.judging import accepted_updates
from schemas.records.envelope import unseal
from schemas.settings import Limits
from tests.examples import examples
from tests.ingress.conftest import running_rig
from tests.ingress.rig import NOW, SIGNING, Answer, Rig, batch, period, token, update

DAY = 86_400_000


async def dry(rig: Rig, body: bytes, **headers: str) -> Answer:
    sent = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await rig.call("POST", "/v1/validate", sent, [body])


async def test_it_says_what_would_count_and_what_would_not_and_does_nothing(rig: Rig) -> None:
    """Nothing published, the id not remembered, nothing in metrics and sample."""
    body = batch(
        period(update(count="3"), update("GONE"), update(count="4")),
        period(update(), start=NOW - 10, end=NOW - 9),
    )
    answer = await dry(rig, body)
    assert 200 == answer.status
    assert (True, [], "0") == (answer.json["valid"], answer.json["violations"], answer.json["shiftMillis"])
    assert [{"definitionId": "LEVEL_UP", "updateCount": "7"}] == answer.json["accepted"]
    assert ["TIME_PERIOD_SHORT"] == [one["failureCause"] for one in answer.json["batchFailures"]]
    assert ["GONE"] == [one["eventId"] for one in answer.json["eventFailures"]]
    await rig.shared.refusals.write()
    assert ([], []) == (rig.topic.records, rig.store.refused)
    assert 0 == rig.metric("refused_total", api="games", cause="NOT_FOUND")
    assert "7" == (await rig.post(body)).json["playerEvents"][0]["numEvents"]
    assert "7" == (await rig.post(body)).json["playerEvents"][0]["numEvents"], "recorded once"


async def test_a_body_that_is_no_batch_is_200_with_its_violations(rig: Rig) -> None:
    """The violations of events.record's 400."""
    body = b'{"requestId":"0","odd":1}'
    answer, recorded = await dry(rig, body), await rig.post(body)
    assert (200, 400) == (answer.status, recorded.status)
    assert not answer.json["valid"]
    assert recorded.json["error"]["details"][0]["fieldViolations"] == answer.json["violations"]
    assert [] == answer.json["accepted"] == answer.json["batchFailures"] == answer.json["eventFailures"]


async def test_b1_all_else_is_refused_as_there(rig: Rig) -> None:
    """B1: the same checks before the body is read."""
    answers = [
        await dry(rig, b"{}", authorization="Bearer nobody"),
        await dry(rig, b"{}", authorization=f"Bearer {token(scope='email')}"),
        await dry(rig, b"{}", content_type="text/html"),
        await dry(rig, b" " * ((1 << 20) + 1)),
    ]
    assert [401, 403, 415, 413] == [answer.status for answer in answers]


async def test_too_large_is_told_as_there() -> None:
    """The whole batch fails, although it is well-formed."""
    answer = await dry(Rig(Limits(max_updates_per_request=1)), batch(period(update(), update())))
    assert answer.json["valid"]
    assert ["TOO_LARGE"] == [one["failureCause"] for one in answer.json["batchFailures"]]


async def test_g17_it_has_a_rate_of_its_own() -> None:
    """G17: neither eats the other's."""
    rig = Rig(Limits(max_requests_per_player=1), apply_seconds=0)
    body = batch(period(update()))
    assert [] == (await dry(rig, body)).json["batchFailures"]
    refused = await dry(rig, body)
    assert ["RECORD_RATE_HIGH"] == [one["failureCause"] for one in refused.json["batchFailures"]]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert [] == (await rig.post(body)).json["batchFailures"]


async def test_g7_a_clock_that_is_wrong_is_told(rig: Rig) -> None:
    """G7: what would be added to every period."""
    answer = await dry(rig, batch(period(update(), end=NOW + DAY), sent_millis=NOW + DAY))
    assert str(-DAY) == answer.json["shiftMillis"]


events = st.sampled_from(["LEVEL_UP", "ENEMY_DEFEATED", "GONE", "", "$x"])
counts = st.sampled_from(["1", "2", "0", "-1", "1000000", "1000001", 3, "007", None])
times = st.sampled_from([NOW, NOW - 1, NOW - 1_000, NOW - DAY, NOW - 31 * DAY, NOW + DAY, 0])
updates = st.builds(update, events, counts)
periods = st.builds(
    lambda ones, start, end: period(*ones, start=start, end=end), st.lists(updates, max_size=4), times, times
)
bodies = st.builds(
    lambda ones, request_id, sent: batch(*ones, request_id=request_id, sent_millis=sent),
    st.lists(periods, max_size=4),
    st.sampled_from(["7", "-7", 7, "0", "x", None]),
    times,
)


@settings(max_examples=examples(150), deadline=None)
@given(bodies)
def test_what_it_accepts_is_what_events_record_publishes(body: bytes) -> None:
    """For any request: the same sums, the same failures, the same violations."""
    asyncio.run(_same(body))


async def _same(body: bytes) -> None:
    async for rig in running_rig(Rig()):
        said, recorded = (await dry(rig, body)).json, await rig.post(body)
        assert said["valid"] == (recorded.status == 200)
        if recorded.status == 200:
            for failures in ("batchFailures", "eventFailures"):
                assert recorded.json[failures] == said[failures]
        assert _published(rig) == {one["definitionId"]: int(one["updateCount"]) for one in said["accepted"]}


def _published(rig: Rig) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for record in rig.topic.records:
        judged = unseal(record.key, record.headers, record.body, NOW, SIGNING).judged
        assert judged is not None
        for one in accepted_updates(parse_request(record.body), judged):
            sums[one.definition_id] += one.update_count
    return dict(sums)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", json.dumps({"requestId": 2**63}).encode()])
async def test_hostile_bodies_are_no_batches(rig: Rig, body: bytes) -> None:
    """They get violations, never a 500."""
    answer: Any = (await dry(rig, body)).json
    assert not answer["valid"]
    assert answer["violations"]
