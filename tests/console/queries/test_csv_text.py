"""Counts as CSV: RFC 4180, read back by a reader of CSV, and nothing that a spreadsheet runs (Q13)."""

import csv
import io
import re
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.queries.csv_text import csv_of, prefers_csv
from console.queries.rows import Row
from tests.console.rig import DAY, HOUR, MIDNIGHT, Rig, period_counts

TITLES = st.text(st.sampled_from("=+-@'\";,\r\n\t aé\uff1d\uff0b\uff0d\uff20|x"), min_size=1, max_size=12)
# What starts a formula at the beginning of a cell, also of one that is split at a semicolon or a tab.
FORMULA = re.compile("(^|[;\t\r\n])[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def read(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))


def original(cell: str) -> str:
    """As docs/queries.md says: one `'` less in each place."""
    return re.sub("(^|[;\t\r\n])'", r"\1", cell)


@given(st.lists(st.tuples(TITLES, st.integers(0, 2**70)), max_size=5))
def test_q13_rows_are_read_back_and_no_cell_is_a_formula(rows: list[tuple[str, int]]) -> None:
    """Whatever the titles are."""
    text = csv_of((Row(MIDNIGHT, event, count) for event, count in rows), UTC)
    header, *found = read(text)
    assert ["at", "event", "count"] == header
    assert [["2026-11-23T00:00:00.000Z", event, str(count)] for event, count in rows] == [
        [at, original(event), count] for at, event, count in found
    ]
    assert [] == [event for _, event, _ in found if FORMULA.search(event)]


def test_q13_lines_end_with_crlf_and_times_have_the_offset_of_the_zone() -> None:
    """The bytes, once."""
    rows = [Row(MIDNIGHT - HOUR, '=cmd|"x"!A1', 3), Row(MIDNIGHT, "a;=b, it's", 0)]
    assert (
        b"at,event,count\r\n"
        b'2026-11-23T00:00:00.000+01:00,"\'=cmd|""x""!A1",3\r\n'
        b"2026-11-23T01:00:00.000+01:00,\"a;'=b, it's\",0\r\n"
    ) == csv_of(rows, ZoneInfo("Europe/Berlin"))


def test_q13_a_title_that_is_no_utf_8_costs_no_other_row() -> None:
    """No ingress accepts one. Another program may have written it."""
    assert ["?", "ok"] == [row[1] for row in read(csv_of([Row(MIDNIGHT, one, 1) for one in ("\ud800", "ok")], UTC))[1:]]


@pytest.mark.parametrize(
    ("accept", "csv_"),
    [
        (None, False),
        (b"", False),
        (b"*/*", False),
        (b"text/csv", True),
        (b"Text/CSV; charset=utf-8", True),
        (b"text/*", True),
        (b"text/csv, */*;q=0.1", True),
        (b"application/json, text/csv;q=0.5", False),
        (b"application/json;q=0.4, text/csv;q=0.5", True),
        (b"application/json, text/csv", False),
        (b"text/csv;q=0", False),
        (b"text/csv;q=x, */*", False),
        (b"text/csv;q=x", False),
        (b"text/*;q=0.1, text/csv, application/json;q=0.5", True),
        (b"text/csv;q=0.1, text/*, application/json;q=0.5", False),
        (b"image/png," * 50 + b"text/csv", False),
        (b"text/html, application/xhtml+xml, */*;q=0.8", False),
        (b"text/html", False),
        (b"\xff\xfe, text/csv", True),
    ],
)
def test_q13_csv_is_sent_to_those_who_prefer_it(accept: bytes | None, *, csv_: bool) -> None:
    """Everyone else gets JSON, as before."""
    assert csv_ == prefers_csv(accept)


async def test_q13_a_reply_of_csv_has_the_rest_of_json_in_its_headers() -> None:
    """Its pages have as many rows as there can be, unless `limit` says otherwise. Errors are JSON."""
    rig = Rig()
    rig.store.counts |= period_counts([(MIDNIGHT + n * 60_000, "A", 1) for n in range(1_200)])
    asked: dict[str, object] = {"source": "games", "from": "2026-11-23", "to": MIDNIGHT + DAY, "step": "minute"}
    accept = {"accept": "text/csv"}
    whole = await rig.get("/v1/counts", asked, headers=accept)
    assert (200, "text/csv; charset=utf-8; header=present", 1_201) == (
        whole.status,
        whole.headers["content-type"],
        len(read(whole.body)),
    )
    assert "tallymill-next-page-token" not in whole.headers
    assert "Accept" == whole.headers["vary"]
    as_json = (await rig.get("/v1/counts", asked)).json
    first = await rig.get("/v1/counts", asked | {"limit": 1_000}, headers=accept)
    assert as_json["nextPageToken"][:40] == first.headers["tallymill-next-page-token"][:40]
    assert first.headers["tallymill-as-of"]
    token = first.headers["tallymill-next-page-token"]
    rest = await rig.get("/v1/counts", asked | {"limit": 1_000, "pageToken": token}, headers=accept)
    assert read(whole.body) == [*read(first.body), *read(rest.body)[1:]]
    bad = await rig.get("/v1/counts", asked | {"step": "x"}, headers=accept)
    assert (400, ["step"]) == (bad.status, bad.fields)
