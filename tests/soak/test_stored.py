"""A dead letter that an ingress has signed differs from all others."""

from typing import Any

from consumer.core.records import Record
from tests.samples import KEYS, batch, sealed
from tests.soak.stored import is_signed


def letter(record: Record, **other: object) -> dict[str, Any]:
    headers = [[name, value] for name, value in record.headers]
    return {"key": record.key, "value": record.value, "headers": headers, "reason": "any", **other}


def test_only_what_an_ingress_wrote_is_signed() -> None:
    """Not the same with another body, without headers, or with null ones."""
    record = sealed(0, batch())
    assert is_signed(letter(record), KEYS)
    assert not is_signed(letter(record, value=b"other"), KEYS)
    assert not is_signed(letter(record, headers=[]), KEYS)
    assert not is_signed(letter(record, headers=[["judged", None], ["\ufffd", b""]]), KEYS)
