"""The table of errors: what it promises to clients, and that the documentation agrees."""

import re
from pathlib import Path

import pytest

from schemas.errors.in_band import IN_BAND
from schemas.errors.row import CLOSE, Action, By, Kind, Row, Severity, StatusCode
from schemas.errors.table import Refusal
from schemas.games.body import EventFailureCause, EventUpdateFailureCause

DOCS = Path(__file__).parents[3] / "docs"
RULES = (DOCS / "rules.md").read_text()
CLIENTS = (DOCS / "clients.md").read_text()

# Clients depend on these: HTTP status, canonical status, reason; StatusCodes and Severity; whether to retry.
GOLDEN = """\
400 INVALID_ARGUMENT badRequest 1,2/3
401 UNAUTHENTICATED authError 3/3
403 PERMISSION_DENIED insufficientPermissions 4/3
404 NOT_FOUND notFound 8/3
405 INVALID_ARGUMENT httpMethodNotAllowed 8/3
408 DEADLINE_EXCEEDED requestTimeout 7/2 retry
410 NOT_FOUND gone /3
413 INVALID_ARGUMENT requestTooLarge 5/3
415 INVALID_ARGUMENT unsupportedMediaType 1/3
422 FAILED_PRECONDITION payloadDiffers 2/3
429 RESOURCE_EXHAUSTED rateLimitExceeded 6/2 retry
431 RESOURCE_EXHAUSTED requestHeaderFieldsTooLarge 5/3
500 INTERNAL backendError 9/2 retry
503 UNAVAILABLE backendError 7/2 retry
504 DEADLINE_EXCEEDED timeout /3
505 INVALID_ARGUMENT httpVersionNotSupported 1/3
"""


def of_kind(kind: Kind) -> list[Row]:
    return [refusal.value for refusal in Refusal if refusal.value.kind is kind]


def golden_line(kind: Kind) -> str:
    rows = of_kind(kind)
    codes = ",".join(f"{code:d}" for code in sorted({row.analytics.code for row in rows if row.analytics}))
    (severity,) = {row.severity for row in rows}
    retry = " retry" if kind.value.action.value.retry else ""
    return f"{kind.value.status} {kind.value.canonical} {kind.value.reason} {codes}/{severity:d}{retry}"


def test_clients_can_rely_on_every_status_and_reason() -> None:
    """A change here is a change of the contract. The messages are in docs/errors.md."""
    assert GOLDEN.splitlines() == [golden_line(kind) for kind in Kind]


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_message_says_what_happened_and_what_to_do(refusal: Refusal) -> None:
    """Two sentences at least; an analytics answer may name the field instead."""
    row = refusal.value
    assert re.fullmatch(r".+\. .+\.", row.message)
    assert row.analytics is None or row.analytics.message is None or row.analytics.message.endswith(".")


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_error_has_an_answer(refusal: Refusal) -> None:
    """In Google's shape, in that of the analytics events, or in both; and a rule for each."""
    row = refusal.value
    assert row.by or row.analytics
    assert bool(row.by) == bool(row.rule)
    assert not row.analytics or row.analytics.rule.startswith("analytics_")


def test_severity_and_retry_after_follow_from_the_action() -> None:
    """Every 503 and 429 has Retry-After, and no error that must not be retried has."""
    for refusal in Refusal:
        row = refusal.value
        has_retry_after = "retry-after" in dict(row.headers)
        assert (row.kind in (Kind.UNAVAILABLE, Kind.TOO_FAST)) == has_retry_after
        assert (row.severity is Severity.AGAIN) == row.action.value.retry


def rule_rows(section: str) -> dict[str, list[str]]:
    """The rows of docs/rules.md: name, and the other cells."""
    rows = re.findall(r"^\| `([a-z_]+)` \|(.+)\|$", RULES, re.MULTILINE)
    return {
        name: [cell.strip() for cell in cells.split("|")]
        for name, cells in rows
        if name.startswith("analytics_") == (section == "analytics")
    }


GAMES_RULES, ANALYTICS_RULES = rule_rows("games"), rule_rows("analytics")


@pytest.mark.parametrize("refusal", [one for one in Refusal if By.INGRESS in one.value.by])
def test_every_error_has_its_row_in_the_rules(refusal: Refusal) -> None:
    """HTTP status, canonical status and reason, and the headers."""
    row = refusal.value
    assert row.rule in GAMES_RULES, "add the row to docs/rules.md"
    _, status, answer = GAMES_RULES[row.rule]
    assert f"{row.code}" in re.findall(r"\d{3}", status + answer + GAMES_RULES[row.rule][0])
    assert row.code == 505 or answer.startswith(f"{row.status} / {row.reason}")
    assert row.reason in answer
    if row.kind in (Kind.UNAVAILABLE, Kind.TOO_FAST):
        assert "`Retry-After`" in answer
    if CLOSE in row.headers:
        assert "the connection is closed" in answer


@pytest.mark.parametrize("refusal", [one for one in Refusal if one.value.analytics])
def test_every_error_of_the_analytics_events_has_its_row_in_the_rules(refusal: Refusal) -> None:
    """HTTP status, StatusCode and Severity; the HTTP parser's own errors are in the table of the games API."""
    row = refusal.value
    assert row.analytics
    assert row.analytics.rule in ANALYTICS_RULES, "add the row to docs/rules.md"
    when, status, answer = ANALYTICS_RULES[row.analytics.rule]
    assert f"{row.analytics.code:d}, {row.severity:d}" in answer
    assert row.code in {int(found) for found in re.findall(r"\b[45]\d\d\b", f"{status} {when}")}


def test_every_row_of_the_rules_has_an_error() -> None:
    """Or it is an answer with 200, or while the ingress stops."""
    errors = {name for name, cells in (GAMES_RULES | ANALYTICS_RULES).items() if re.fullmatch("[45][0-9]{2}", cells[1])}
    rules = {one.value.rule for one in Refusal} | {one.value.analytics.rule for one in Refusal if one.value.analytics}
    assert set() == errors - rules


@pytest.mark.parametrize("refusal", [one for one in Refusal if one.value.by == By.CONSOLE])
def test_every_error_of_the_console_alone_is_in_its_rule(refusal: Refusal) -> None:
    """Q1 has all statuses in the order of the checks."""
    found = re.search(rf"^\| {refusal.value.rule} \|(.+)$", RULES, re.MULTILINE)
    assert found
    assert f"{refusal.value.code}" in found[1]


def advice(first_status: str) -> list[tuple[str, str]]:
    """A table of docs/clients.md: the first cell and the last of each row."""
    tables = re.findall(r"^\| answer \|.*\n\|[-|]+\n((?:\|.*\n)+)", CLIENTS, re.MULTILINE)
    (rows,) = [rows for rows in tables if rows.startswith(first_status)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows.splitlines()]
    return [(row[0], row[-1]) for row in cells]


def advised(rows: list[tuple[str, str]], code: int) -> str:
    """A table's advice for a status: the row that names it, otherwise the row of other 4xx or 5xx."""
    for wanted in (f"{code}", f"other {code // 100}xx"):
        found = [action for answers, action in rows if re.search(rf"\b{wanted}\b", answers)]
        if found:
            return found[0]
    raise LookupError(code)


BATCHES = advice("| 200 | the batch counts")
POOLS = advice("| 200 | delete the pool")


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.QUERY_SLOW])
def test_the_tables_of_clients_advise_what_the_errors_do(kind: Kind) -> None:
    """For batches and for pools. QUERY_SLOW is of the console, which counts nothing."""
    action = kind.value.action.value
    assert action.batch == advised(BATCHES, kind.value.status)
    assert advised(POOLS, kind.value.status).startswith(action.pool)


def test_the_tables_of_clients_have_no_status_without_an_error() -> None:
    """A status that is gone would be handled for nothing."""
    named = {
        int(code) for rows in (BATCHES, POOLS) for answers, _ in rows for code in re.findall(r"\b[45]\d\d\b", answers)
    }
    assert set() == named - {kind.value.status for kind in Kind}


@pytest.mark.parametrize("cause", [*EventFailureCause, *EventUpdateFailureCause])
def test_every_failure_in_an_answer_says_what_to_do(cause: EventFailureCause | EventUpdateFailureCause) -> None:
    """docs/clients.md names those of a whole request; all others share a row."""
    action = IN_BAND[cause].action
    if action is Action.LOG:
        expected = [last for first, last in BATCHES if "a failure for a period or an event" in first]
    elif action is Action.DELETE:
        expected = [last for first, last in BATCHES if first == "200"]
    else:
        expected = [last for first, last in BATCHES if f"`{cause}`" in first]
    assert [action.value.batch] == expected


def test_statuscodes_are_as_documented() -> None:
    """docs/analytics.md and clients' code have these numbers."""
    assert list(range(10)) == sorted(StatusCode)
