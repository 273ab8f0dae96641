"""Links that open the page: a code works once, for some minutes, at the console that has the key."""

import pytest

from console.access.links import LINK_SECONDS, Links, link

KEY = b"the key of sessions in tests"
START = 1_000_000.7


def code(now_seconds: float = START, key: bytes = KEY, app: str = "demo") -> str:
    address, _, fragment = link("http://127.0.0.1:8090", key, app, now_seconds).partition("#")
    assert "http://127.0.0.1:8090/open" == address
    return fragment


def test_a_code_works_once() -> None:
    """The second time it may be somebody else who has read the terminal."""
    links, one = Links([KEY], START), code()
    assert "demo" == links.use(one, START + 1)
    assert links.use(one, START + 2) is None
    assert "other" == links.use(code(app="other"), START + 3)


def test_a_code_ends_and_those_used_are_not_kept_for_ever() -> None:
    """The memory is bounded by the codes of ten minutes."""
    links = Links([KEY], START)
    assert links.use(code(), START + LINK_SECONDS) is None
    for later in range(50):
        now = START + later * LINK_SECONDS
        assert "demo" == links.use(code(now), now + 1)
    assert 1 == len(links._used)


def test_a_code_of_before_the_start_counts_as_used() -> None:
    """A process can't know which codes the one before it has seen."""
    assert Links([KEY], START + 60).use(code(), START + 61) is None


def test_a_code_of_the_future_is_nothing() -> None:
    """It would work for longer."""
    assert Links([KEY], START).use(code(START + 100), START) is None


@pytest.mark.parametrize("keys", [[], [b"another key of sessions"]])
def test_only_who_has_a_key_can_make_one(keys: list[bytes]) -> None:
    """Where people sign in at an issuer there is no key for links."""
    assert Links(keys, START).use(code(), START + 1) is None


def test_an_old_key_still_opens() -> None:
    """Keys are changed without a stop."""
    assert "demo" == Links([b"another key of sessions", KEY], START).use(code(), START + 1)


@pytest.mark.parametrize("wrong", ["", "a.b.c.d", "....", "é.1.x.y", "a" * 5_000, "demo.1000000.x.", "a.b.c.d.e"])
def test_what_is_no_code_is_nothing(wrong: str) -> None:
    """Whatever a client sends."""
    assert Links([KEY], START).use(wrong, START + 1) is None


def test_no_part_of_a_code_can_be_changed() -> None:
    """Neither the app nor the time."""
    one = code()
    for at in range(len(one)):
        changed = one[:at] + ("B" if one[at] != "B" else "C") + one[at + 1 :]
        # The last character of base64url has bits that mean nothing; the text is compared, so it counts too.
        assert Links([KEY], START).use(changed, START + 1) is None, at
