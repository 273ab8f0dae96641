"""`POST /v1/dead-letters/redrive`: a dry run shows, a person confirms, and the log says who did it."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from console.ports import TooSlow, Unavailable
from console.redrive import KafkaAway
from schemas.wire.console_replies import OPERATE_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE
from tests.console.access.people import Browser, bearer
from tests.console.rig import Answer, Rig

PATH = "/v1/dead-letters/redrive"
BOTH = (REFUSALS_SCOPE, OPERATE_SCOPE)


def rig() -> Rig:
    one = Rig()
    one.redriver.letters = {
        "r1/00/1": "not a batch",
        "r1/00/2": "not a batch",
        "r1/01/7": "bug: x",
        "r2/00/1": "bug: y",
    }
    one.redriver.problems = {"r2/00/1": "the topic of its lineage is unknown"}
    return one


async def ask(console: Rig, **body: object) -> Answer:
    return await console.post(PATH, body, bearer(BOTH))


async def test_a_dry_run_says_what_would_be_done_and_does_nothing() -> None:
    """It is the default: a body without it changes nothing."""
    console = rig()
    for body in ({"cause": "bug"}, {"cause": "bug", "dryRun": True, "confirm": "redrive 1"}):
        answer = await ask(console, **body)
        assert 200 == answer.status
        assert {
            "dryRun": True,
            "ids": ["r1/01/7"],
            "skipped": [{"id": "r2/00/1", "reason": "the topic of its lineage is unknown"}],
            "confirm": "redrive 1",
            "redriven": 0,
            "problem": None,
        } == answer.json
    assert [] == console.redriver.done


async def test_what_is_done_is_what_was_shown() -> None:
    """By id or by cause; those redriven before are chosen no more."""
    console = rig()
    answer = await ask(console, ids=["r1/00/2", "r9/00/9"], dryRun=False, confirm="redrive 1")
    assert (["r1/00/2"], 1, None) == (answer.json["ids"], answer.json["redriven"], answer.json["problem"])
    answer = await ask(console, cause="not a batch", dryRun=False, confirm="redrive 1")
    assert ["r1/00/1"] == answer.json["ids"]
    assert ["r1/00/2", "r1/00/1"] == console.redriver.done
    assert ("redrive nothing", []) == (
        (answer := await ask(console, cause="batch")).json["confirm"],
        answer.json["ids"],
    )


@pytest.mark.parametrize("confirm", [None, "", "redrive", "redrive 1", "redrive 3", "Redrive 2", "redrive 2 "])
async def test_nothing_is_done_without_the_typed_confirmation(confirm: str | None) -> None:
    """Also if another letter came since the dry run: the text names how many."""
    console = rig()
    answer = await ask(console, cause="not a batch", dryRun=False, confirm=confirm)
    assert (400, ["confirm"]) == (answer.status, answer.fields)
    assert [] == console.redriver.done


async def test_each_redrive_is_a_line_in_the_log_without_a_secret() -> None:
    """Who, which and how many. A dry run and a refused one are none."""
    console = rig()
    browser = Browser(console)
    browser.sign_in(BOTH, subject="olga")
    with capture_logs() as lines:
        await console.post(PATH, {"cause": "batch"}, browser.headers)
        await console.post(PATH, {"cause": "batch", "dryRun": False}, browser.headers)
        console.redriver.stops_after = 1
        await console.post(PATH, {"cause": "batch", "dryRun": False, "confirm": "redrive 2"}, browser.headers)
        sent = bearer(BOTH)
        await console.post(PATH, {"ids": ["r1/01/7"], "dryRun": False, "confirm": "redrive 1"}, sent)
    assert [
        {
            "event": "dead_letters_redriven",
            "log_level": "info",
            "who": "olga",
            "app": "demo",
            "way": "session",
            "chosen_by": "batch",
            "chosen": 2,
            "redriven": 1,
            "reason": "stopped after 8 s",
        },
        {
            "event": "dead_letters_redriven",
            "log_level": "info",
            "who": "ann",
            "app": "demo",
            "way": "bearer",
            "chosen_by": "ids",
            "chosen": 1,
            "redriven": 1,
            "reason": None,
        },
    ] == lines
    said = json.dumps(lines)
    secrets = (sent["authorization"].split()[1], str(browser.csrf), *browser.cookies.values())
    assert [] == [secret for secret in secrets if secret in said]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"ids": ["r1/00/1"], "cause": "x"}, ""),
        ({"ids": []}, "ids"),
        ({"ids": ["r1/00/1"] * 1_001}, "ids"),
        ({"ids": ["x"]}, "ids.0"),
        ({"ids": ["r1/00/1/../2"]}, "ids.0"),
        ({"ids": [{"$ne": 1}]}, "ids.0"),
        ({"ids": "r1/00/1"}, "ids"),
        ({"cause": ""}, "cause"),
        ({"cause": "x" * 201}, "cause"),
        ({"cause": {"$ne": 1}}, "cause"),
        ({"cause": "x", "dryRun": "maybe"}, "dryRun"),
        ({"cause": "x", "all": True}, "all"),
        ({"cause": "x", "confirm": 7}, "confirm"),
    ],
)
async def test_a_wrong_body_is_400_and_names_the_field(body: dict[str, object], field: str) -> None:
    """Before anything is read."""
    answer = await ask(rig(), **body)
    assert (400, field) == (answer.status, answer.fields[0])


async def test_servers_that_are_away_are_503_and_slow_ones_504() -> None:
    """Nothing was done: the same request can be sent again."""
    console = rig()
    wanted: dict[str, object] = {"cause": "bug", "dryRun": False, "confirm": "redrive 1"}
    found = []
    for failure in (KafkaAway, Unavailable, TooSlow):
        console.redriver.failure = failure
        answer = await ask(console, **wanted)
        found.append((answer.status, "Kafka" in answer.json["error"]["message"]))
    assert [(503, True), (503, False), (504, False)] == found
    console.redriver.failure, console.redriver.is_able = None, False
    answer = await ask(console, **wanted)
    assert (403, True) == (answer.status, "kafka.bootstrap_servers" in answer.json["error"]["message"])
    assert 200 == (await ask(console, cause="bug")).status, "a dry run needs no Kafka"


def test_the_rule_is_one_for_the_page_and_the_command() -> None:
    """No second copy of what a redrive is."""
    root = Path(__file__).parents[3]
    marks = [
        str(file.relative_to(root))
        for folder in ("console", "ops", "serving")
        for file in (root / folder).rglob("*.py")
        if '"redriven": "$$NOW"' in file.read_text()
    ]
    assert ["serving/dead_letters/store.py"] == marks
