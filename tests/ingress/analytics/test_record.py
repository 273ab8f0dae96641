"""AddEvent and AddEventBatch on in-memory Kafka and MongoDB: A1-A12, and B1-B8 as they are on these routes."""

import asyncio
import base64
import gzip
import json
import threading
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
import structlog
from structlog.testing import capture_logs

from ingress.analytics import checks, pool_reader
from ingress.http.body_budget import MAX_INLINE_BYTES
from schemas.analytics.body import FORM_TYPE, JSON_TYPE
from schemas.records.receipt import read_receipt
from schemas.settings import Limits, LimitSettings
from tests.ingress.conftest import running_rig
from tests.ingress.rig import NOW, SIGNING, Answer, Rig, token
from tests.patience import PATIENCE_SECONDS
from tests.samples import item, pool
from tests.schemas.analytics.test_body import EXAMPLE, LITERAL

OK = {"StatusCode": 0, "Severity": 1, "StatusMessage": "OK", "Content": True}
A, B, C = item("A", NOW, n=1), item("B", NOW, n=2), item("C", NOW, n=3)
BAD = {"Event": "no time"}


def told(answer: Answer) -> tuple[int, int, int, bool]:
    """HTTP status, StatusCode, Severity, Content."""
    assert {"StatusCode", "Severity", "StatusMessage", "Content"} == answer.json.keys()
    return answer.status, answer.json["StatusCode"], answer.json["Severity"], answer.json["Content"]


def message(answer: Answer) -> str:
    said: str = answer.json["StatusMessage"]
    return said


def titles(rig: Rig) -> list[str]:
    return [one.title for one in rig.pool_worker.items.values()]


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    "path",
    [
        "/AddEventBatch",
        "/addeventbatch/",
        "/ADDEVENTBATCH",
        "/v1/AddEventBatch",
        "/2.4/addEventBatch/",
        "/v10.2.3/AddEventBatch",
    ],
)
async def test_a1_the_path_is_found_in_any_case_with_a_slash_and_a_version(rig: Rig, path: str) -> None:
    """As clients of the first API spell it."""
    assert OK == (await rig.add(pool(A), path)).json
    assert ["A"] == titles(rig)


@pytest.mark.parametrize(
    "path", ["/AddEvents", "/AddEventBatch//", "//AddEventBatch", "/x/AddEventBatch", "/v1/v2/AddEvent", "/AddEvent/1"]
)
async def test_a1_other_paths_are_not_found(rig: Rig, path: str) -> None:
    """Never a redirect."""
    assert 404 == (await rig.add(pool(A), path)).status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_a1_other_methods_are_405_in_the_apis_own_shape(rig: Rig, method: str) -> None:
    """OPTIONS is a browser's preflight, or nothing."""
    answer = await rig.call(method, "/v1/addevent")
    assert ((405, 8, 3, False), "POST") == (told(answer), answer.headers["allow"])


async def test_a1_a_preflight_is_answered() -> None:
    """Without a token; and the answers can be read."""
    rig = Rig(cors_origins=("https://game.example",))
    asked = {"origin": "https://game.example", "access-control-request-method": "POST"}
    answer = await rig.call("OPTIONS", "/AddEvent", asked)
    assert (204, "POST") == (answer.status, answer.headers["access-control-allow-methods"])
    assert "idempotency-key" in answer.headers["access-control-allow-headers"]
    read = await rig.add(b"{}", origin="https://game.example")
    assert "Tallymill-Duplicate" in read.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain;charset=UTF-8",
        "text/plain; charset='us-ascii'",
        f'{FORM_TYPE};charset="UTF8"',
        "x",
        "",
    ],
)
async def test_a2_json_is_read_whatever_it_is_announced_as(rig: Rig, content_type: str) -> None:
    """SendBeacon sends text/plain, curl -d the type of a form."""
    assert OK == (await rig.add(pool(A), content_type=content_type)).json


async def test_a2_a_form_is_read_and_published_as_one(rig: Rig) -> None:
    """The worker reads it by the same content type."""
    form = urlencode({"Token": token(), "mediaInfo": "", "eventData": json.dumps([A, B])}).encode()
    assert OK == (await rig.add(form, bearer="", content_type=FORM_TYPE)).json
    (record,) = rig.analytics_topic.records
    assert FORM_TYPE.encode() == dict(record.headers)["content-type"]
    assert ["A", "B"] == titles(rig)


async def test_a2_event_data_may_be_json_text(rig: Rig) -> None:
    """Inside JSON too."""
    assert OK == (await rig.add(body(eventData=json.dumps([A])))).json


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data; boundary=x", "text/plain; charset=latin-1", "application/json;charset=utf-16"],
)
async def test_a2_multipart_and_other_charsets_are_415(rig: Rig, content_type: str) -> None:
    """Before the body is read."""
    answer = await rig.add(pool(A), content_type=content_type)
    assert (415, 1, 3, False) == told(answer)


async def test_a3_keys_ignore_case_and_one_in_two_spellings_is_400(rig: Rig) -> None:
    """Of envelope and item; `Timstamp` is the document's own."""
    mixed = {"TIMSTAMP": str(NOW), "EVENT": "A", "dAtA": {"Key": 1}}
    assert OK == (await rig.add(body(EVENTDATA=[mixed]))).json
    assert {"Key": 1} == next(iter(rig.pool_worker.items.values())).data
    twice = await rig.add(body(eventData=[A], EventData=[A]))
    assert ((400, 2, 3, False), "eventData: is there in two spellings") == (told(twice), message(twice))


async def test_a4_the_token_is_the_bodys_or_the_headers(rig: Rig) -> None:
    """The same in both will do."""
    for sent, bearer in ((token(), ""), ("", token()), (token(), token()), (None, token())):
        assert OK == (await rig.add(pool(A, Token=sent), bearer=bearer)).json
    assert {b"demo/ann"} == {record.key for record in rig.analytics_topic.records}


async def test_a4_two_tokens_are_400_and_none_or_a_bad_one_401(rig: Rig) -> None:
    """It is unknown whose request it is."""
    two = await rig.add(pool(A, Token=token(sub="bob")))
    assert ((400, 2, 3, False), True) == (told(two), message(two).startswith("Token: "))
    for sent in ("", "x.y.z", token(exp=NOW // 1000 - 1)):
        answer = await rig.add(pool(A, Token=sent), bearer="")
        assert (401, 3, 3, False) == told(answer)
        assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert (400, 2, 3, False) == told(await rig.add(pool(A, Token=7)))
    assert [] == rig.analytics_topic.records


async def test_a4_a_player_needs_no_scope(rig: Rig) -> None:
    """Scopes are the games API's."""
    assert OK == (await rig.add(pool(A), bearer=token(scope="email"))).json


async def test_a4_a_body_is_cut_off_while_it_streams_before_the_token_is_known() -> None:
    """No more than the limit is kept in memory, whoever sends it."""
    rig = Rig(Limits(max_analytics_body_bytes=1024))
    answer = await rig.call("POST", "/AddEvent", {}, [b"{" + b" " * 600, b" " * 600], ends=False)
    assert ((413, 5, 3, False), "close") == (told(answer), answer.headers["connection"])


async def test_a5_one_object_is_an_array_of_one_and_add_event_takes_one(rig: Rig) -> None:
    """Several are for AddEventBatch."""
    assert OK == (await rig.add(body(eventData=A))).json
    assert OK == (await rig.add(body(eventData=[B]), "/AddEvent")).json
    assert (400, 2, 3, False) == told(await rig.add(pool(A, B), "/AddEvent"))
    assert ["A", "B"] == titles(rig)


async def test_a5_no_events_are_fine_and_nothing_is_published(rig: Rig) -> None:
    """Missing and null are not none."""
    assert OK == (await rig.add(pool())).json
    for sent in (body(Token=""), body(eventData=None)):
        answer = await rig.add(sent)
        assert ((400, 2, 3, False), "eventData: is required") == (told(answer), message(answer))
    assert [] == rig.analytics_topic.records


async def test_a5_more_items_than_allowed_are_413() -> None:
    """The app's own limit, once its token is known; the size too."""
    app = {"max_items_per_request": 2, "max_analytics_body_bytes": 1024}
    rig = Rig(LimitSettings.model_validate({"apps": {"demo": app}}))
    assert 200 == (await rig.add(pool(A, B))).status
    assert (413, 5, 3, False) == told(await rig.add(pool(A, B, C)))
    assert (413, 5, 3, False) == told(await rig.add(pool(item("x", text="y" * 2_000))))
    assert 1 == len(rig.analytics_topic.records)


@pytest.mark.parametrize(
    "sent",
    ["4315435114", 1_790_000_000, "1790000000000", 1790000000.5, "2026-09-21T14:13:20Z", "/Date(1790000000000)/"],
)
async def test_a6_timestamps_in_every_form_are_taken(rig: Rig, sent: object) -> None:
    """Also a time in 2106: the worker marks it."""
    assert OK == (await rig.add(pool({"Timestamp": sent, "Event": "A"}))).json


@pytest.mark.parametrize("sent", [None, "", 0, -1, "soon", True, [1]])
async def test_a6_what_is_no_time_is_refused_by_name(rig: Rig, sent: object) -> None:
    """With the position of the event."""
    answer = await rig.add(pool(A, {"Timestamp": sent, "Event": "B"}))
    assert (400, 2, 3, False) == told(answer)
    assert message(answer).startswith("eventData[1].Timestamp: ")


async def test_a7_media_info_is_decoded_or_kept_as_it_is(rig: Rig) -> None:
    """What can't be decoded blocks no phone's pool; it is counted."""
    good = base64.urlsafe_b64encode(b'{"MovieId":35936}').decode().rstrip("=")
    assert OK == (await rig.add(pool(A, mediaInfo=good))).json
    assert OK == (await rig.add(pool(B, mediaInfo="no base64!"))).json
    assert [{"MovieId": 35936}, None] == [one.media.info for one in rig.pool_worker.pools]
    assert "no base64!" == rig.pool_worker.pools[1].media.raw
    assert 1 == rig.metric("media_undecodable_total")
    assert (400, 2, 3, False) == told(await rig.add(pool(A, mediaInfo="x" * 16_385)))


@pytest.mark.parametrize("event", [None, "", " ", 7, "(other)", "a\nb", "x" * 257])
async def test_a8_a_title_that_is_none_is_refused_by_name(rig: Rig, event: object) -> None:
    """And Data that is neither an object nor an array of objects."""
    answer = await rig.add(pool(A | {"Event": event}))
    assert ((400, 2, 3, False), True) == (told(answer), message(answer).startswith("eventData[0].Event: "))
    answer = await rig.add(pool(A | {"Data": [1]}))
    assert ((400, 2, 3, False), True) == (told(answer), message(answer).startswith("eventData[0].Data: "))


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ('{"n": 9223372036854775808}', "Data.n"),
        ('{"a\\u0000b": 1}', "Data.a\\0b"),
        ('{"a":' * 40 + "1" + "}" * 40, "Data.a.a"),
        ('{"a": 1e999}', "Data.a"),
    ],
)
async def test_a9_what_mongodb_can_not_keep_is_refused_with_its_place(rig: Rig, data: str, where: str) -> None:
    """Item and field."""
    sent = b'{"eventData":[{"Timestamp":"%d","Event":"A","Data":%b}]}' % (NOW, data.encode())
    answer = await rig.add(sent)
    assert (400, 2, 3, False) == told(answer)
    assert message(answer).startswith(f"eventData[0].{where}")


async def test_a9_names_that_mean_something_to_mongodb_are_data(rig: Rig) -> None:
    """And so is a NUL in a value."""
    odd = {"$where": 1, "a.b": 2, "": 3, "_id": 4, "$ref": "x", "$id": "y", "nul": "a\0b"}
    assert OK == (await rig.add(pool({"Timestamp": NOW, "Event": "A", "Data": odd}))).json
    assert odd == next(iter(rig.pool_worker.items.values())).data


async def test_a10_a_bad_item_refuses_the_request_and_ten_are_named(rig: Rig) -> None:
    """Nothing of it is published."""
    answer = await rig.add(pool(A, *[BAD] * 12, B))
    assert (400, 2, 3, False) == told(answer)
    said = message(answer)
    assert said.startswith("eventData[1].Timestamp: is required; eventData[2].Timestamp: is required; ")
    assert said.endswith("eventData[10].Timestamp: is required; and more")
    assert [] == rig.analytics_topic.records


async def test_a10_with_partial_the_good_ones_are_registered_and_the_bad_ones_noted(rig: Rig) -> None:
    """The answer has their number and positions."""
    answer = await rig.add(pool(A, BAD, B, "no object"), "/AddEventBatch?partial=true")
    assert (200, 0, 2, True) == told(answer)
    assert message(answer) == (
        "2 of 4 events registered, 2 refused: eventData[1].Timestamp: is required; eventData[3]: must be an object"
    )
    assert ["A", "B"] == titles(rig)
    await rig.shared.refusals.write()
    noted = [(one.cause, one.field, one.first_bytes) for one in rig.store.refused]
    assert [
        ("BAD_ITEM", "eventData[1].Timestamp", b'{"Event": "no time"}'),
        ("BAD_ITEM", "eventData[3]", b'"no object"'),
    ] == noted
    assert 2 == rig.metric("refused_total", api="analytics", cause="BAD_ITEM")


async def test_a10_with_partial_a_request_without_a_good_one_is_refused(rig: Rig) -> None:
    """There is no part to register. A `partial` that is no bool is ignored."""
    assert (400, 2, 3, False) == told(await rig.add(pool(BAD), "/AddEventBatch?partial=true"))
    assert (400, 2, 3, False) == told(await rig.add(pool(BAD, A), "/AddEventBatch?partial=false"))
    odd = await rig.add(pool(A), "/AddEventBatch?partial=yes")
    assert ((400, 2, 3, False), "partial: must be true or false") == (told(odd), message(odd))
    assert [] == rig.analytics_topic.records


async def test_a11_a_pool_sent_again_registers_nothing_twice(rig: Rig) -> None:
    """By its content: [A,B] and then [A,B,C] adds C; equal ones within a request count each."""
    first, again, longer = [await rig.add(pool(*items)) for items in ([A, B], [A, B], [A, B, C])]
    assert [OK, OK, OK] == [first.json, again.json, longer.json]
    assert ["A", "B", "C"] == titles(rig)
    duplicates = ["tallymill-duplicate" in answer.headers for answer in (first, again, longer)]
    assert [False, True, False] == duplicates
    await rig.add(pool(A, A))
    assert ["A", "B", "C", "A"] == titles(rig)


@pytest.mark.parametrize("key", ["p-1", '"p-1"'])
async def test_a11_with_an_id_it_is_position_by_position(rig: Rig, key: str) -> None:
    """In the body, or as Idempotency-Key; the same in both will do."""
    await rig.add(pool(A, A, requestId="p-1"))
    again = await rig.add(pool(A, A), idempotency_key=key)
    both = await rig.add(pool(A, A, requestId="p-1"), idempotency_key=key)
    assert ["true", "true"] == [one.headers["tallymill-duplicate"] for one in (again, both)]
    await rig.add(pool(A, A, requestId="p-2"))
    assert ["A"] * 4 == titles(rig)
    assert {"p-1", "p-2"} == {one.request_id for one in rig.pool_worker.pools}


async def test_a11_ids_that_differ_or_are_none_are_400(rig: Rig) -> None:
    """By name."""
    answer = await rig.add(pool(A, requestId="p-1"), idempotency_key="p-2")
    assert ((400, 2, 3, False), True) == (told(answer), message(answer).startswith("requestId: "))
    for key in ("", '""', "x" * 129, "a b", "\xe9"):
        answer = await rig.add(pool(A), idempotency_key=key)
        assert ((400, 2, 3, False), True) == (told(answer), message(answer).startswith("Idempotency-Key: "))
    assert (400, 2, 3, False) == told(await rig.add(pool(A, requestId="")))
    assert [] == rig.analytics_topic.records


async def test_a12_the_documents_example_is_taken_as_json_and_refused_as_it_stands(rig: Rig) -> None:
    """With line and column. A body that can't be read is not searched for a token."""
    assert OK == (await rig.add(body(**EXAMPLE | {"Token": token()}))).json
    assert EXAMPLE["eventData"][0]["Data"] == next(iter(rig.pool_worker.items.values())).data  # type: ignore[index]
    answer = await rig.add(LITERAL)
    assert (400, 1, 3, False) == told(answer)
    assert "line 2 column 1" in message(answer)


async def test_b1_the_checks_come_in_their_order() -> None:
    """Each request has all that is wrong with the ones after it."""
    rig = Rig(Limits(max_analytics_body_bytes=1024, max_items_per_request=1, max_requests_per_player=1))
    big, multipart = {"content_length": "1025"}, {"content_type": "multipart/x"}
    malformed, wrong = b"{", pool(A, B, requestId="")
    assert 413 == (await rig.add(malformed, bearer="no", **big, **multipart)).status
    assert 415 == (await rig.add(malformed, bearer="no", **multipart)).status
    assert 413 == (await rig.add(malformed + b" " * 1024, bearer="no")).status
    assert (400, 1) == told(await rig.add(malformed, bearer="no"))[:2]
    assert 401 == (await rig.add(wrong, bearer="no")).status
    assert (400, 2) == told(await rig.add(wrong))[:2]
    assert 413 == (await rig.add(pool(A, B))).status
    assert 200 == (await rig.add(pool())).status
    assert 429 == (await rig.add(pool())).status
    assert [] == rig.analytics_topic.records


async def test_b1_the_rate_is_its_own() -> None:
    """Neither API spends the other's."""
    rig = Rig(Limits(max_requests_per_player=1), apply_seconds=0)
    assert 200 == (await rig.add(pool(A))).status
    assert 200 == (await rig.record()).status
    answer = await rig.add(pool(B))
    assert (429, 6, 2, False) == told(answer)
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("sent", "code"),
    [(b"\xef\xbb\xbf" + pool(A), 1), (b'{"a":"\xff"}', 1), (b'{"a":NaN}', 1), (b'{"Token":"\\ud800"}', 1), (b"{", 1)],
)
async def test_b2_what_is_no_json_is_told_as_such(rig: Rig, sent: bytes, code: int) -> None:
    """Not as a field."""
    assert (400, code, 3, False) == told(await rig.add(sent))


async def test_b3_bodies_may_be_encoded(rig: Rig) -> None:
    """A coding that is not read is 415, one that is damaged 400."""
    assert OK == (await rig.add(gzip.compress(pool(A)), content_encoding="gzip")).json
    answer = await rig.add(pool(A), content_encoding="br")
    assert ((415, 1, 3, False), True) == (told(answer), "gzip" in answer.headers["accept-encoding"])
    assert (400, 1, 3, False) == told(await rig.add(b"no gzip", content_encoding="gzip"))


async def test_b6_an_anonymous_actor_is_marked_and_may_be_shut_out(rig: Rig) -> None:
    """Where the app takes none: 403."""
    assert OK == (await rig.add(pool(A), bearer=token(anonymous=True))).json
    assert [b"demo/~ann"] == [record.key for record in rig.analytics_topic.records]
    assert OK == (await Rig(anonymous_apps=("demo",)).add(pool(A), bearer=token(anonymous=True))).json
    other = await Rig(anonymous_apps=("other",)).add(pool(A), bearer=token(anonymous=True))
    assert ((403, 4, 3, False), True) == (told(other), "www-authenticate" in other.headers)


@pytest.mark.parametrize("content_type", [JSON_TYPE, FORM_TYPE])
async def test_b6_no_credential_reaches_kafka_a_log_or_the_refusals(
    rig: Rig, capfd: pytest.CaptureFixture[str], content_type: str
) -> None:
    """The body's token is blanked, all else is published byte for byte."""
    secret, bad = token(), {"Event": "no time", "x": token()}

    def sent(bearer: str, *items: object) -> bytes:
        fields = {"mediaInfo": "", "token": bearer, "eventData": json.dumps(items)}
        return body(**fields) if content_type == JSON_TYPE else urlencode(fields).encode()

    async def add(*items: object) -> Answer:
        return await rig.add(sent(secret, *items), "/AddEventBatch?partial=true", "", content_type=content_type)

    with capture_logs(processors=[structlog.processors.format_exc_info]) as logs:
        answers = [await add(A), await add(A, bad), await add(bad)]
        rig.analytics_topic.away = True
        answers.append(await add(A))
    assert [200, 200, 400, 503] == [one.status for one in answers]
    await rig.shared.refusals.write()
    assert 2 == len(rig.store.refused)
    assert [sent("", A), sent("", A, bad)] == [record.body for record in rig.analytics_topic.records]
    headers = [record.headers for record in rig.analytics_topic.records]
    metrics = (await rig.call("GET", "/metrics")).body
    everything = repr((logs, capfd.readouterr(), rig.store.refused, headers, answers, metrics))
    assert [] == [part for part in (secret, *secret.split(".")) if part in everything]


async def test_b6_one_players_items_are_another_actors_no_duplicates(rig: Rig) -> None:
    """The same pool and the same id, of a player, another, and an anonymous one of that name."""
    for claims in ({}, {"sub": "bob"}, {"anonymous": True}, {"app": "other"}):
        answer = await rig.add(pool(A, requestId="p"), bearer=token(**claims))
        assert "tallymill-duplicate" not in answer.headers
    assert 4 == len(rig.pool_worker.items)


async def test_b7_ok_waits_until_it_is_registered_and_has_a_receipt(rig: Rig) -> None:
    """The receipt shows its fate, although its lineage is of the other topic."""
    answer = await rig.add(pool(A))
    receipt = answer.headers["tallymill-receipt"]
    assert "r2" == read_receipt(receipt, SIGNING).coordinates.lineage
    assert "visible;dur=" in answer.headers["server-timing"]
    state = await rig.call("GET", f"/v1/receipts/{receipt}")
    assert {"receipt": receipt, "state": "applied", "cause": None} == state.json
    again = await rig.add(pool(A))
    assert "duplicate" == (await rig.call("GET", f"/v1/receipts/{again.headers['tallymill-receipt']}")).json["state"]


async def test_b7_respond_async_does_not_wait(rig: Rig) -> None:
    """Its receipt is pending until a worker comes."""
    rig.pool_worker.rests = True
    answer = await rig.add(pool(A), prefer="respond-async")
    assert OK == answer.json
    assert "visible" not in answer.headers["server-timing"]
    state = await rig.call("GET", f"/v1/receipts/{answer.headers['tallymill-receipt']}")
    assert "pending" == state.json["state"]


async def test_b8_a_body_of_the_whole_size_is_taken_beside_the_loop(rig: Rig) -> None:
    """Read in a thread; the limit is of decoded bytes."""
    limit = Limits().max_analytics_body_bytes
    text = "x" * 200_000
    items = [item("A", NOW, n=n, text=text) for n in range(limit // 200_200 - 1)]
    assert OK == (await rig.add(gzip.compress(pool(*items), 1), content_encoding="gzip")).json
    assert len(items) == len(rig.pool_worker.items)
    bomb = gzip.compress(b" " * (limit + 1), 1)
    assert (413, 5, 3, False) == told(await rig.add(bomb, content_encoding="gzip"))


@pytest.mark.parametrize("step", ["read_sent", "parse_analytics"])
async def test_b8_others_are_answered_while_a_large_pool_is_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """B8: neither step of it holds up the loop; this one ends only when another request has been answered."""
    begun, others_answered = threading.Event(), threading.Event()
    module = pool_reader if step == "read_sent" else checks
    right: Callable[..., object] = vars(module)[step]

    def held(*given: object, **more: object) -> object:
        begun.set()
        assert others_answered.wait(PATIENCE_SECONDS)
        return right(*given, **more)

    monkeypatch.setattr(module, step, held)
    adding = asyncio.create_task(rig.add(pool(item("A", NOW, text="x" * MAX_INLINE_BYTES))))
    assert await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
    assert 200 == (await rig.call("GET", "/livez")).status
    others_answered.set()
    assert OK == (await adding).json


async def test_what_is_refused_after_the_token_is_noted(rig: Rig) -> None:
    """Cause and field of the first."""
    await rig.add(pool(BAD))
    await rig.add(pool(A), "/AddEvent", bearer=token(), idempotency_key="a b")
    await rig.add(b"{")
    await rig.shared.refusals.write()
    assert [("MALFORMED", "eventData[0].Timestamp"), ("MALFORMED", "Idempotency-Key")] == [
        (one.cause, one.field) for one in rig.store.refused
    ]


async def test_an_ingress_is_ready_when_both_topics_are_there(rig: Rig) -> None:
    """And it says which is missing."""
    rig.analytics_topic.away = True
    answer = await rig.call("GET", "/readyz")
    assert (503, ["kafka analytics"]) == (answer.status, answer.json["missing"])


async def test_a_pool_that_the_worker_could_not_register_is_no_ok() -> None:
    """B7: OK would be a lie."""
    rig = Rig()
    async for running in running_rig(rig):
        running.pool_worker.refuses = True
        answer = await running.add(pool(A))
        assert (500, 9, 2, False) == told(answer)
        assert "tallymill-receipt" in answer.headers
