"""One analytics item: its time in every form, its title, its data."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.analytics.items import MAX_SENT_TITLE_CHARACTERS, MAX_TITLE_BYTES, identity_of, parse_item
from schemas.wire.values import MAX_DATA_DEPTH, BadValue, storable_bytes


def item(**fields: object) -> dict[str, object]:
    return {"Timestamp": "1790000000", "Event": "Navigation", **fields}


def refused(sent: object) -> tuple[str, str]:
    with pytest.raises(BadValue) as error:
        parse_item(sent)
    return error.value.field, error.value.description


def test_a6_what_is_no_time_is_refused_by_name() -> None:
    """All of it: test_timestamps.py."""
    assert "Timestamp" == refused(item(Timestamp="soon"))[0]


def test_a6_a_time_is_required() -> None:
    """Missing or null."""
    assert refused({"Event": "a"}) == ("Timestamp", "is required")
    assert refused(item(Timestamp=None)) == ("Timestamp", "is required")


def test_a6_the_documents_own_time_is_taken() -> None:
    """It is in 2106."""
    assert parse_item(item(Timestamp="4315435114")).at_millis == 4_315_435_114_000


@pytest.mark.parametrize("key", ["TIMESTAMP", "timestamp", "Timstamp", "timstamp"])
def test_a3_item_keys_ignore_case_and_the_documents_spelling_is_one(key: str) -> None:
    """Timstamp = Timestamp."""
    found = parse_item({key: "1790000000", "eVENT": "a", "dATA": {"Exact": 1}})
    assert (1_790_000_000_000, "a", {"Exact": 1}) == (found.at_millis, found.title, found.data)


def test_a3_one_key_in_two_spellings_is_refused_and_unknown_ones_are_kept() -> None:
    """Nothing that a client sends is lost silently."""
    assert refused(item(Timstamp="1")) == ("Timestamp", "is there in two spellings")
    assert {"Session": {"b": 1, "a": 2}} == parse_item(item(Session={"b": 1, "a": 2})).extra


@pytest.mark.parametrize(
    ("title", "kept"),
    [("  Navigation ", "Navigation"), ("e\u0301", "é"), ("a" * 256, "a" * 256), ("$where/a.b", "$where/a.b")],
)
def test_a8_a_title_is_normalised(title: str, kept: str) -> None:
    """NFC, without blanks around it."""
    assert kept == parse_item(item(Event=title)).title


@pytest.mark.parametrize("title", [None, 7, "", "  ", "é" * 129, "a\x00b", "a\u0085b", "(other)", " (other)"])
def test_a8_what_is_no_title_is_refused_by_name(title: object) -> None:
    """Not a string, empty, too long, control characters, reserved."""
    assert refused(item(Event=title))[0] == "Event"


@given(st.text(alphabet="a\u0300\u0316\u0344\u0390\u212b\ud55c\u1100\u1161 ", max_size=400))
def test_a8_a_title_has_the_verdict_of_its_normal_form(sent: str) -> None:
    """However much longer it was sent."""
    normal = unicodedata.normalize("NFC", sent).strip()
    if 0 < len(normal.encode()) <= MAX_TITLE_BYTES:
        assert normal == parse_item(item(Event=sent)).title
    else:
        assert "Event" == refused(item(Event=sent))[0]


def test_a8_no_normal_form_has_more_code_points_decomposed_than_are_normalised() -> None:
    """Of every character there is: what is sent and not longer than its decomposition."""
    every = (chr(number) for number in range(sys.maxunicode + 1) if not 0xD800 <= number <= 0xDFFF)
    stable = [one for one in every if unicodedata.is_normalized("NFC", one)]
    most = max(len(unicodedata.normalize("NFD", one)) / len(one.encode()) for one in stable)
    assert MAX_SENT_TITLE_CHARACTERS >= most * MAX_TITLE_BYTES


def test_a8_a_title_too_long_for_any_normal_form_is_not_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    """300,000 combining marks took minutes; nor is one without any, which is most of them."""
    monkeypatch.setattr("schemas.analytics.items.unicodedata", None)
    assert refused(item(Event="a" + "\u0300\u0316" * 150_000)) == ("Event", "must have 1 to 256 bytes of UTF-8")
    assert "Navigation" == parse_item(item()).title


@pytest.mark.parametrize("sent", [{}, [], {"a": [1, "s", {"b": None}]}, [{"a": 1}, {"b": 2}], None])
def test_a8_data_is_an_object_or_an_array_of_objects_or_absent(sent: object) -> None:
    """Kept as it was sent, in its order."""
    assert json.dumps(sent) == json.dumps(parse_item(item(Data=sent)).data)


@pytest.mark.parametrize("sent", ["text", 7, [1], [{}, "a"], True])
def test_a8_other_data_is_refused_by_name(sent: object) -> None:
    """An array of anything but objects, too."""
    assert refused(item(Data=sent)) == ("Data", "must be an object or an array of objects")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"Data": {"a": [0, 2**63]}}, "Data.a[1]"),
        ({"Data": {"a": -(2**63) - 1}}, "Data.a"),
        ({"Data": {"x\0y": 1}}, "Data.x\\0y"),
        ({"Data": {"a": float("inf")}}, "Data.a"),
        ({"x": {"y": 2**63}}, "x.y"),
    ],
)
def test_a9_what_can_not_be_kept_is_refused_by_name(sent: dict[str, object], field: str) -> None:
    """Integers beyond int64, NUL in a key, numbers beyond double."""
    assert field == refused(item(**sent))[0]


def test_a9_an_item_is_bounded_in_depth_and_size() -> None:
    """32 levels and 256 KiB pass, more doesn't."""
    deep: object = 1
    for _ in range(MAX_DATA_DEPTH):
        deep = {"a": deep}
    storable_bytes(deep)
    with pytest.raises(BadValue, match="deeper than 32"):
        storable_bytes([deep])
    assert refused(item(Data={"a": "x" * 300_000})) == ("", "is larger than 262144 bytes")
    assert parse_item(item(Data={"a": "x" * 250_000})).title == "Navigation"


def test_a9_hostile_keys_are_data() -> None:
    """They are never an operator, a path or a reference to us."""
    hostile = {"$where": 1, "a.b": 2, "": 3, "_id": 4, "$ref": "x", "$id": "y", "nul": "a\0b"}
    assert hostile == parse_item(item(Data=hostile)).data


def test_an_item_is_an_object() -> None:
    """Anything else is refused as a whole."""
    assert refused("text") == ("", "must be an object")


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_a11_parts_of_an_identity_do_not_run_into_each_other(one: list[bytes], other: list[bytes]) -> None:
    """Equal only where every part is."""
    assert (one == other) == (identity_of(*one) == identity_of(*other))
