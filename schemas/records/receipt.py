"""The receipt a client gets for a batch: where its record lies and when it was issued, signed.

Only who holds it can ask what became of the record: coordinates alone can be guessed, a signature can't.
"""

from dataclasses import dataclass

from schemas.coordinates import Coordinates, parse_coordinates
from schemas.records.signing import SigningKeys


class BadReceipt(ValueError):
    """Not a receipt that we have issued."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`append_millis`: when the record came into the log, by the broker's clock; None where it is not known.

    A log that was cut gives its coordinates out again: the time tells which record is meant.
    """

    coordinates: Coordinates
    issued_millis: int
    append_millis: int | None = None


def issue_receipt(receipt: Receipt, keys: SigningKeys) -> str:
    """URL-safe text: `r1.3.1234.1790000000000.1789999999990.<mac>`; without the last time where it is not known."""
    c = receipt.coordinates
    appended = "" if receipt.append_millis is None else f".{receipt.append_millis}"
    text = f"{c.lineage}.{c.partition}.{c.offset}.{receipt.issued_millis}{appended}"
    return f"{text}.{keys.sign((b'receipt', text.encode()))}"


def read_receipt(text: str, keys: SigningKeys) -> Receipt:
    """The inverse of issue_receipt. Raises BadReceipt."""
    signed, _, mac = text.rpartition(".")
    if not keys.verifies((b"receipt", signed.encode(errors="replace")), mac.encode(errors="replace").decode()):
        raise BadReceipt("not a receipt of ours")
    lineage, partition, offset, issued, *appended = signed.split(".")
    coordinates = parse_coordinates(f"{lineage}/{partition}/{offset}")
    return Receipt(coordinates, int(issued), int(appended[0]) if appended else None)
