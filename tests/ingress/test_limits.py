"""Every limit per app: published, and what the app's requests are judged by."""

import json
from typing import Any

import pytest

from schemas.coordinates import Coordinates
from schemas.settings import Limits, LimitSettings
from tests.ingress.rig import NOW, RECORD, Rig, batch, period, token, update


def limits(**demo: object) -> LimitSettings:
    """Everybody's defaults, and limits of `demo`."""
    return LimitSettings.model_validate({"apps": {"demo": demo, "secret-app": {"max_update_count": 3}}})


def causes(answer: Any) -> list[str]:  # noqa: ANN401 JSON is any
    return [failure["failureCause"] for failure in answer["batchFailures"] + answer["eventFailures"]]


async def test_an_apps_limits_are_published_and_no_other_apps() -> None:
    """Flat, as everybody's are; an app that has none has everybody's."""
    rig = Rig(limits(max_update_count=5))
    everybodys = json.loads(Limits().model_dump_json())
    assert everybodys == (await rig.call("GET", "/v1/limits")).json
    assert everybodys | {"max_update_count": 5} == (await rig.call("GET", "/v1/limits?app=demo")).json
    assert everybodys == (await rig.call("GET", "/v1/limits?app=nobody")).json
    assert everybodys == (await rig.call("GET", "/v1/limits?other=1")).json


async def test_an_app_that_cannot_be_has_no_limits(rig: Rig) -> None:
    """400, naming the parameter."""
    answer = await rig.call("GET", "/v1/limits?app=a/b")
    assert 400 == answer.status
    assert ["app"] == [one["field"] for one in answer.json["error"]["details"][0]["fieldViolations"]]


@pytest.mark.parametrize(
    ("own", "sent", "cause"),
    [
        ({"max_updates_per_request": 1}, period(update(), update()), "TOO_LARGE"),
        ({"min_period_seconds": 60}, period(update(), start=NOW - 60_000, end=NOW - 1), "TIME_PERIOD_SHORT"),
        ({"max_period_seconds": 60}, period(update(), start=NOW - 60_001, end=NOW), "TIME_PERIOD_LONG"),
        ({"clock_skew_tolerance_seconds": 1}, period(update(), end=NOW + 1_001), "TIME_PERIOD_LONG"),
        (
            {"max_period_age_seconds": 60},
            period(update(), start=NOW - 90_000, end=NOW - 60_001),
            "TIME_PERIOD_EXPIRED",
        ),
        ({"max_update_count": 5}, period(update(count="6")), "INVALID_UPDATE_VALUE"),
    ],
)
async def test_g6_g8_g13_an_app_is_judged_by_its_own_limits(
    own: dict[str, object], sent: dict[str, object], cause: str
) -> None:
    """G6, G8, G13: and the same batch of another app by everybody's."""
    rig = Rig(limits(**own), apply_seconds=0)
    rig.store.declare("other", "LEVEL_UP")
    assert [cause] == causes((await rig.record(sent)).json)
    other = await rig.record(sent, authorization=f"Bearer {token(app='other')}")
    assert [] == causes(other.json)
    assert [b"other/ann"] == [record.key for record in rig.topic.records]


async def test_g7_a_clock_is_ahead_by_the_apps_own_tolerance() -> None:
    """G7: two seconds ahead are shifted where one is tolerated."""
    rig = Rig(limits(clock_skew_tolerance_seconds=1), apply_seconds=0)
    body = batch(period(update(), end=NOW + 2_000), sent_millis=NOW + 2_000)
    assert [] == causes((await rig.post(body)).json)


async def test_g17_an_apps_rate_is_its_own_with_its_own_wait() -> None:
    """G17: Retry-After is the rest of the app's window. The id is not remembered, so a retry counts."""
    rig = Rig(limits(max_requests_per_player=1, player_window_seconds=20), apply_seconds=0)
    await rig.record(period(update()))
    refused = await rig.record(period(update()), request_id="8")
    assert ["RECORD_RATE_HIGH"] == causes(refused.json)
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    rig.clock.skipped_seconds = 21
    assert [] == causes((await rig.record(period(update()), request_id="8")).json)
    assert 2 == len(rig.topic.records)


async def test_g17_workers_are_too_far_behind_by_the_apps_own_measure() -> None:
    """G17: the lag is 11 s. This app tolerates 10, another app more. Retry-After says when to retry."""
    rig = Rig(limits(max_lag_seconds=10), apply_seconds=0)
    rig.store.declare("other", "LEVEL_UP")
    await rig.games.lineage.read()
    rig.worker.rests = True
    for actor in (b"demo/ann", b"other/ann"):
        rig.games.watch.acked(Coordinates("r1", rig.topic.partition_of(actor), 0))
    rig.clock.skipped_seconds = 11
    await rig.games.watch.poll()
    refused = await rig.record(period(update()))
    assert (["RECORD_RATE_HIGH"], "60") == (causes(refused.json), refused.headers["retry-after"])
    other = await rig.record(period(update()), authorization=f"Bearer {token(app='other')}")
    assert [] == causes(other.json)
    assert [b"other/ann"] == [record.key for record in rig.topic.records]


async def test_g17_too_large_is_not_remembered_either() -> None:
    """G17: cut in two, the first half may keep the id."""
    rig = Rig(limits(max_updates_per_request=1), apply_seconds=0)
    assert ["TOO_LARGE"] == causes((await rig.record(period(update(), update()))).json)
    assert [] == causes((await rig.record(period(update()))).json)
    assert 1 == len(rig.topic.records)


async def test_b8_an_app_may_be_held_to_smaller_bodies() -> None:
    """B8: with or without Content-Length, and only after the token has shown whose body it is."""
    rig = Rig(limits(max_body_bytes=1_024), apply_seconds=0)
    large = batch(period(update())) + b" " * 1_024
    answers = [await rig.post(large), await rig.post(large, content_length=str(len(large)))]
    answers.append(await rig.post(large, authorization="Bearer nobody"))
    answers.append(await rig.post(large, authorization=f"Bearer {token(app='other')}"))
    assert [413, 413, 401, 200] == [answer.status for answer in answers]
    assert 200 == (await rig.call("POST", RECORD, {"authorization": f"Bearer {token()}"}, [batch()])).status
