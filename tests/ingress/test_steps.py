"""Decoders of what a stranger sends take steps in proportion to its bytes: twice as much input, twice as many steps.

Steps are Python's own instructions, counted on inputs of n and 2n for each way an input can grow. What happens within
one call of a C function isn't seen: patterns of regular expressions are possessive where they repeat.
"""

import gzip
import sys
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from types import FrameType
from typing import Any

import pytest

from ingress.analytics.token_scan import token_in
from ingress.delivery.deliver import _responds_async
from ingress.games.language import _accepted, languages_asked
from ingress.http.address_limit import client_address
from ingress.http.body import require_text, unpacked
from ingress.http.encoding import UnknownCoding, content_coding, reply_coding
from ingress.http.field_mask import MAX_MASK_DEPTH, BadMask, Mask, parse_mask, selected
from ingress.http.query import MAX_PARAMETERS, parse_query
from serving.http.query import BadQuery
from serving.http.request import headers_by_name

# Of a fixed cost, and of memory that is made larger now and then.
SLACK = 1.3
SIZE = 400


def steps(work: Callable[[], object]) -> int:
    """The number of Python instructions of `work`. Refusals count too."""
    taken = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 a trace function
        nonlocal taken
        frame.f_trace_opcodes = True
        taken += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except (BadQuery, BadMask, UnknownCoding):
        pass
    finally:
        sys.settrace(before)
    return taken


TRUSTED = [ip_network("10.0.0.0/8")]
PEER = ip_address("10.0.0.1")


def asked(header: bytes) -> object:
    _accepted.cache_clear()
    return languages_asked(None, header)


LINEAR: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "query": (parse_query, [b"a=1&", b"a&", b"&", b"%41", b"a=%F0%9F%98%80&", b"+", b"=", b"fields=a&", b"%", b"%zz"]),
    "mask": (
        lambda text: parse_mask(text.decode()),
        [b"a,", b"a/", b"a(", b"a(b),", b"*,", b"*(", b")", b"a(b,c/d)/", b"aaaa"],
    ),
    "accept-encoding": (reply_coding, [b"gzip,", b",", b"a;q=0.1,", b"gzip;q=1;q=1", b" "]),
    "content-encoding": (content_coding, [b"gzip,", b",", b" ,", b"a"]),
    "accept-language": (asked, [b"en,", b",", b"en-US;q=0.1,", b"a-", b";", b"x-"]),
    "prefer": (lambda text: _responds_async({b"prefer": text}), [b"wait=1,", b",", b";", b"respond-async;"]),
    "forwarded": (
        lambda text: client_address(PEER, text, TRUSTED),
        [b"10.0.0.2,", b",", b":", b"[::1],", b"1.", b"10.0.0.2:80,", b"["],
    ),
    "content-type": (
        lambda text: require_text({b"content-type": b"text/plain" + text}),
        [b";", b"; a=b", b'; a="', b'; a="\\"', b"; charset=utf8", b" ", b"="],
    ),
    "token in JSON": (
        lambda text: token_in(b'{"a":' + text, is_json=True),
        [b'"token":"a",', b'"token":', b"[", b"{}", b'"\\u0074', b'"', b'\\"', b'"token" ', b'{"token":"a"},'],
    ),
    "token in a form": (lambda text: token_in(text, is_json=False), [b"token=a&", b"&", b"%74", b"token", b"="]),
}
CASES = [(name, unit) for name, (_, units) in LINEAR.items() for unit in units]


@pytest.mark.parametrize(("name", "unit"), CASES)
def test_twice_as_much_takes_twice_as_many_steps(name: str, unit: bytes) -> None:
    """Or fewer, if the part beyond a bound is not read."""
    decode, _ = LINEAR[name]
    small, large = (steps(lambda n=n: decode(unit * n)) for n in (SIZE, 2 * SIZE))  # type: ignore[misc]
    assert large <= 2 * small * SLACK, (small, large)


HEADERS = [
    lambda n: [(b"x-%d" % i, b"1") for i in range(n)],
    lambda n: [(b"x", b"1")] * n,
    lambda n: [(b"accept-encoding", b"gzip")] * n,
    lambda n: [(b"x-forwarded-for", b"10.0.0.1"), (b"content-encoding", b"")] * n,
]


@pytest.mark.parametrize("made", HEADERS)
def test_headers_are_read_once_for_each_list(made: Callable[[int], list[tuple[bytes, bytes]]]) -> None:
    """However often a name comes."""
    small, large = (steps(lambda n=n: headers_by_name(made(n))) for n in (SIZE, 2 * SIZE))  # type: ignore[misc]
    assert large <= 2 * small * SLACK


@pytest.mark.parametrize("text", [b" " * (1 << 20), bytes(range(256)) * 4_096])
def test_decoding_takes_a_step_a_slice(text: bytes) -> None:
    """Of what comes in, and of what comes out."""
    small, large = (
        steps(lambda n=n: unpacked(gzip.compress(text * n), b"gzip", len(text) * n))  # type: ignore[misc]
        for n in (2, 4)
    )
    assert large <= 2 * small * SLACK


NESTED: dict[str, object] = {"a": {"a": {"a": {"a": [{"a": 1, "b": 2}] * 10}}}}


def depth_of(mask: Mask) -> int:
    depth, level = 0, [mask]
    while level := [inner for one in level for inner in one.below.values()]:
        depth += 1
    return depth


@pytest.mark.parametrize("unit", ["a/", "a(", "*/", "*("])
def test_g2_a_mask_holds_no_more_levels_than_any_reply_has(unit: str) -> None:
    """It is walked by recursion, and what a reply keeps doubles with each name and `*` that mean one field."""
    for depth in (1, MAX_MASK_DEPTH, MAX_MASK_DEPTH + 1, 2_000):
        mask = parse_mask(unit * (depth - 1) + "a" + ")" * (depth - 1) * unit.count("("))
        assert min(depth, MAX_MASK_DEPTH) == depth_of(mask)


def test_g2_what_is_kept_costs_the_reply_and_not_the_mask() -> None:
    """Masks of any length on one reply."""
    few, many = (parse_mask(",".join(f"{name}/{name}/*/x{n}" for name in "a*" for n in range(k))) for k in (10, 250))
    assert steps(lambda: selected(NESTED, many)) == steps(lambda: selected(NESTED, few))


def test_g2_a_query_has_a_bounded_number_of_parameters() -> None:
    """It is read before anybody knows whose it is."""
    assert "1" == parse_query(b"a=1&" * (MAX_PARAMETERS - 1)).parameters["a"]
    with pytest.raises(BadQuery):
        parse_query(b"a=1&" * MAX_PARAMETERS)
