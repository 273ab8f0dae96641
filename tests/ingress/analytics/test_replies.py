"""The answers of the analytics events (docs/rules.md), row by row, on in-memory Kafka and MongoDB."""

import pytest

from ingress.analytics.replies import MAX_NAMED_CHARACTERS, analytics_refusal, named
from schemas.errors.table import Refusal
from schemas.settings import Limits
from schemas.wire.malformed import Violation
from tests.ingress.analytics.test_record import BAD, OK, A, B, told
from tests.ingress.rig import NOW, Rig, token
from tests.samples import pool

PATHS = ("/AddEvent", "/AddEventBatch")


@pytest.mark.parametrize("rests", [False, True])
async def test_answer_analytics_accepted(rests: bool) -> None:  # noqa: FBT001 a parameter of the test
    """Registered in time, or not yet: OK and a receipt in either case."""
    rig = Rig(apply_seconds=0)
    await rig.analytics.lineage.read()
    rig.pool_worker.rests = rests
    answer = await rig.add(pool(A))
    assert (200, OK, True) == (answer.status, answer.json, "tallymill-receipt" in answer.headers)


async def test_answer_analytics_accepted_in_part(rig: Rig) -> None:
    """With `?partial=true`."""
    answer = await rig.add(pool(A, BAD), "/AddEventBatch?partial=true")
    assert ((200, 0, 2, True), True) == (told(answer), "tallymill-receipt" in answer.headers)


async def test_answer_analytics_duplicate(rig: Rig) -> None:
    """It is OK: a phone may delete its pool."""
    await rig.add(pool(A))
    answer = await rig.add(pool(A))
    assert (200, OK, "true") == (answer.status, answer.json, answer.headers["tallymill-duplicate"])


@pytest.mark.parametrize("field", ["Idempotency-Key", "requestId"])
async def test_answer_analytics_payload_differs(rig: Rig, field: str) -> None:
    """Other events with a used id: the answer has their positions, a metric, a sample and the receipt show them."""
    is_header = field == "Idempotency-Key"
    body, header = ({}, {"idempotency_key": "k"}) if is_header else ({"requestId": "k"}, {})
    await rig.add(pool(A, B, **body), **header)
    for others in ((B, A), (B, A, B)):
        answer = await rig.add(pool(*others, **body), **header)
        assert (422, 2, 3, False) == told(answer)
        assert answer.json["StatusMessage"] == (
            f"{field}: was used before with other events: eventData[0], eventData[1]; these are not registered, send "
            "them under another id"
        )
        asked = await rig.call("GET", f"/v1/receipts/{answer.headers['tallymill-receipt']}")
        assert "PAYLOAD_DIFFERS" == asked.json["cause"]
    assert "applied" == asked.json["state"], "of the last one an event was new"
    assert (
        2
        == rig.metric("payload_differs_total", api="analytics")
        == rig.metric("refused_total", api="analytics", cause="PAYLOAD_DIFFERS")
    )
    assert OK == (await rig.add(pool(A, B, **body), **header)).json


async def test_answer_analytics_too_many() -> None:
    """Send several."""
    rig = Rig(Limits(max_items_per_request=1))
    assert (413, 5, 3, False) == told(await rig.add(pool(A, B)))
    assert [] == rig.analytics_topic.records


async def test_answer_analytics_too_fast() -> None:
    """The sender, or the workers are far behind; and when to come again."""
    rig = Rig(Limits(max_requests_per_player=1), apply_seconds=0)
    await rig.add(pool(A))
    behind = Rig(Limits(max_lag_seconds=0.001), apply_seconds=0)
    await behind.analytics.lineage.read()
    behind.pool_worker.rests = True
    await behind.add(pool(A))
    await behind.analytics.watch.poll()
    behind.clock.skipped_seconds += 1
    for answer in (await rig.add(pool(B)), await behind.add(pool(B))):
        assert (429, 6, 2, False) == told(answer)
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 1),
        (b"[1]", 1),
        (b'{"eventData":7}', 2),
        (b'{"eventData":[{}]}', 2),
        (b"{}", 2),
        (pool(A, requestId=7), 2),
    ],
)
async def test_answer_analytics_malformed(rig: Rig, body: bytes, code: int) -> None:
    """No JSON, a field; a bad query is one too."""
    assert (400, code, 3, False) == told(await rig.add(body))
    assert (400, 2, 3, False) == told(await rig.add(pool(A), "/AddEvent?alt=media"))


@pytest.mark.parametrize("bearer", ["", "x.y.z", token(exp=NOW // 1000)])
async def test_answer_analytics_unauthenticated(rig: Rig, bearer: str) -> None:
    """None, bad, expired."""
    answer = await rig.add(pool(A), bearer=bearer)
    assert ((401, 3, 3, False), True) == (told(answer), "www-authenticate" in answer.headers)


async def test_answer_analytics_forbidden() -> None:
    """The app does not accept anonymous tokens."""
    answer = await Rig(anonymous_apps=()).add(pool(A), bearer=token(anonymous=True))
    assert ((403, 4, 3, False), True) == (told(answer), "www-authenticate" in answer.headers)


@pytest.mark.parametrize("path", PATHS)
async def test_answer_analytics_wrong_method(rig: Rig, path: str) -> None:
    """An unknown path belongs to no API and gets Google's error body."""
    answer = await rig.call("GET", path)
    assert ((405, 8, 3, False), "POST") == (told(answer), answer.headers["allow"])
    assert 404 == (await rig.call("POST", f"{path}/x")).json["error"]["code"]


@pytest.mark.parametrize("path", PATHS)
async def test_answer_analytics_body_late(path: str) -> None:
    """The connection can't be used again."""
    answer = await Rig(body_seconds=0.01).call("POST", path, {}, [b"{"], ends=False)
    assert ((408, 7, 2, False), "close") == (told(answer), answer.headers["connection"])


@pytest.mark.parametrize("announced", [True, False])
async def test_answer_analytics_body_large(announced: bool) -> None:  # noqa: FBT001 a parameter of the test
    """Known from Content-Length, or found while it comes."""
    rig = Rig(Limits(max_analytics_body_bytes=1024))
    answer = await rig.call("POST", "/AddEvent", {"content-length": "1025"} if announced else {}, [b" " * 1025])
    assert ((413, 5, 3, False), "close") == (told(answer), answer.headers["connection"])


@pytest.mark.parametrize(
    "header",
    [{"content_type": "multipart/x"}, {"content_type": "text/plain; charset=latin-1"}, {"content_encoding": "x"}],
)
async def test_answer_analytics_media_type(rig: Rig, header: dict[str, str]) -> None:
    """And which encodings will do, where that is the reason."""
    answer = await rig.add(pool(A), **header)
    assert ((415, 1, 3, False), "content_encoding" in header) == (told(answer), "accept-encoding" in answer.headers)


async def test_answer_analytics_address_rate() -> None:
    """Before anything else."""
    rig = Rig(max_requests_per_address=1)
    await rig.add(pool(A))
    answer = await rig.add(b"{")
    assert (429, 6, 2, False) == told(answer)
    assert int(answer.headers["retry-after"]) >= 1


async def test_answer_analytics_bug(rig: Rig) -> None:
    """Only the log says what it was. The same for a pool that the worker could not register."""
    rig.analytics_topic.publish = None  # type: ignore[method-assign, assignment]  # what a bug looks like
    answer = await rig.add(pool(A))
    assert ((500, 9, 2, False), False) == (told(answer), b"None" in answer.body)


@pytest.mark.parametrize("trouble", ["away", "silent"])
async def test_answer_analytics_unavailable(rig: Rig, trouble: str) -> None:
    """Never a 200 without Kafka's ack, though the record may be there."""
    setattr(rig.analytics_topic, trouble, True)
    answer = await rig.add(pool(A))
    assert (503, 7, 2, False) == told(answer)
    assert int(answer.headers["retry-after"]) >= 1
    assert 200 == (await rig.record()).status, "the other topic is there"


async def test_answer_analytics_draining(rig: Rig) -> None:
    """What came before the port closed counts."""
    rig.stopping.draining = True
    answer = await rig.add(pool(A))
    assert (OK, "close") == (answer.json, answer.headers["connection"])


async def test_answer_analytics_mongodb_away(rig: Rig) -> None:
    """Kafka has it: it will be registered."""
    rig.store.away = True
    answer = await rig.add(pool(A))
    assert (200, OK, True) == (answer.status, answer.json, "tallymill-receipt" in answer.headers)


def test_a_long_place_is_cut_in_its_middle() -> None:
    """Names within Data are the client's own, and may be as long as a body."""
    said = named((Violation(field="Data." + "x" * 10_000, description="is beyond int64"),))
    assert said.startswith("Data.xxx")
    assert said.endswith("x: is beyond int64")
    assert len(said) <= MAX_NAMED_CHARACTERS + 3


def test_a_refusal_has_the_headers_it_has_everywhere() -> None:
    """Retry-After, for one."""
    assert (b"retry-after", b"1") in analytics_refusal(Refusal.TOKEN_UNCHECKED).headers
