"""What a browser keeps: nobody else can write it, and it is nothing for another purpose."""

import json

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey

from console.access.sealed import Seal, derived_key

OLD, NEW = b"the first secret of a console", b"the second secret of a console"
FIELDS = {"sub": "ann", "n": 1}


def test_what_is_sealed_is_opened_until_its_end() -> None:
    """And no part of it can be read."""
    sealed = Seal([OLD], "session").seal(FIELDS, 100)
    assert "ann" not in sealed
    assert {**FIELDS, "exp": 100} == Seal([OLD], "session").open(sealed, 99.9)
    assert Seal([OLD], "session").open(sealed, 100) is None


def test_keys_are_changed_without_a_stop() -> None:
    """A console with the new key first opens what one with the old key sealed, and the other way round."""
    of_old, of_both, of_new = (Seal(keys, "session") for keys in ([OLD, NEW], [NEW, OLD], [NEW]))
    assert of_both.open(of_old.seal(FIELDS, 100), 0)
    assert of_old.open(of_both.seal(FIELDS, 100), 0)
    assert of_new.open(of_both.seal(FIELDS, 100), 0)
    assert of_new.open(of_old.seal(FIELDS, 100), 0) is None


def test_each_purpose_has_a_key_of_its_own() -> None:
    """A sign-in that has begun is no session."""
    assert Seal([OLD], "session").open(Seal([OLD], "login").seal(FIELDS, 100), 0) is None


def forged(header: dict[str, str], key: bytes) -> str:
    text = json.dumps({**FIELDS, "exp": 10**12}).encode()
    return jwe.encrypt_compact(header, text, OctKey.import_key(key), algorithms=list(header.values()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "....",
        "a.b.c.d.e",
        "é",
        "{}",
        "a" * 10_000,
        forged({"alg": "dir", "enc": "A256GCM"}, b"k" * 32),
        forged({"alg": "A256KW", "enc": "A256GCM"}, derived_key(OLD, "tallymill console session")),
    ],
)
def test_what_was_not_sealed_here_is_nothing(text: str) -> None:
    """Whatever a client puts into a cookie. The algorithm is not the client's to choose."""
    assert Seal([OLD], "session").open(text, 0) is None


def test_no_character_of_it_can_be_changed() -> None:
    """It is authenticated, not only encrypted."""
    sealed = Seal([OLD], "session").seal(FIELDS, 100)
    for at in range(0, len(sealed) - 1, 3):
        other = "B" if sealed[at] != "B" else "C"
        assert Seal([OLD], "session").open(sealed[:at] + other + sealed[at + 1 :], 0) is None, at
