"""events.record through the whole app, on in-memory Kafka and MongoDB."""

import json

import pytest

from ingress.memory import MemoryRecord
from ingress.ports import Rejection
from schemas.coordinates import Coordinates
from schemas.records.envelope import unseal
from schemas.records.receipt import read_receipt
from schemas.settings import Limits
from tests.ingress.rig import NOW, RECORD, SIGNING, Rig, batch, period, token, update

NO_FAILURES: dict[str, list[object]] = {"batchFailures": [], "eventFailures": []}


def causes(answer_json: dict[str, list[dict[str, str]]]) -> list[str]:
    return [failure["failureCause"] for failure in answer_json["batchFailures"] + answer_json["eventFailures"]]


async def test_b7_an_ok_holds_the_totals_a_receipt_and_the_timing(rig: Rig) -> None:
    answer = await rig.record(period(update(count="1234")))
    assert answer.status == 200
    assert answer.json == {
        "kind": "games#eventUpdateResponse",
        **NO_FAILURES,
        "playerEvents": [
            {
                "kind": "games#playerEvent",
                "playerId": "ann",
                "definitionId": "LEVEL_UP",
                "numEvents": "1234",
                "formattedNumEvents": "1,234",
            }
        ],
    }
    record = rig.topic.records[0]
    receipt = read_receipt(answer.headers["tallymill-receipt"], SIGNING)
    assert receipt.coordinates == Coordinates("r1", record.partition, record.offset)
    assert receipt.issued_millis == NOW
    accepted, visible = answer.headers["server-timing"].split(", ")
    assert accepted.startswith("accepted;dur=")
    assert visible.startswith("visible;dur=")


async def test_the_body_is_published_byte_for_byte_with_its_envelope(rig: Rig) -> None:
    body = b'{ "timePeriods" : [' + json.dumps(period(update())).encode() + b'],\n"requestId":"-9" }'
    await rig.post(body)
    record: MemoryRecord = rig.topic.records[0]
    assert record.body == body
    assert record.key == b"demo/ann"
    assert dict(record.headers)["ce_id"] == b"-9"
    envelope = unseal(record.key, record.headers, record.body, 0, SIGNING)
    assert (envelope.app, envelope.player, envelope.received_millis) == ("demo", "ann", NOW)
    assert envelope.judged is not None


@pytest.mark.parametrize("announced", [None, str(1 << 21)])
async def test_b1_each_check_comes_before_the_next(rig: Rig, announced: str | None) -> None:
    """One request wrong in every way loses its faults one by one, in the order of the rule."""
    large = b"x" * ((1 << 20) + 1)
    headers = {"content-type": "text/plain"} | ({"content-length": announced} if announced else {})
    seen = [(await rig.call("POST", RECORD, headers, [large])).status]
    headers.pop("content-length", None)
    for correction in (
        {"authorization": f"Bearer {token(scope='other')}"},
        {"authorization": f"Bearer {token()}"},
        {"content-type": "application/json"},
    ):
        seen.append((await rig.call("POST", RECORD, headers, [large])).status)
        headers |= correction
    seen.append((await rig.call("POST", RECORD, headers, [large])).status)
    seen.append((await rig.call("POST", RECORD, headers, [b"x"])).status)
    assert seen == [413 if announced else 401, 401, 403, 415, 413, 400]
    assert rig.topic.records == []


async def test_b1_too_large_comes_before_the_rate_and_the_rate_before_judging() -> None:
    rig = Rig(Limits(max_updates_per_request=1, max_requests_per_player=1))
    two = period(update(), update())
    unknown = period(update("NOBODY_KNOWS"))
    assert causes((await rig.record(two)).json) == ["TOO_LARGE"]
    assert causes((await rig.record(unknown)).json) == ["NOT_FOUND"]
    assert causes((await rig.record(two)).json) == ["TOO_LARGE"]
    assert causes((await rig.record(unknown)).json) == ["RECORD_RATE_HIGH"]


async def test_b2_a_malformed_body_lists_its_violations_with_their_paths(rig: Rig) -> None:
    answer = await rig.post(b'{"requestId":"1","timePeriods":[{"timePeriod":{"periodStartMillis":"x"}}],"odd":1}')
    error = answer.json["error"]
    assert (answer.status, error["status"], error["errors"][0]["reason"]) == (400, "INVALID_ARGUMENT", "badRequest")
    fields = [violation["field"] for violation in error["details"][0]["fieldViolations"]]
    assert fields == [
        "timePeriods[0].timePeriod.periodStartMillis",
        "timePeriods[0].timePeriod.periodEndMillis",
        "odd",
    ]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json; charset=UTF-8", 200),
        ('Application/JSON;charset="utf-8"', 200),
        ("application/json; charset=utf8", 200),
        ('application/json; CHARSET="UTF8"', 200),
        ("application/json ; charset = 'Utf-8' ; x=y", 200),
        ('application/json; x="a;charset=latin-1"; charset=US-ASCII', 200),
        ("application/json; charset=utf-8; charset=utf8", 200),
        ("application/json; charset=utf-8; charset=latin-1", 415),
        ("application/json; charset=utf-16", 415),
        ('application/json; charset="', 415),
        ("application/json; charset=", 415),
        ("application/json; charset=latin-1", 415),
        ("text/json", 415),
        ("", 415),
    ],
)
async def test_b1_the_media_type_is_json_in_utf8(rig: Rig, content_type: str, status: int) -> None:
    assert (await rig.post(batch(), content_type=content_type)).status == status


async def test_b6_no_credential_is_published(rig: Rig) -> None:
    secret = token()
    await rig.post(batch(period(update())), authorization=f"Bearer {secret}")
    record = rig.topic.records[0]
    everything = b"".join([record.key, record.body, *(value for _, value in record.headers)])
    assert secret.encode() not in everything
    assert secret.rpartition(".")[2].encode() not in everything


async def test_b8_a_body_of_just_the_limit_passes_and_one_byte_more_does_not(rig: Rig) -> None:
    padding = Limits().max_body_bytes - len(batch(period(update())))
    whole = batch(period(update())) + b" " * padding
    assert (await rig.post(whole)).status == 200
    assert (await rig.post(whole + b" ")).status == 413


async def test_b8_a_body_in_parts_counts_as_a_whole(rig: Rig) -> None:
    body = batch(period(update()))
    headers = {"authorization": f"Bearer {token()}"}
    answer = await rig.call("POST", RECORD, headers, [body[i : i + 10] for i in range(0, len(body), 10)])
    assert answer.status == 200
    assert rig.topic.records[0].body == body


async def test_a_client_that_leaves_is_counted_and_nothing_else(rig: Rig) -> None:
    headers = {"authorization": f"Bearer {token()}"}
    answer = await rig.call("POST", RECORD, headers, [b"{"], leaves=True)
    assert answer.status == 0
    assert rig.metric("requests_total", route=RECORD, code="499") == 1


async def test_g4_a_request_id_of_0_is_400(rig: Rig) -> None:
    assert (await rig.record(period(update()), request_id="0")).status == 400


async def test_g5_no_periods_are_200_with_three_empty_arrays_and_not_published(rig: Rig) -> None:
    for body in (b'{"requestId":"1"}', b'{"requestId":"1","timePeriods":null}', b'{"requestId":"1","timePeriods":[]}'):
        answer = await rig.post(body)
        assert answer.json == {"kind": "games#eventUpdateResponse", **NO_FAILURES, "playerEvents": []}
        assert "tallymill-receipt" not in answer.headers
    assert rig.topic.records == []


async def test_g6_one_update_more_than_allowed_is_too_large_with_an_empty_range() -> None:
    rig = Rig(Limits(max_updates_per_request=2))
    answer = await rig.record(period(update(), update()), period())
    assert answer.status == 200
    assert answer.json["batchFailures"] == [
        {
            "kind": "games#eventBatchRecordFailure",
            "range": {"kind": "games#eventPeriodRange"},
            "failureCause": "TOO_LARGE",
        }
    ]
    assert rig.topic.records == []


async def test_g8_a_bad_period_is_told_with_its_own_range_and_the_others_count(rig: Rig) -> None:
    answer = await rig.record(period(update(), start=NOW - 10, end=NOW - 9), period(update(count=5)))
    failure = answer.json["batchFailures"][0]
    assert failure["failureCause"] == "TIME_PERIOD_SHORT"
    assert failure["range"]["periodStartMillis"] == str(NOW - 10)
    assert answer.json["playerEvents"][0]["numEvents"] == "5"


async def test_g9_nothing_left_is_answered_with_the_failures_and_not_published(rig: Rig) -> None:
    answer = await rig.record(period(update("NOBODY_KNOWS"), update(count="0")))
    assert answer.status == 200
    assert causes(answer.json) == ["NOT_FOUND", "INVALID_UPDATE_VALUE"]
    assert rig.topic.records == []
    assert "tallymill-receipt" not in answer.headers
    assert causes((await rig.record(period(update()))).json) == []


async def test_g10_an_event_may_be_both_failed_and_counted(rig: Rig) -> None:
    answer = await rig.record(period(update(count="3"), update(count="0"), update(count="0")))
    assert causes(answer.json) == ["INVALID_UPDATE_VALUE"]
    assert answer.json["playerEvents"][0]["numEvents"] == "3"


async def test_g11_a_definition_declared_a_moment_ago_is_found(rig: Rig) -> None:
    assert causes((await rig.record(period(update()))).json) == []
    rig.store.declare("demo", "BRAND_NEW")
    assert causes((await rig.record(period(update("BRAND_NEW")), request_id="8")).json) == []


async def test_g11_an_impossible_definition_id_is_echoed_cut(rig: Rig) -> None:
    answer = await rig.record(period(update("x" * 300)))
    assert answer.json["eventFailures"][0]["eventId"] == "x" * 256
    assert "definitions" not in rig.store.reads


async def test_g14_a_duplicate_is_already_updated_alone_with_the_current_totals(rig: Rig) -> None:
    await rig.record(period(update(count="3")))
    answer = await rig.record(period(update(count="3"), update("NOBODY_KNOWS")))
    assert causes(answer.json) == ["ALREADY_UPDATED"]
    assert answer.json["batchFailures"][0]["range"] == {"kind": "games#eventPeriodRange"}
    assert answer.json["playerEvents"][0]["numEvents"] == "3"
    assert "tallymill-receipt" in answer.headers


async def test_g15_past_the_time_the_answer_holds_the_totals_known_and_a_receipt(rig: Rig) -> None:
    await rig.record(period(update(count="3")))
    rig.worker.rests = True
    answer = await rig.record(period(update(count="4")), request_id="8", prefer="respond-async")
    assert answer.status == 200
    assert causes(answer.json) == []
    assert answer.json["playerEvents"][0]["numEvents"] == "3"
    assert "tallymill-receipt" in answer.headers
    assert "visible" not in answer.headers["server-timing"]
    assert len(rig.topic.records) == 2


async def test_g15_mongodb_away_does_not_keep_anyone_from_recording(rig: Rig) -> None:
    rig.store.away = True
    answer = await rig.record(period(update()))
    assert (answer.status, answer.json["playerEvents"]) == (200, [])
    assert "tallymill-receipt" in answer.headers
    assert len(rig.topic.records) == 1


async def test_no_lineage_known_means_no_receipt_and_no_waiting() -> None:
    rig = Rig()
    answer = await rig.record(period(update()))
    assert (answer.status, answer.json["playerEvents"]) == (200, [])
    assert "tallymill-receipt" not in answer.headers


async def test_answer_mongodb_away_before_definitions_were_loaded() -> None:
    rig = Rig()
    rig.store.away = True
    answer = await rig.record(period(update()))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert rig.topic.records == []


async def test_answer_unavailable_is_with_retry_after_and_never_200(rig: Rig) -> None:
    for rig.topic.away, rig.topic.silent in ((True, False), (False, True)):
        answer = await rig.record(period(update()))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json["error"]["status"] == "UNAVAILABLE"


async def test_b7_a_record_the_worker_set_aside_is_not_called_ok(rig: Rig) -> None:
    rig.worker.rests = True
    rig.store.pass_over(Coordinates("r1", 0, 0), Rejection("dead", "OVERFLOW"))
    for partition in range(4):
        rig.store.pass_over(Coordinates("r1", partition, 0), Rejection("dead", "OVERFLOW"))
    answer = await rig.record(period(update()))
    assert answer.status == 500
    assert "tallymill-receipt" in answer.headers


async def test_g17_too_fast_is_rate_high_with_retry_after_and_not_published() -> None:
    rig = Rig(Limits(max_requests_per_player=1, player_window_seconds=30), apply_seconds=0)
    await rig.record(period(update()))
    answer = await rig.record(period(update()), request_id="8")
    assert answer.status == 200
    assert causes(answer.json) == ["RECORD_RATE_HIGH"]
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert len(rig.topic.records) == 1
    other = await rig.record(period(update()), authorization=f"Bearer {token(sub='bob')}")
    assert causes(other.json) == []


async def test_g17_workers_far_behind_are_rate_high() -> None:
    rig = Rig(Limits(max_lag_seconds=10))
    await rig.games.lineage.read()
    rig.worker.rests = True
    rig.games.watch.acked(Coordinates("r1", rig.topic.partition_of(b"demo/ann"), 0))
    rig.clock.skipped_seconds = 11
    await rig.games.watch.poll()
    assert causes((await rig.record(period(update()))).json) == ["RECORD_RATE_HIGH"]
    assert rig.topic.records == []


async def test_g21_an_expired_token_is_401_and_a_missing_scope_403(rig: Rig) -> None:
    expired = await rig.post(batch(), authorization=f"Bearer {token(exp=NOW // 1000 - 1)}")
    scopeless = await rig.post(batch(), authorization=f"Bearer {token(scope='email')}")
    assert (expired.status, expired.json["error"]["errors"][0]["reason"]) == (401, "authError")
    assert (scopeless.status, scopeless.json["error"]["errors"][0]["reason"]) == (403, "insufficientPermissions")
    assert "details" not in expired.json["error"]


@pytest.mark.parametrize("scope", ["games", "games_lite"])
async def test_g21_either_scope_may_record(rig: Rig, scope: str) -> None:
    bearer = token(scope=f"email https://www.googleapis.com/auth/{scope}")
    assert (await rig.post(batch(), authorization=f"Bearer {bearer}")).status == 200


async def test_b6_an_anonymous_token_records_nothing_here(rig: Rig) -> None:
    answer = await rig.post(batch(period(update())), authorization=f"Bearer {token(anonymous=True)}")
    assert (answer.status, answer.json["error"]["errors"][0]["reason"]) == (403, "insufficientPermissions")
    assert rig.topic.records == []
