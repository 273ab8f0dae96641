"""What became of a batch: asked with its receipt, or by its player."""

import pytest

from ingress.delivery.receipts import MARGIN_SECONDS
from ingress.ports import Rejection
from schemas.coordinates import Coordinates
from schemas.records.receipt import Receipt, issue_receipt
from schemas.records.signing import SigningKeys
from tests.ingress.rig import KEPT_SECONDS, NOW, SIGNING, Answer, Rig, period, token, update

AT = Coordinates("r1", 3, 100)


def receipt(at: Coordinates = AT, issued_millis: int = NOW) -> str:
    return issue_receipt(Receipt(at, issued_millis), SIGNING)


async def asked(rig: Rig, text: str) -> Answer:
    return await rig.call("GET", f"/v1/receipts/{text}")


async def request_of(rig: Rig, request_id: str, **claims: object) -> Answer:
    return await rig.call("GET", f"/v1/requests/{request_id}", {"authorization": f"Bearer {token(**claims)}"})


def reason(answer: Answer) -> str:
    said: str = answer.json["error"]["errors"][0]["reason"]
    return said


async def test_a_receipt_is_pending_until_the_checkpoint_passes_it_and_then_applied(rig: Rig) -> None:
    """No token: the receipt is the permission."""
    rig.worker.rests = True
    text = (await rig.record(period(update()), prefer="respond-async")).headers["tallymill-receipt"]
    assert (await asked(rig, text)).json == {"receipt": text, "state": "pending", "cause": None}
    rig.store.next_offsets = {Coordinates("r1", r.partition, 0).partition_id: r.offset for r in rig.topic.records}
    assert (await asked(rig, text)).json["state"] == "pending"
    rig.store.next_offsets = {at: offset + 1 for at, offset in rig.store.next_offsets.items()}
    assert (await asked(rig, text)).json == {"receipt": text, "state": "applied", "cause": None}


@pytest.mark.parametrize(
    ("fate", "cause", "told"),
    [
        ("duplicate", "ALREADY_UPDATED", "ALREADY_UPDATED"),
        ("refused", "TIME_PERIOD_EXPIRED", "TIME_PERIOD_EXPIRED"),
        ("dead", "MongoDB: BulkWriteError({'host': 'mongo-1'})", "MongoDB"),
    ],
)
async def test_a_receipt_says_what_exceptions_say(rig: Rig, fate: str, cause: str, told: str) -> None:
    """A dead letter's reason may quote our servers, so it is cut."""
    rig.store.pass_over(AT, Rejection(fate, cause))  # type: ignore[arg-type]  # one of the fates
    text = receipt()
    assert (await asked(rig, text)).json == {"receipt": text, "state": fate, "cause": told}


async def test_g16_another_payload_under_a_used_id_shows_in_the_receipt_and_is_counted(rig: Rig) -> None:
    """The answer is ALREADY_UPDATED, as the API requires. The same payload again is not counted as a mistake."""
    answers = [await rig.record(period(update(count=count))) for count in (1, 1, 2)]
    failures = [[failure["failureCause"] for failure in answer.json["batchFailures"]] for answer in answers]
    assert failures == [[], ["ALREADY_UPDATED"], ["ALREADY_UPDATED"]]
    told = [(await asked(rig, answer.headers["tallymill-receipt"])).json for answer in answers]
    assert [(one["state"], one["cause"]) for one in told] == [
        ("applied", None),
        ("duplicate", "ALREADY_UPDATED"),
        ("duplicate", "PAYLOAD_DIFFERS"),
    ]
    assert rig.metric("payload_differs_total", api="games") == 1


@pytest.mark.parametrize(
    "text",
    [
        "r1.3.100.1790000000000",
        receipt().replace("100", "101"),
        issue_receipt(Receipt(AT, NOW), SigningKeys((b"another key of ours, or not",))),
        "x",
        "%ff",
    ],
)
async def test_answer_unknown_receipt_for_what_we_did_not_issue(rig: Rig, text: str) -> None:
    """Malformed and forged ones get the same answer, and neither reads MongoDB."""
    reads = dict(rig.store.reads)
    answer = await asked(rig, text)
    assert (answer.status, reason(answer)) == (404, "notFound")
    assert rig.store.reads == reads


async def test_answer_gone_for_a_receipt_older_than_exceptions_are_kept(rig: Rig) -> None:
    """`applied` could be false then. A minute earlier it is still certain."""
    rig.store.count(AT, "demo/ann", {})
    kept_millis = (KEPT_SECONDS - MARGIN_SECONDS) * 1000
    assert (await asked(rig, receipt(issued_millis=NOW - kept_millis))).json["state"] == "applied"
    answer = await asked(rig, receipt(issued_millis=NOW - kept_millis - 1))
    assert (answer.status, reason(answer)) == (410, "gone")


async def test_a_receipt_of_a_lineage_that_is_no_more_is_410_unless_it_was_passed(rig: Rig) -> None:
    """No worker will continue there, so `pending` would be for ever."""
    rig.store.count(AT, "demo/ann", {})
    rig.store.lineage = "r2"
    assert (await asked(rig, receipt())).json["state"] == "applied"
    assert (await asked(rig, receipt(AT._replace(offset=101)))).status == 410


async def test_mongodb_away_is_503_and_says_when_to_ask_again(rig: Rig) -> None:
    """Nothing is guessed."""
    rig.store.away = True
    for answer in (await asked(rig, receipt()), await request_of(rig, "7")):
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "requestId" not in answer.json["error"]["message"], "nothing was recorded here, nothing is to be resent"


async def test_a_player_finds_an_own_request_that_counted(rig: Rig) -> None:
    """Also after a duplicate: it is the same id."""
    for _ in range(2):
        await rig.record(period(update()), request_id="-7")
        answer = await request_of(rig, "-7")
        assert answer.json == {"requestId": "-7", "state": "applied", "at": "2026-09-21T14:13:20.000Z"}


@pytest.mark.parametrize("claims", [{"sub": "bob"}, {"app": "other"}])
async def test_another_players_request_is_404_as_one_that_never_was(rig: Rig, claims: dict[str, str]) -> None:
    """So a player learns nothing about another's requests."""
    await rig.record(period(update()))
    foreign, absent = await request_of(rig, "7", **claims), await request_of(rig, "8")
    assert (foreign.status, foreign.body) == (404, absent.body)
    assert (await request_of(rig, "7")).status == 200


@pytest.mark.parametrize("text", ["0", "007", "+7", "7.0", "x", "9223372036854775808", "-0"])
async def test_g3_a_request_id_spelt_otherwise_is_400(rig: Rig, text: str) -> None:
    """Two spellings of one id would be two ids."""
    answer = await request_of(rig, text)
    (violation,) = answer.json["error"]["details"][0]["fieldViolations"]
    assert (answer.status, violation["field"]) == (400, "requestId")


async def test_g21_a_request_is_told_to_its_player_alone(rig: Rig) -> None:
    """No token is 401, no scope 403, both before the id is checked."""
    assert (await rig.call("GET", "/v1/requests/0")).status == 401
    assert (await request_of(rig, "0", scope="other")).status == 403
    assert (await request_of(rig, "7", scope="https://www.googleapis.com/auth/games_lite")).status == 404


async def test_the_routes_are_counted_by_their_pattern(rig: Rig) -> None:
    """A label per receipt would fill any monitoring."""
    await asked(rig, receipt())
    await request_of(rig, "7")
    assert rig.metric("requests_total", route="/v1/receipts/{receipt}", code="200") == 1
    assert rig.metric("requests_total", route="/v1/requests/{request_id}", code="404") == 1
