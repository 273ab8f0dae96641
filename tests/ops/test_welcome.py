"""What `up` says when it is ready."""

import json
import shlex

from ops.local.state import State
from ops.local.welcome import addresses_text, curl_line, demo_body, list_line, welcome_text
from tests.ops.test_state import STATE

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


def test_it_says_where_everything_is() -> None:
    text = welcome_text(STATE, "a.b.c")
    for where in ("http://i", "k:1", "mongodb://m", "http://w", "a.b.c"):
        assert where in text


def test_an_address_that_is_not_known_yet_is_not_shown() -> None:
    starting = State("starting", 10, "/data", "tallymill")
    assert not addresses_text(starting)
