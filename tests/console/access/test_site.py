"""The page's cookies as browsers keep them, and whose page sends a request."""

import pytest

from console.access.site import Site
from tests.console.requests import request

SECURE, LOCAL = Site("https://counts.example", 8090), Site(None, 8090)


def test_on_https_a_cookie_is_of_this_host_alone_and_of_no_script() -> None:
    """`__Host-` needs Secure, Path=/ and no Domain."""
    name, value = SECURE.cookie("session", "x", 60, "Strict")
    expected = b"__Host-tallymill-session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
    assert (b"set-cookie", expected) == (name, value)


def test_on_loopback_without_tls_the_port_is_in_its_name() -> None:
    """All ports of a host share cookies. Secure would be dropped by some browsers."""
    _, value = LOCAL.cookie("session", "x", 60, "Lax")
    assert b"tallymill-session-8090=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax" == value
    _, value = Site("http://127.0.0.1:1", 1).cookie("session", "", 0, "Lax")
    assert b"tallymill-session-1=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax" == value


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("tallymill-session-8090=a", "a"),
        ("x=1; tallymill-session-8090=a.b_-; y", "a.b_-"),
        ('odd="; bad=\x01; tallymill-session-8090=a', "a"),
        ("tallymill-session-8090=a; tallymill-session-8090=b", "a"),
        ("tallymill-session-8091=a", None),
        ("xtallymill-session-8090=a", None),
        ("tallymill-session-8090", ""),
        ("", None),
    ],
)
def test_a_cookie_is_found_among_odd_ones(sent: str, expected: str | None) -> None:
    """Other programs on this host set cookies too."""
    assert expected == LOCAL.read_cookie("session", {b"cookie": sent.encode()})


def test_a_plain_cookie_is_nothing_on_https() -> None:
    """A page of a sibling host could have set it."""
    assert SECURE.read_cookie("session", {b"cookie": b"tallymill-session-8090=a; tallymill-session=b"}) is None


OWN_PAGE = {"host": "127.0.0.1:8090", "origin": "http://127.0.0.1:8090", "sec-fetch-site": "same-origin"}


@pytest.mark.parametrize(
    ("changed", "own", "page"),
    [
        ({}, True, True),
        ({"sec-fetch-site": None}, True, True),
        ({"sec-fetch-site": "none"}, True, True),
        ({"sec-fetch-site": "same-site"}, False, False),
        ({"sec-fetch-site": "cross-site"}, False, False),
        ({"origin": None}, True, False),
        ({"origin": "null"}, True, False),
        ({"origin": "https://127.0.0.1:8090"}, True, False),
        ({"origin": "http://127.0.0.1:8091"}, True, False),
        ({"origin": "http://evil.example"}, True, False),
        ({"host": "localhost:8090", "origin": "http://localhost:8090"}, True, True),
        ({"host": "[::1]:8090", "origin": "http://[::1]:8090"}, True, True),
        ({"host": "evil.example:8090", "origin": "http://evil.example:8090"}, False, False),
        ({"host": "127.0.0.1.evil.example", "origin": "http://127.0.0.1.evil.example"}, False, False),
        ({"host": None, "origin": "http://"}, False, False),
        ({"host": "[", "origin": "http://["}, False, False),
    ],
)
def test_only_the_page_itself_may_write_and_only_under_a_name_of_this_machine(
    changed: dict[str, str | None],
    own: bool,  # noqa: FBT001 a table
    page: bool,  # noqa: FBT001 a table
) -> None:
    """A stranger's name may lead to this machine too (DNS rebinding): its page is not ours."""
    headers = {name: value for name, value in (OWN_PAGE | changed).items() if value is not None}
    sent = request(headers=headers).headers
    assert (own, page) == (LOCAL.is_own(sent), LOCAL.is_from_page(sent))


def test_behind_a_proxy_the_origin_is_the_settings() -> None:
    """Whatever the proxy writes into Host."""
    sent = {b"host": b"10.0.0.7:8090", b"origin": b"https://counts.example", b"sec-fetch-site": b"same-origin"}
    assert SECURE.is_from_page(sent)
    assert not SECURE.is_from_page({**sent, b"origin": b"http://10.0.0.7:8090"})
