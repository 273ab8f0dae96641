"""The receipt that a client gets for a batch: the signed coordinates of its record, and when it was issued.

Only the holder of a receipt can ask for the fate of the record. Coordinates can be guessed, a signature can't.
"""

import msgspec

from schemas.coordinates import Coordinates, parse_coordinates
from schemas.records.signing import SigningKeys


class BadReceipt(ValueError):
    """Not a receipt, or one with a wrong signature."""


class Receipt(msgspec.Struct, frozen=True):
    """`append_millis`: when Kafka appended the record, by the broker's clock; None if unknown.

    A truncated log reuses coordinates. This time tells which of the records is meant.
    """

    coordinates: Coordinates
    issued_millis: int
    append_millis: int | None = None


def issue_receipt(receipt: Receipt, keys: SigningKeys) -> str:
    """URL-safe text: `r1.3.1234.1790000000000.1789999999990.<mac>`; without the last time if it is unknown."""
    c = receipt.coordinates
    appended = "" if receipt.append_millis is None else f".{receipt.append_millis}"
    text = f"{c.lineage}.{c.partition}.{c.offset}.{receipt.issued_millis}{appended}"
    return f"{text}.{keys.sign((b'receipt', text.encode()))}"


def read_receipt(text: str, keys: SigningKeys) -> Receipt:
    """The inverse of issue_receipt. Raises BadReceipt."""
    signed, _, mac = text.rpartition(".")
    if not keys.verifies((b"receipt", signed.encode(errors="replace")), mac.encode(errors="replace")):
        raise BadReceipt("not a receipt of ours")
    lineage, partition, offset, issued, *appended = signed.split(".")
    coordinates = parse_coordinates(f"{lineage}/{partition}/{offset}")
    return Receipt(coordinates, int(issued), int(appended[0]) if appended else None)
