"""What `up` prints when it is ready."""

import json
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from ops.local.state import Servers, State
from ops.local.welcome import (
    Tokens,
    addresses_text,
    counts_line,
    curl_line,
    demo_body,
    list_line,
    welcome_text,
)
from tests.ops.local.test_state import STATE

NOW_MS = 1_795_500_061_500


def test_the_period_is_the_last_whole_minute() -> None:
    body = json.loads(json.dumps(demo_body(7, NOW_MS)))
    assert body["timePeriods"][0]["timePeriod"] == {
        "periodStartMillis": "1795500000000",
        "periodEndMillis": "1795500060000",
    }


def test_the_line_is_one_command_for_any_shell() -> None:
    words = shlex.split(curl_line("http://127.0.0.1:8080", "a.b.c", demo_body(7, NOW_MS)))
    assert words[:3] == ["curl", "-sS", "http://127.0.0.1:8080/games/v1/events"]
    assert "Authorization: Bearer a.b.c" in words
    assert json.loads(words[-1])["requestId"] == "7"


def test_the_list_is_one_command_too() -> None:
    """The query is quoted: a shell would take `&` for its own."""
    words = shlex.split(list_line("http://127.0.0.1:8080", "a.b.c"))
    assert "http://127.0.0.1:8080/games/v1/eventDefinitions?language=pt-BR&maxResults=3" == words[2]
    assert "Authorization: Bearer a.b.c" == words[-1]


def test_the_last_line_asks_for_the_hour_around_now() -> None:
    """The minute that the first line counts in is within it."""
    words = shlex.split(counts_line("http://c", "d.e.f", NOW_MS))
    parameters = dict(parse_qsl(urlsplit(words[2]).query))
    assert ("demo", "games", "minute") == (parameters["app"], parameters["source"], parameters["step"])
    assert int(parameters["from"]) < 1_795_500_000_000 < NOW_MS < int(parameters["to"])
    assert "Authorization: Bearer d.e.f" in words


def test_it_says_where_everything_is() -> None:
    text = welcome_text(STATE, Tokens("a.b.c", "d.e.f"), None, "Ctrl-C", Path("/cache"))
    for where in ("http://i", "k:1", "mongodb://m", "http://w", "a.b.c", "http://c", "d.e.f", STATE.data, "/cache"):
        assert where in text


def test_it_ends_with_what_to_open_what_to_paste_and_how_to_stop() -> None:
    """With another issuer's tokens there is nothing to paste, and no link where people sign in at an issuer."""
    text = welcome_text(STATE, Tokens("a", "b"), "http://c/open#x", "Ctrl-C", Path("/cache"))
    addresses, opening, link, *pasting, stop = text.split("\n\n")
    assert addresses.startswith("  ingress")
    assert opening == "Open in a browser within ten minutes (`tallymill link` prints another link):"
    assert link == "http://c/open#x"
    assert 3 == len([line for line in pasting if line.startswith("curl -sS")])
    assert "Stop the system: Ctrl-C\n" == stop
    assert "curl" not in welcome_text(STATE, None, None, "Ctrl-C", Path("/cache"))
    assert welcome_text(STATE, None, None, "Ctrl-C", Path("/cache")).endswith("http://c/\n\nStop the system: Ctrl-C\n")


def test_an_address_that_is_not_known_yet_is_not_shown() -> None:
    starting = State("starting", 10, "/data", Servers("tallymill"))
    assert not addresses_text(starting)
