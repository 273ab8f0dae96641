"""How often one address may send, and which address counts (B1)."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from ingress.http.address_limit import MAX_HOPS, client_address
from schemas.settings import Limits
from tests.ingress.rig import RECORD, Rig, batch, token

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
GOOD = {"authorization": f"Bearer {token()}"}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1,203.0.113.9,10.0.0.2 , 10.0.0.3", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.4, 10.0.0.2", "10.0.0.4"),
        ("203.0.113.7", "1.1.1.1", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.9:5000", "203.0.113.9"),
        ("fd00::1", "[2001:db8::7]:5000", "2001:db8::7"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, , 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "\xff", "10.0.0.1"),
    ],
)
def test_b1_only_what_a_trusted_proxy_saw_is_believed(peer: str, forwarded: str, expected: str) -> None:
    """From the last hop backwards. Entries before the first untrusted hop may be forged."""
    assert ip_address(expected) == client_address(ip_address(peer), forwarded.encode("latin-1"), OURS)


def test_b1_a_list_of_hops_without_end_is_not_read_to_the_end() -> None:
    """Headers are bounded by nothing else."""
    forwarded = b"1.1.1.1," + b",".join([b"10.0.0.2"] * 100_000)
    assert ip_address("10.0.0.2") == client_address(ip_address("10.0.0.1"), forwarded, OURS)
    assert MAX_HOPS < 100


def limited(**settings: Any) -> Rig:  # noqa: ANN401 any setting
    return Rig(max_requests_per_address=2, address_window_seconds=10, **settings)


async def test_b1_the_limit_of_an_address_comes_before_the_token() -> None:
    """A good token, a bad one and a wrong path all count; the window moves."""
    rig = limited()
    seen = [(await rig.call("POST", path, {}, [batch()])).status for path in ("/x", RECORD)]
    assert [404, 401] == seen
    assert 429 == (await rig.call("POST", RECORD, GOOD, [batch()])).status
    assert rig.topic.records == []
    rig.clock.skipped_seconds = 10
    assert 429 != (await rig.call("POST", RECORD, GOOD, [batch()])).status


async def test_answer_address_rate_says_when_to_try_again() -> None:
    """RESOURCE_EXHAUSTED, rateLimitExceeded: Google's client waits and tries again."""
    rig = limited()
    answers = [await rig.call("POST", RECORD) for _ in range(3)]
    error = answers[-1].json["error"]
    assert (429, "RESOURCE_EXHAUSTED", "rateLimitExceeded") == (
        answers[-1].status,
        error["status"],
        error["errors"][0]["reason"],
    )
    assert "10" == answers[-1].headers["retry-after"]
    assert 1 == rig.metric("refused_total", api="games", cause="ADDRESS_RATE_HIGH")


async def test_b1_one_address_does_not_use_up_anothers_limit() -> None:
    """The peer's address counts, unless a trusted proxy names another. An IPv6 subscriber is a /64."""
    rig = limited(trusted_proxies=["10.0.0.0/8"])
    calls = [
        ("10.0.0.1", "203.0.113.9", 200),
        ("10.0.0.2", "1.1.1.1, 203.0.113.9", 200),
        ("10.0.0.1", "203.0.113.9", 429),
        ("10.0.0.1", "203.0.113.8", 200),
        ("203.0.113.9", "1.1.1.1", 429),
        ("2001:db8::1", "", 200),
        ("2001:db8::ffff", "", 200),
        ("2001:db8::2%eth0", "", 429),
        ("2001:db8:0:1::1", "", 200),
    ]
    got = [
        (await rig.call("GET", "/v1/limits", {"x-forwarded-for": forwarded}, peer=peer)).status
        for peer, forwarded, _ in calls
    ]
    assert [status for *_, status in calls] == got


async def test_b1_a_header_that_anybody_can_write_does_not_lift_the_limit() -> None:
    """Without trusted proxies X-Forwarded-For is not read at all."""
    rig = limited()
    got = [(await rig.call("GET", "/v1/limits", {"x-forwarded-for": f"1.1.1.{n}"})).status for n in range(4)]
    assert [200, 200, 429, 429] == got


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_b1_probes_are_never_limited(path: str) -> None:
    """A supervisor would take a busy process for a dead one."""
    rig = limited()
    assert 429 not in [(await rig.call("GET", path)).status for _ in range(5)]


async def test_b1_addresses_are_not_limited_by_default() -> None:
    """Behind a carrier's NAT thousands of phones are one address."""
    rig = Rig(Limits(max_requests_per_player=10_000))
    assert {200} == {(await rig.call("GET", "/v1/limits")).status for _ in range(1_000)}


async def test_b1_a_preflight_is_no_request_of_an_address() -> None:
    """A page would otherwise have half the limit."""
    rig = limited(cors_origins=["*"])
    preflight = {"origin": "https://x", "access-control-request-method": "GET"}
    assert {204} == {(await rig.call("OPTIONS", "/v1/limits", preflight)).status for _ in range(5)}
    assert 200 == (await rig.call("GET", "/v1/limits")).status
