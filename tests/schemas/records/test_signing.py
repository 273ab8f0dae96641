"""Signatures and receipts."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from schemas.coordinates import Coordinates, PartitionId, parse_coordinates
from schemas.records.receipt import BadReceipt, Receipt, issue_receipt, read_receipt
from schemas.records.signing import SigningKeys, signing_keys
from schemas.settings import SigningSettings
from tests.samples import KEYS, NOW

RECEIPT = Receipt(Coordinates("r1", 3, 1234), NOW)


def test_the_border_between_two_parts_can_not_be_moved() -> None:
    """("ab", "c") and ("a", "bc") are signed apart."""
    assert KEYS.sign([b"ab", b"c"]) != KEYS.sign([b"a", b"bc"])


@given(st.binary(min_size=1, max_size=200), st.lists(st.binary(max_size=200), max_size=6))
def test_a_signature_is_the_hmac_of_the_standard_library(key: bytes, parts: list[bytes]) -> None:
    """With keys shorter and longer than a block of the hash."""
    text = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    keys = SigningKeys((key,))
    assert hmac.new(key, text, "sha256").hexdigest() == keys.sign(parts)
    assert keys.verifies(parts, keys.sign(parts).encode())
    assert not keys.verifies([*parts, b""], keys.sign(parts).encode())


def test_keys_come_from_the_settings_and_are_never_shown() -> None:
    """The first signs; a missing one is refused."""
    keys = signing_keys(SigningSettings(keys=(SecretStr("x" * 16), SecretStr("y" * 16))))
    assert keys.keys == (b"x" * 16, b"y" * 16)
    assert "x" * 16 not in repr(keys)
    with pytest.raises(ValueError, match=r"signing\.keys"):
        signing_keys(SigningSettings())


def test_keys_are_renewed_where_they_are() -> None:
    """All parts of a process have the same object. What the new keys do not know is no longer verified."""
    keys = signing_keys(SigningSettings(keys=(SecretStr("x" * 16),)))
    before = keys.sign([b"part"]).encode()
    keys.renew([SecretStr("y" * 16), SecretStr("x" * 16)])
    assert keys.verifies([b"part"], before)
    assert before != keys.sign([b"part"]).encode()
    keys.renew([SecretStr("y" * 16)])
    assert not keys.verifies([b"part"], before)


def test_a_receipt_reads_back() -> None:
    """Coordinates and time of issue."""
    assert read_receipt(issue_receipt(RECEIPT, KEYS), KEYS) == RECEIPT


@pytest.mark.parametrize("text", ["", "r1.3.1234.5", "r1.3.1234.5.deadbeef", "\udcff", "r1.3.1234.5.é"])
def test_what_we_did_not_issue_is_no_receipt(text: str) -> None:
    """Coordinates can be guessed; a signature can't."""
    with pytest.raises(BadReceipt):
        read_receipt(text, KEYS)


def test_a_receipt_is_not_a_judgement() -> None:
    """A signature made for one purpose is none for another, and none under another key."""
    text = issue_receipt(RECEIPT, KEYS)
    with pytest.raises(BadReceipt):
        read_receipt(text, SigningKeys((b"another key of sixteen bytes",)))
    with pytest.raises(BadReceipt):
        read_receipt(text.replace("1234", "1235"), KEYS)


def test_coordinates_read_back() -> None:
    """As documents spell them."""
    coordinates = Coordinates("r1", 3, 1234)
    assert str(coordinates) == "r1/03/1234"
    assert parse_coordinates("r1/03/1234") == coordinates
    assert str(coordinates.partition_id) == str(PartitionId("r1", 3)) == "r1/03"
