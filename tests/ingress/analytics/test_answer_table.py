"""The answers of docs/rules.md, row by row, on in-memory Kafka and MongoDB."""

import pytest

from schemas.settings import Limits
from tests.ingress.rig import NOW, RECORD, Answer, Rig, batch, period, token, update

GOOD = {"authorization": f"Bearer {token()}", "content-type": "application/json"}


def error_of(answer: Answer) -> tuple[int, str, str]:
    """HTTP code, status and reason."""
    error = answer.json["error"]
    assert error["code"] == answer.status
    return answer.status, error["status"], error["errors"][0]["reason"]


def failures_of(answer: Answer) -> tuple[int, list[str], bool]:
    """HTTP code, the causes of a whole request's failure, and whether there is a receipt."""
    causes = [failure["failureCause"] for failure in answer.json["batchFailures"]]
    return answer.status, causes, "tallymill-receipt" in answer.headers


@pytest.mark.parametrize("rests", [False, True])
async def test_answer_accepted(rests: bool) -> None:  # noqa: FBT001 a parameter of the test
    """Counted in time, or not yet: OK and a receipt in either case."""
    rig = Rig(apply_seconds=0)
    await rig.games.lineage.read()
    rig.worker.rests = rests
    assert failures_of(await rig.record(period(update()))) == (200, [], True)


async def test_answer_duplicate(rig: Rig) -> None:
    """That failure alone, with the totals as they are."""
    await rig.record(period(update(count=3)))
    answer = await rig.record(period(update(count=3)))
    assert failures_of(answer) == (200, ["ALREADY_UPDATED"], True)
    assert [event["numEvents"] for event in answer.json["playerEvents"]] == ["3"]


async def test_answer_too_large() -> None:
    """Nothing is published."""
    rig = Rig(Limits(max_updates_per_request=1))
    assert failures_of(await rig.record(period(update(), update()))) == (200, ["TOO_LARGE"], False)
    assert rig.topic.records == []


async def test_answer_too_fast() -> None:
    """And when to come again."""
    rig = Rig(Limits(max_requests_per_player=1), apply_seconds=0)
    await rig.record(period(update()))
    answer = await rig.record(period(update()), request_id="8")
    assert failures_of(answer) == (200, ["RECORD_RATE_HIGH"], False)
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", ""),
        (b'{"requestId":true}', "requestId"),
        (b"{}", "requestId"),
        (b'{"requestId":"1","odd":1}', "odd"),
    ],
)
async def test_answer_malformed(rig: Rig, body: bytes, field: str) -> None:
    """JSON, type, missing, unknown."""
    answer = await rig.post(body)
    assert error_of(answer) == (400, "INVALID_ARGUMENT", "badRequest")
    assert [violation["field"] for violation in answer.json["error"]["details"][0]["fieldViolations"]] == [field]


@pytest.mark.parametrize("bearer", ["", "Bearer x.y.z", f"Bearer {token(exp=NOW // 1000)}"])
async def test_answer_unauthenticated(rig: Rig, bearer: str) -> None:
    """None, bad, expired."""
    answer = await rig.post(batch(), authorization=bearer)
    assert error_of(answer) == (401, "UNAUTHENTICATED", "authError")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_answer_forbidden(rig: Rig) -> None:
    """A good token whose owner may not record."""
    answer = await rig.post(batch(), authorization=f"Bearer {token(scope='email')}")
    assert error_of(answer) == (403, "PERMISSION_DENIED", "insufficientPermissions")


async def test_answer_unknown_path(rig: Rig) -> None:
    """In the same shape as every error."""
    assert error_of(await rig.call("POST", f"{RECORD}/", GOOD)) == (404, "NOT_FOUND", "notFound")


async def test_answer_wrong_method(rig: Rig) -> None:
    """And which ones will do."""
    answer = await rig.call("DELETE", RECORD, GOOD)
    assert error_of(answer) == (405, "INVALID_ARGUMENT", "httpMethodNotAllowed")
    assert "POST" in answer.headers["allow"].split(", ")


async def test_answer_body_late() -> None:
    """The connection can't be used again: the rest may still come."""
    answer = await Rig(body_seconds=0.01).call("POST", RECORD, GOOD, [b"{"], ends=False)
    assert error_of(answer) == (408, "DEADLINE_EXCEEDED", "requestTimeout")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("announced", [True, False])
async def test_answer_body_large(rig: Rig, announced: bool) -> None:  # noqa: FBT001 a parameter of the test
    """Known from Content-Length, or found while it comes."""
    length = Limits().max_body_bytes + 1
    headers = GOOD | ({"content-length": str(length)} if announced else {})
    answer = await rig.call("POST", RECORD, headers, [b" " * length])
    assert error_of(answer) == (413, "INVALID_ARGUMENT", "requestTooLarge")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "header",
    [{"content_type": "text/plain"}, {"content_type": "application/json; charset=latin-1"}, {"content_encoding": "x"}],
)
async def test_answer_media_type(rig: Rig, header: dict[str, str]) -> None:
    """And which encodings will do, where that is the reason."""
    answer = await rig.post(batch(), **header)
    assert error_of(answer) == (415, "INVALID_ARGUMENT", "unsupportedMediaType")
    assert ("accept-encoding" in answer.headers) == ("content_encoding" in header)


async def test_answer_bug(rig: Rig) -> None:
    """Only the log says what it was."""
    rig.definitions._apps = {"demo": "what a bug looks like"}  # type: ignore[assignment]  # on purpose
    answer = await rig.record(period(update()))
    assert error_of(answer) == (500, "INTERNAL", "backendError")
    assert b"bug" not in answer.body


@pytest.mark.parametrize("trouble", ["away", "silent"])
async def test_answer_unavailable(rig: Rig, trouble: str) -> None:
    """Never a 200 without Kafka's ack, though the record may be there."""
    setattr(rig.topic, trouble, True)
    answer = await rig.record(period(update()))
    assert error_of(answer) == (503, "UNAVAILABLE", "backendError")
    assert "requestId" in answer.json["error"]["message"]
    assert int(answer.headers["retry-after"]) >= 1


async def test_answer_draining(rig: Rig) -> None:
    """A request before the port closes counts. /readyz shows the load balancer that the ingress stops."""
    rig.stopping.draining = True
    answer = await rig.record(period(update()))
    assert failures_of(answer) == (200, [], True)
    assert answer.headers["connection"] == "close"
    assert (await rig.call("GET", "/readyz")).status == 503


async def test_answer_mongodb_away(rig: Rig) -> None:
    """The batch counts, with unknown totals. Without definitions nothing can be judged."""
    rig.store.away = True
    answer = await rig.record(period(update()))
    assert failures_of(answer) == (200, [], True)
    assert answer.json["playerEvents"] == []
    fresh = Rig()
    fresh.store.away = True
    assert error_of(await fresh.record(period(update()))) == (503, "UNAVAILABLE", "backendError")
