"""Compressed bodies and replies (B3)."""

import gzip
import json
import secrets
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.http.body import require_json
from ingress.http.encoding import (
    MAX_ACCEPT_BYTES,
    MAX_CODING_BYTES,
    MIN_ENCODED_BYTES,
    Damaged,
    Decoder,
    UnknownCoding,
    content_coding,
    reply_coding,
)
from schemas.errors.table import Refusal
from schemas.settings import Limits
from serving.http.request import headers_by_name
from serving.refused import Refused
from tests.ingress.rig import RECORD, Answer, Rig, batch, period, token, update

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = Limits().max_body_bytes


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "stored deflate": ("deflate", lambda body: zlib.compress(body, 0)),
    "zstd": ("zstd", zstd.compress),
}
every_coding = pytest.mark.parametrize("kind", ENCODERS)


def sent(kind: str, body: bytes) -> tuple[str, bytes]:
    """The header's value, and the body in it."""
    name, encode = ENCODERS[kind]
    return name, encode(body)


async def in_parts(rig: Rig, coding: str, body: bytes, size: int) -> Answer:
    headers = {"authorization": f"Bearer {token()}", "content-encoding": coding}
    return await rig.call("POST", RECORD, headers, [body[at : at + size] for at in range(0, len(body), size)])


def decoded(coding: str, parts: list[bytes], at_most: int = 1 << 20) -> bytes:
    decoder = Decoder(coding.lower().removeprefix("x-").encode())
    out = b"".join(decoder.decoded(part, at_most) for part in parts)
    decoder.finish()
    return out


@every_coding
async def test_b3_an_encoded_body_is_a_batch_and_is_published_decoded(rig: Rig, kind: str) -> None:
    """Whole, or a byte at a time; what a worker reads is what was judged and sealed."""
    for number, size in enumerate((1 << 20, 1), 7):
        body = batch(period(update(count=2)), request_id=str(number))
        coding, encoded = sent(kind, body)
        answer = await in_parts(rig, coding, encoded, size)
        assert (200, []) == (answer.status, answer.json["batchFailures"])
        assert body == rig.topic.records[-1].body
    assert "4" == answer.json["playerEvents"][0]["numEvents"]


@every_coding
async def test_b3_the_limit_is_of_decoded_bytes(rig: Rig, kind: str) -> None:
    """Just the limit passes, a byte more does not (B8)."""
    body = batch(period(update()))
    for padding, status in ((LIMIT - len(body), 200), (LIMIT - len(body) + 1, 413)):
        coding, encoded = sent(kind, body + b" " * padding)
        expected = status if len(encoded) <= LIMIT else 413  # what compressing makes longer is too long on the wire
        assert expected == (await in_parts(rig, coding, encoded, 65_536)).status


async def test_b8_a_body_of_just_the_limit_may_announce_its_size(rig: Rig) -> None:
    body = batch(period(update()))
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        assert status == (await rig.post(body.ljust(size), content_length=str(size))).status


@pytest.mark.parametrize("kind", ["gzip", "deflate", "raw deflate", "zstd"])
async def test_b3_a_bomb_is_413_and_is_never_held(rig: Rig, kind: str) -> None:
    """64 MiB that come in one part of a few kB: at most the limit and a byte are decoded."""
    coding, bomb = sent(kind, b" " * (64 << 20))
    assert len(bomb) < 200_000
    tracemalloc.start()
    answer = await in_parts(rig, coding, bomb, len(bomb))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (413, "close") == (answer.status, answer.headers["connection"])
    assert peak < 4 * LIMIT


async def test_b3_a_stream_that_decodes_to_nothing_is_bounded_too(rig: Rig) -> None:
    """Empty blocks without end would otherwise be read for ever."""
    empty_blocks = b"\x78\x9c" + b"\x00\x00\x00\xff\xff" * (LIMIT // 5 + 1)
    assert 413 == (await in_parts(rig, "deflate", empty_blocks, 65_536)).status


@pytest.mark.parametrize("kind", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "empty", "junk", "twice", "late junk", "flipped", "plain"])
async def test_b3_what_is_no_whole_stream_is_400(rig: Rig, kind: str, damage: str) -> None:
    """The answer says what is wrong, and nothing is recorded."""
    body = batch(period(update()))
    coding, whole = sent(kind, body)
    size = len(whole) if damage == "late junk" else 1 << 20
    encoded = {
        "cut": whole[:-1],
        "empty": b"",
        "junk": whole + b"x",
        "twice": whole * 2,
        "late junk": whole + b"x",
        "flipped": whole[:20] + bytes([whole[20] ^ 0xFF]) + whole[21:],
        "plain": body,
    }[damage]
    answer = await in_parts(rig, coding, encoded, size)
    error = answer.json["error"]
    if damage != "flipped" or kind != "zstd":  # zstd.compress writes no checksum: what comes out is no JSON
        assert kind in error["message"]
    assert (400, "INVALID_ARGUMENT", "badRequest") == (answer.status, error["status"], error["errors"][0]["reason"])
    assert rig.topic.records == []


@pytest.mark.parametrize("coding", ["br", "gzip, zstd", "gzip,gzip", "compress", "gzip;q=1", "*"])
async def test_b3_an_encoding_we_do_not_read_is_415_and_says_which_we_do(rig: Rig, coding: str) -> None:
    """Several in a row are not read either."""
    answer = await rig.post(b"{}", content_encoding=coding)
    assert (415, "gzip, deflate, zstd") == (answer.status, answer.headers["accept-encoding"])
    assert "unsupportedMediaType" == answer.json["error"]["errors"][0]["reason"]


@every_coding
def test_b3_what_follows_a_stream_is_noticed_wherever_it_is_cut(kind: str) -> None:
    """Also where a part ends with the stream."""
    coding, whole = sent(kind, b"{}")
    decoder = Decoder(coding.lower().removeprefix("x-").encode())
    with pytest.raises(Damaged, match="goes on after the end"):
        list(decoder.slices(whole + b"x", len(whole)))


def test_b3_a_list_of_encodings_is_not_read_to_its_end() -> None:
    """The longest head would take milliseconds."""
    assert b"gzip" == content_coding(b"gzip".rjust(MAX_CODING_BYTES, b","))
    with pytest.raises(UnknownCoding):
        content_coding(b"gzip".rjust(MAX_CODING_BYTES + 1, b","))
    assert "gzip" == reply_coding(b"gzip".rjust(MAX_ACCEPT_BYTES, b","))
    assert None is reply_coding(b",gzip".rjust(MAX_ACCEPT_BYTES + 5, b","))


def test_b3_two_encoding_headers_are_two_encodings() -> None:
    """RFC 9110: a list may come in several lines; of other headers the first counts."""
    lines = [(b"a", b"1"), (b"content-encoding", b"gzip"), (b"content-encoding", b"zstd"), (b"a", b"2")]
    headers = headers_by_name(lines)
    assert {b"a": b"1", b"content-encoding": b"gzip,zstd"} == headers
    with pytest.raises(Refused) as refused:
        require_json(headers)
    assert Refusal.ENCODING == refused.value.refusal


@pytest.mark.parametrize("coding", ["identity", "Identity", "", " , "])
async def test_b3_no_encoding_may_be_said(rig: Rig, coding: str) -> None:
    """`identity` is none."""
    assert 200 == (await rig.post(batch(), content_encoding=coding)).status


async def test_b1_an_encoding_is_looked_at_after_the_token(rig: Rig) -> None:
    """401 before 415."""
    assert 401 == (await rig.call("POST", RECORD, {"content-encoding": "br"}, [b"x"])).status


async def test_g1_a_form_may_be_encoded_and_is_bounded_decoded(rig: Rig) -> None:
    """As any body."""
    headers = {
        "x-http-method-override": "GET",
        "content-type": "application/x-www-form-urlencoded",
        "content-encoding": "gzip",
    }
    answer = await rig.call("POST", "/v1/limits", headers, [gzip.compress(b"fields=max_body_bytes")])
    assert {"max_body_bytes": LIMIT} == answer.json
    assert 413 == (await rig.call("POST", "/v1/limits", headers, [gzip.compress(b"a" * 100_000)])).status


@given(st.binary(max_size=300), st.sampled_from(sorted(ENCODERS)), st.lists(st.integers(0, 400), max_size=6))
def test_b3_any_split_decodes_to_the_same(body: bytes, kind: str, cuts: list[int]) -> None:
    """However a network cuts it; empty parts too."""
    coding, encoded = sent(kind, body)
    at = [0, *sorted(cuts), len(encoded)]
    parts = [encoded[a:b] for a, b in pairwise(at)]
    assert body == decoded(coding, parts)


@given(st.binary(max_size=200), st.sampled_from(sorted(ENCODERS)), st.integers(0, 400))
def test_b3_no_part_of_a_stream_is_a_whole_one(body: bytes, kind: str, cut: int) -> None:
    """A connection that broke must not leave a shorter batch."""
    coding, encoded = sent(kind, body)
    with pytest.raises(Damaged):
        decoded(coding, [encoded[: min(cut, len(encoded) - 1)]])


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_b3_any_bytes_are_a_stream_or_damaged(body: bytes, coding: str) -> None:
    """No other error, whatever is sent."""
    try:
        decoded(coding, [body])
    except Damaged:
        return


def test_b3_a_zstd_frame_that_wants_a_huge_window_is_refused() -> None:
    """It would have us hold that window."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.checksum_flag: 1}
    stream = zstd.ZstdCompressor(options=options)
    with pytest.raises(Damaged):
        decoded("zstd", [stream.compress(b"x"), stream.flush()])


# Replies


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.8", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000, *", "zstd"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("br", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.2, gzip;q=0.5", "gzip"),
        ("identity;q=0", None),
        ("x-gzip", "gzip"),
        ("GZIP ; q=1.0", "gzip"),
        ("gzip;q=high, zstd;q=2", None),
        ("", None),
    ],
)
def test_b3_a_reply_is_encoded_as_the_client_likes_best(accepted: str, coding: str | None) -> None:
    """By quality, then zstd before gzip; what can't be read is no wish."""
    assert coding == reply_coding(accepted.encode())


LONG = json.dumps(dict.fromkeys((secrets.token_hex(8) for _ in range(20)), 1)).encode()
DECODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "zstd": zstd.decompress}


async def long_answer(rig: Rig, **headers: str) -> Answer:
    """A reply of a few kB: one violation a field."""
    return await rig.post(LONG, **headers)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_b3_a_long_reply_is_encoded_only_when_asked(rig: Rig, coding: str) -> None:
    """The decoded reply is the same, and shorter on the way."""
    plain, encoded = await long_answer(rig), await long_answer(rig, accept_encoding=coding)
    assert "content-encoding" not in plain.headers
    assert coding == encoded.headers["content-encoding"]
    assert ["Accept-Encoding"] * 2 == [plain.headers["vary"], encoded.headers["vary"]]
    assert plain.body == DECODERS[coding](encoded.body)
    assert len(encoded.body) == int(encoded.headers["content-length"]) < len(plain.body)


async def test_b3_a_short_reply_is_not_encoded(rig: Rig) -> None:
    """It would be longer, and cost the hot path."""
    answer = await rig.record(period(update()), accept_encoding="gzip, zstd")
    assert len(answer.body) < MIN_ENCODED_BYTES
    assert {"content-encoding", "vary"}.isdisjoint(answer.headers)


async def test_b3_a_head_request_is_told_the_plain_length(rig: Rig) -> None:
    """Nothing is encoded that isn't sent."""
    get, head = [await rig.call(method, "/metrics", {"accept-encoding": "gzip"}) for method in ("GET", "HEAD")]
    assert "gzip" == get.headers["content-encoding"]
    assert "content-encoding" not in head.headers


async def test_b3_no_reply_begins_with_a_bom(rig: Rig) -> None:
    """Google's client would give its caller a text, not an object."""
    answers = [await rig.call("GET", path) for path in ("/v1/limits", "/v1/limits?prettyPrint=true", "/x", "/readyz")]
    answers.append(await rig.record(period(update())))
    assert {b"{"} == {answer.body[:1] for answer in answers}
