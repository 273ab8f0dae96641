"""Query parameters, the method that a POST stands for, and the layout of a reply (G1, G2, B6)."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.config import IngressSettings
from ingress.http.pipeline import Pipeline
from ingress.http.query import PLAIN, parse_query
from serving.http.query import MAX_QUERY_BYTES, BadQuery
from serving.http.replies import json_reply
from serving.http.reply import Reply
from serving.http.request import Request
from tests.ingress.rig import RECORD, Answer, Rig, batch, period, token, update

GET = {"x-http-method-override": "GET"}
FORM = GET | {"content-type": "application/x-www-form-urlencoded"}
LIMITS = "/v1/limits"


async def echo(request: Request) -> Reply:
    """An endpoint that answers with its parameters."""
    return json_reply(200, {"parameters": dict(request.target.query)})


async def echoed(rig: Rig, target: str, headers: Mapping[str, str] | None = None, *body: bytes) -> Answer:
    """The reply of `echo` to a GET, or to a POST if there are headers."""
    pipeline = Pipeline(rig.shared.metrics, rig.stopping, rig.clock, IngressSettings(body_timeout_seconds=1))
    rig.app = pipeline.serving("other", {"GET": echo})
    return await rig.call("POST" if headers else "GET", target, headers, body)


def violation(answer: Answer) -> tuple[int, str, str]:
    error = answer.json["error"]
    return answer.status, error["errors"][0]["reason"], error["details"][0]["fieldViolations"][0]["field"]


# G1


async def test_g1_a_form_that_overrides_its_method_is_the_query_of_a_get(rig: Rig) -> None:
    """Google's clients send a query this way if it is too long for a URL. The parameters in the URL count too."""
    answer = await echoed(rig, "/x?a=url&b=url", FORM, b"b=form&c=%C3", b"%A9+x&alt=json")
    assert {"a": "url", "b": "form", "c": "é x"} == answer.json["parameters"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (GET | {"content-length": "0", "content-type": "application/json"}, b""),
        (GET, b""),
        ({"x-http-method-override": " get "}, b""),
    ],
)
async def test_g1_an_override_without_a_body_is_that_get(rig: Rig, headers: dict[str, str], body: bytes) -> None:
    """Some clients override every method."""
    assert {"a": "url"} == (await echoed(rig, "/x?a=url", headers, body)).json["parameters"]


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", f"{FORM}; charset=latin-1"])
async def test_g1_another_body_is_no_query(rig: Rig, content_type: str) -> None:
    """Otherwise a JSON body would be ignored without an error."""
    answer = await echoed(rig, "/x", GET | {"content-type": content_type}, b"{}")
    assert (415, "unsupportedMediaType") == (answer.status, answer.json["error"]["errors"][0]["reason"])


async def test_g1_a_form_is_bounded_in_size_and_time(rig: Rig) -> None:
    """It is read before its sender is known."""
    long = b"a" * (MAX_QUERY_BYTES + 1)
    announced = await echoed(rig, "/x", FORM | {"content-length": str(len(long))}, b"")
    streamed = await echoed(rig, "/x", FORM, long)
    assert (413, 413) == (announced.status, streamed.status)
    slow = Rig(body_seconds=0.01)
    assert 408 == (await slow.call("POST", LIMITS, FORM, [b"a"], ends=False)).status


async def test_g1_a_post_that_overrides_its_method_with_post_is_a_post(rig: Rig) -> None:
    """Its body is the batch."""
    answer = await rig.post(batch(period(update())), x_http_method_override="post")
    assert (200, 1) == (answer.status, len(rig.topic.records))


@pytest.mark.parametrize("override", ["PUT", "DELETE", "HEAD", "OPTIONS", "", "GET, POST"])
async def test_g1_no_path_takes_another_method(rig: Rig, override: str) -> None:
    """405, and nothing is recorded."""
    answer = await rig.post(batch(period(update())), x_http_method_override=override)
    assert (405, "GET, HEAD, POST") == (answer.status, answer.headers["allow"])
    assert rig.topic.records == []


async def test_g1_only_a_post_overrides_its_method(rig: Rig) -> None:
    """A GET stays a GET."""
    assert 200 == (await rig.call("GET", LIMITS, {"x-http-method-override": "POST"})).status


async def test_g1_the_method_comes_before_the_body_and_the_token(rig: Rig) -> None:
    """A path without GET is 405, whatever the form contains."""
    assert 405 == (await rig.call("POST", "/v1/validate", FORM, [b"alt=media"])).status


# G2


async def test_g2_alt_json_is_what_is_served_anyway(rig: Rig) -> None:
    """Google's clients always send it."""
    plain = await rig.call("GET", LIMITS)
    assert plain.body == (await rig.call("GET", f"{LIMITS}?alt=json")).body
    assert plain.body == (await rig.call("GET", f"{LIMITS}?alt=")).body


@pytest.mark.parametrize("alt", ["media", "proto", "xml", "JSON"])
async def test_g2_another_alt_is_a_bad_request(rig: Rig, alt: str) -> None:
    """Before the token, as Google does."""
    assert (400, "badRequest", "alt") == violation(await rig.call("POST", f"{RECORD}?alt={alt}", {}, [batch()]))


async def test_g2_replies_are_compact_unless_pretty_print_is_true(rig: Rig) -> None:
    """Errors as well."""
    compact, false, true = [
        (await rig.call("GET", LIMITS + query)).body for query in ("", "?prettyPrint=false", "?prettyPrint=true")
    ]
    assert compact == false == json.dumps(json.loads(true), separators=(",", ":")).encode()
    assert true.startswith(b'{\n  "max_body_bytes"')
    error = await rig.call("POST", f"{RECORD}?prettyPrint=true")
    assert (401, b'{\n  "error": {\n    "code"') == (error.status, error.body[:25])
    assert (await rig.call("POST", RECORD)).body.startswith(b'{"error":{"code":401,')


async def test_g2_fields_gives_a_part_of_the_reply(rig: Rig) -> None:
    """The batch counts as without it."""
    whole = await rig.record(period(update(count=3), update("NOBODY_KNOWS")))
    headers = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    again = batch(period(update(count=4), update("NOBODY_KNOWS")), request_id="8")
    part = await rig.call("POST", f"{RECORD}?fields=playerEvents(numEvents),eventFailures/eventId", headers, [again])
    assert {"playerEvents": [{"numEvents": "7"}], "eventFailures": [{"eventId": "NOBODY_KNOWS"}]} == part.json
    assert set(whole.headers) == set(part.headers)


@pytest.mark.parametrize("mask", ["a(", "a%2C", "/", "%20"])
async def test_g2_what_is_no_mask_is_a_bad_request(rig: Rig, mask: str) -> None:
    """The reply names the parameter, and nothing is recorded."""
    answer = await rig.call("POST", f"{RECORD}?fields={mask}", {"authorization": f"Bearer {token()}"}, [batch()])
    assert (400, "badRequest", "fields") == violation(answer)


async def test_g2_errors_are_whole_whatever_the_mask(rig: Rig) -> None:
    """A client must be able to read why."""
    assert "error" in (await rig.call("POST", f"{RECORD}?fields=kind")).json


async def test_g2_only_json_has_fields(rig: Rig) -> None:
    """A probe ignores its query."""
    assert (await rig.call("GET", "/metrics?fields=(&alt=media&x=%FF")).body.startswith(b"# HELP")
    assert {"live": True} == (await rig.call("GET", "/livez?fields=x&prettyPrint=true")).json


async def test_g2_unknown_parameters_are_ignored(rig: Rig) -> None:
    """The parameters that all Google APIs have, and unknown names."""
    ignored = "key=k&quotaUser=q&callback=f&$.xgafv=1&upload_protocol=raw&uploadType=media&foo&=x&&bar=%zz"
    answer = await echoed(rig, f"/x?{ignored}&language=de")
    assert {"foo": "", "": "x", "bar": "%zz", "language": "de"} == answer.json["parameters"]


async def test_g2_of_a_parameter_given_twice_the_last_counts(rig: Rig) -> None:
    """The same is true of a JSON key (B2)."""
    assert {"a": "2"} == (await echoed(rig, "/x?a=1&a=2&alt=media&alt=json")).json["parameters"]


@pytest.mark.parametrize(
    ("query", "named"), [("language=%C3", "language"), ("foo=%ED%A0%80", "foo"), ("%FF=1", "query"), ("\xff", "query")]
)
async def test_g2_text_that_is_no_utf8_is_a_bad_request(rig: Rig, query: str, named: str) -> None:
    """Even if no endpoint reads the parameter: a guess would be a parameter that the client never sent."""
    assert (400, "badRequest", named) == violation(await rig.call("GET", f"{LIMITS}?{query}"))


async def test_g2_a_query_is_bounded(rig: Rig) -> None:
    """The HTTP parser does not bound it."""
    answer = await rig.call("GET", f"{LIMITS}?a=" + "a" * MAX_QUERY_BYTES)
    assert (400, "badRequest", "query") == violation(answer)


@pytest.mark.parametrize("name", ["access_token", "oauth_token", "key", "bearer_token"])
async def test_b6_a_token_in_the_query_is_no_token(rig: Rig, name: str) -> None:
    """Proxies and servers write queries to their logs."""
    secret = token()
    assert 401 == (await rig.call("POST", f"{RECORD}?{name}={secret}", {}, [batch()])).status


async def test_b6_no_endpoint_sees_googles_tokens(rig: Rig) -> None:
    """So no endpoint can use one by mistake."""
    assert {} == (await echoed(rig, "/x?access_token=a&oauth_token=b&key=c")).json["parameters"]


@given(st.binary(max_size=60))
def test_g2_any_query_is_read_or_is_bad(text: bytes) -> None:
    """No other error, whatever is sent."""
    try:
        query = parse_query(text)
    except BadQuery:
        return
    assert all(isinstance(value, str) for value in query.parameters.values())


def test_g2_the_query_that_is_always_sent_costs_nothing() -> None:
    """The hot path: no query, or alt=json."""
    assert parse_query(b"") is parse_query(b"alt=json") is PLAIN
