"""A body of AddEvent and AddEventBatch: its forms, its fields, its items' identities."""

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.analytics.body import (
    FORM_TYPE,
    JSON_TYPE,
    AnalyticsBatch,
    MalformedAnalytics,
    TooManyItems,
    identities,
    parse_analytics,
    read_sent,
)
from schemas.analytics.media import NO_MEDIA, Media, decode_media

A = {"Timestamp": "1790000000", "Event": "A", "Data": {"n": 1}}
B = {"Timestamp": "1790000001", "Event": "B", "Data": [{"n": 1}, {"n": 2}]}
C = {"Timestamp": "1790000002", "Event": "C"}
EXAMPLE = {
    "Token": "secret",
    "mediaInfo": "",
    "eventData": [
        {
            "Timestamp": "4315435114",
            "Event": "Navigation",
            "Data": [
                {"ChannelListed": "channel_name1", "ProductId": "123"},
                {"PageViewed": "page_name1", "ProductId": "123"},
                {"ButtonClicked": "button_name1", "ProductId": "123"},
                {"ButtonClicked": "button_name2", "ProductId": "123"},
                {"PageViewed": "page_name2", "ProductId": "456"},
            ],
        }
    ],
}
LITERAL = b"""{
Token: "",
mediaInfo: "",
eventData: [
"Timestamp" : "4315435114",
"""


def body(**fields: object) -> bytes:
    return json.dumps({"Token": "secret", **fields}).encode()


def batch(sent: bytes, content_type: str = JSON_TYPE, **options: bool) -> AnalyticsBatch:
    return parse_analytics(read_sent(sent, content_type), 10, **options)


def wrong(sent: bytes, content_type: str = JSON_TYPE, **options: bool) -> list[tuple[str, str]]:
    with pytest.raises(MalformedAnalytics) as error:
        batch(sent, content_type, **options)
    return [(violation.field, violation.description) for violation in error.value.violations]


def test_a12_the_documents_example_as_json_is_taken_in_its_order() -> None:
    """Five Data objects of one event."""
    found = batch(json.dumps(EXAMPLE).encode())
    assert EXAMPLE["eventData"][0]["Data"] == found.items[0].data  # type: ignore[index]


def test_a12_the_documents_literal_example_is_refused_with_line_and_column() -> None:
    """Its keys have no quotes."""
    with pytest.raises(MalformedAnalytics, match="line 2 column 1") as error:
        batch(LITERAL)
    assert error.value.is_json


@pytest.mark.parametrize("content_type", [JSON_TYPE, "text/plain", FORM_TYPE])
def test_a2_a_body_that_begins_like_an_object_is_json_whatever_is_announced(content_type: str) -> None:
    """SendBeacon says text/plain, curl -d says form."""
    assert ["A"] == [item.title for item in batch(b" \n" + body(eventData=[A]), content_type).items.values()]


def test_a2_a_form_holds_the_same_fields() -> None:
    """EventData is JSON text there."""
    form = urlencode({"Token": "secret", "MediaInfo": "", "eventDATA": json.dumps([A, B]), "unknown": "x"}).encode()
    sent = read_sent(form, "text/plain")
    assert ("secret", FORM_TYPE) == (sent.token, sent.content_type)
    assert ["A", "B"] == [item.title for item in parse_analytics(sent, 10).items.values()]


def test_a2_event_data_may_be_json_text_inside_json() -> None:
    """And text that is not JSON is refused by name."""
    assert ["A"] == [item.title for item in batch(body(eventData=json.dumps(A))).items.values()]
    assert [("eventData", "is text that is not JSON: Expecting value: line 1 column 1")] == wrong(body(eventData="x"))


@pytest.mark.parametrize("sent", [b"[1]", b"", b"\xff", b"null"])
def test_a2_what_is_announced_as_json_and_is_none_is_refused_as_json(sent: bytes) -> None:
    """Not taken for a strange form."""
    with pytest.raises(MalformedAnalytics) as error:
        batch(sent)
    assert error.value.is_json


def test_a2_a_form_of_too_many_fields_is_refused() -> None:
    """Bounded."""
    with pytest.raises(MalformedAnalytics, match="neither a JSON object nor a form"):
        batch(b"&".join([b"a=1"] * 101), FORM_TYPE)


@pytest.mark.parametrize("key", ["token", "TOKEN", "Token"])
def test_a3_envelope_keys_ignore_case(key: str) -> None:
    """The document itself mixes them."""
    sent = json.dumps({key: "t", "EVENTDATA": [A]}).encode()
    assert "t" == read_sent(sent, JSON_TYPE).token
    assert 1 == len(batch(sent).items)


def test_a3_one_key_in_two_spellings_is_refused() -> None:
    """Which one is meant, nobody knows; of one spelling given twice the last counts."""
    assert [("Token", "is there in two spellings")] == wrong(b'{"Token": "a", "token": "b", "eventData": []}')
    assert "b" == read_sent(b'{"Token": "a", "Token": "b"}', JSON_TYPE).token


@given(
    st.text(max_size=20),
    st.sampled_from(["Token", "token", "T\\u006fken"]),
    st.sampled_from(["", " ", "\n\t"]),
    st.text(max_size=10),
)
def test_b6_a_token_is_blanked_in_its_place_and_all_else_kept(token: str, key: str, blank: str, other: str) -> None:
    """Byte for byte, however the key is spelt."""
    before, after = f'{{"x":{json.dumps(other)},{blank}"{key}"{blank}:{blank}', f'{blank},"eventData":[]}}'
    sent = read_sent(f"{before}{json.dumps(token, ensure_ascii=False)}{after}".encode(), JSON_TYPE)
    assert f'{before}""{after}'.encode() == sent.blanked
    assert None is read_sent(sent.blanked, JSON_TYPE).token


def test_b6_every_token_is_blanked_in_json_and_in_a_form() -> None:
    """Of one given twice, both; in a form, too."""
    assert b'{"Token": "", "Token": ""}' == read_sent(b'{"Token": {"b": 1}, "Token": "a"}', JSON_TYPE).blanked
    assert b"a=1&t%6Fken=&b&token" == read_sent(b"a=1&t%6Fken=secret&b&token", FORM_TYPE).blanked


@pytest.mark.parametrize("name", ["%74%6F%6b%65%6E", "TO%E2%84%AAEN", "To\u212aen", "+token", "token%20"])
def test_b6_a_forms_token_is_blanked_however_its_name_is_escaped(name: str) -> None:
    """What is read as the token is blanked, and nothing else."""
    sent = read_sent(f"{name}=secret&eventData=[]&{'%74' * 10_000}=kept".encode(), FORM_TYPE)
    assert ("secret" == sent.token) == (f"{name}=&" in sent.blanked.decode())
    assert sent.blanked.endswith(b"=kept")


@pytest.mark.parametrize("field", ["Token", "mediaInfo", "requestId"])
def test_b2_a_field_of_another_type_is_refused_by_name(field: str) -> None:
    """A token, too."""
    with pytest.raises(MalformedAnalytics, match=f"{field}: must be a string"):
        batch(body(eventData=[A], **{field: 7}))


def test_a5_one_object_is_an_array_of_one_and_add_event_takes_no_more() -> None:
    """An empty pool is no mistake; a missing one is."""
    assert 1 == len(batch(body(eventData=A)).items)
    assert 1 == len(batch(body(eventData=[A]), single=True).items)
    assert {} == batch(body(eventData=[])).items
    assert [("eventData", "AddEvent takes one event: send several to AddEventBatch")] == wrong(
        body(eventData=[A, B]), single=True
    )
    assert [("eventData", "is required")] == wrong(body()) == wrong(body(eventData=None))
    assert [("eventData", "must be an object or an array of objects")] == wrong(body(eventData=7))


def test_a5_more_items_than_the_limit_are_too_many() -> None:
    """Equal to the limit passes."""
    assert 10 == len(batch(body(eventData=[A] * 10)).items)
    with pytest.raises(TooManyItems, match="11 items"):
        batch(body(eventData=[A] * 11))


def test_a10_bad_items_are_named_with_their_place_and_field() -> None:
    """The good ones are there too, for who wants them."""
    found = batch(body(eventData=[A, {**B, "Timestamp": ""}, "x", C]))
    assert ({0, 3}, frozenset({1, 2})) == (set(found.items), found.bad_positions)
    assert ["eventData[1].Timestamp", "eventData[2]"] == [violation.field for violation in found.bad]


def test_a10_as_many_bad_items_are_told_as_a_client_can_read() -> None:
    """All their places are known."""
    found = parse_analytics(read_sent(body(eventData=[1] * 50), JSON_TYPE), 100)
    assert (20, 50) == (len(found.bad), len(found.bad_positions))


@pytest.mark.parametrize("pad", ["", "=", "=="])
def test_a7_media_info_is_decoded_in_both_alphabets_with_or_without_padding(pad: str) -> None:
    """Blanks inside are ignored."""
    info = {"MovieId": 35936, "title": "???>>>"}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(json.dumps(info).encode()).decode().rstrip("=")
        assert Media(info=info) == decode_media(f"{text[:5]} \n{text[5:]}{pad}")


@pytest.mark.parametrize(
    "sent", ["abcde", "!!!", "W10=", "eyJh", base64.b64encode(b'{"a": 9223372036854775808}').decode()]
)
def test_a7_media_info_that_can_not_be_decoded_is_kept_as_it_was_sent(sent: str) -> None:
    """It would block a phone's pool for ever."""
    assert Media(raw=sent) == batch(body(eventData=[A], mediaInfo=sent)).media


def test_a7_no_media_info_is_none() -> None:
    """Absent, null or empty."""
    assert NO_MEDIA == decode_media(None) == decode_media("") == batch(body(eventData=[A], mediaInfo=None)).media


def test_a7_media_info_is_bounded_alone_and_with_its_copies() -> None:
    """16 KiB, and 16 MiB over all items."""
    assert "mediaInfo" == wrong(body(eventData=[A], mediaInfo="a" * 16_385))[0][0]
    many = read_sent(body(eventData=[A] * 1_025, mediaInfo="a" * 16_384), JSON_TYPE)
    with pytest.raises(MalformedAnalytics, match="kept with every event"):
        parse_analytics(many, 10_000)


@pytest.mark.parametrize("sent", ["", "x" * 129])
def test_a11_a_request_id_is_bounded(sent: str) -> None:
    """1 to 128 characters."""
    assert [("requestId", "must have 1 to 128 characters")] == wrong(body(eventData=[A], requestId=sent))


def test_a11_a_pool_sent_again_with_one_more_adds_that_one_alone() -> None:
    """[A, B] and then [A, B, C]; equal items in one request are two."""
    first = identities(batch(body(eventData=[A, B, A])), "demo/ann", None)
    again = identities(batch(body(eventData=[B, A, C, A])), "demo/ann", None)
    assert 3 == len(set(first.values()))
    assert set(first.values()) == set(again.values()) - {again[2]}


def test_a11_the_same_event_spelt_otherwise_is_the_same() -> None:
    """Case of keys, order of Data's keys, the form of its time; not its data."""
    spelt = {"DATA": {"b": 1, "a": 2}, "event": " A", "timstamp": 1790000000000}
    one = {"Timestamp": "1790000000", "Event": "A", "Data": {"a": 2, "b": 1}}
    found = identities(batch(body(eventData=[one])), "demo/ann", None)
    assert found == identities(batch(body(eventData=[spelt])), "demo/ann", None)
    assert found != identities(batch(body(eventData=[{**one, "Data": {"a": 2}}])), "demo/ann", None)
    assert found != identities(batch(body(eventData=[one])), "demo/bob", None)


def test_a11_with_a_request_id_the_place_is_the_identity() -> None:
    """So equal items in two requests are two."""
    one = identities(batch(body(eventData=[A, "bad", B])), "demo/ann", "r1")
    assert [0, 2] == list(one)
    assert one == identities(batch(body(eventData=[C, "bad", C])), "demo/ann", "r1")
    assert not set(one.values()) & set(identities(batch(body(eventData=[A, A, A])), "demo/ann", "r2").values())


@given(st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=3))
def test_b2_any_form_reads_back_or_is_refused(fields: dict[str, object]) -> None:
    """Never an error of ours, and blanking changes nothing where there is no token."""
    form = urlencode({f"f{key}": str(value) for key, value in fields.items()}, quote_via=quote).encode()
    assert form == read_sent(form, FORM_TYPE).blanked
