"""Ids packed into documents and found again, whatever they are and whatever their hashes."""

import hashlib
from collections.abc import Callable
from unittest.mock import patch

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import request_ids
from schemas.coordinates import PartitionId
from schemas.documents import request_key, utc
from schemas.games.judging import matches_id
from schemas.records.envelope import PLAYER_PATTERN, matches_player
from schemas.request_ids import MAX_IDS, SEPARATOR, StoredRequest, hash_of, keep_newest, lookup, packed, unpacked
from tests.samples import NOW

PARTITION = PartitionId("r1", 3)
INT64 = st.integers(-(2**63), 2**63 - 1)
KEYS = st.builds(
    request_key,
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    st.from_regex(PLAYER_PATTERN),
    INT64,
)
STORED = st.builds(
    StoredRequest, st.integers(0, 221_845_392_000_000), st.integers(0, 2**32 - 1), st.integers(0, 2**63 - 1)
)
# So few that most ids share one.
COLLIDING: list[Callable[[str], int]] = [lambda _: 7, lambda key: len(key) % 2 - 1]


@given(st.dictionaries(KEYS, STORED, max_size=8), st.sampled_from([hash_of, *COLLIDING]), st.integers(1, 9))
def test_packed_ids_are_read_back_each_as_it_was(
    requests: dict[str, StoredRequest], hash_function: Callable[[str], int], most: int
) -> None:
    """Through BSON, in their order, however many share a document or a hash."""
    with patch.object(request_ids, "hash_of", hash_function), patch.object(request_ids, "MAX_IDS", most):
        documents = [bson.decode(bson.encode(dict(one))) for one in packed(PARTITION, requests)]
    assert list(requests.items()) == [one for document in documents for one in unpacked(document)]
    assert [hash_function(key) for key in requests] == [hash_ for document in documents for hash_ in document["keys"]]
    assert all(1 <= len(document["keys"]) <= most for document in documents)


@given(st.dictionaries(KEYS, STORED, min_size=1, max_size=8), st.sets(KEYS, max_size=3), st.sampled_from(COLLIDING))
def test_a_hash_only_finds_and_the_whole_id_decides(
    requests: dict[str, StoredRequest], others: set[str], hash_function: Callable[[str], int]
) -> None:
    """Others with the same hash are not found in the document."""
    with patch.object(request_ids, "hash_of", hash_function):
        (document,) = packed(PARTITION, requests)
        found: dict[str, StoredRequest] = {}
        wanted = {min(requests)} | others
        keep_newest(found, dict(document), wanted)
    assert {key: stored for key, stored in requests.items() if key in wanted} == found


def test_a_document_expires_with_its_newest_id_and_is_named_by_its_first_record() -> None:
    """No id is forgotten too soon."""
    requests = {"demo/ann/2": StoredRequest(NOW + 5, 1, 11), "demo/ann/1": StoredRequest(NOW, 2, 9)}
    (document,) = packed(PARTITION, requests)
    assert ("r1/03/9", utc(NOW + 5), "demo/ann/2\ndemo/ann/1") == (document["_id"], document["at"], document["ids"])


def test_the_ids_of_a_large_flush_are_in_several_documents() -> None:
    """So that a duplicate makes MongoDB read a part of them."""
    requests = {f"demo/ann/{n}": StoredRequest(NOW, 0, n) for n in range(2 * MAX_IDS + 1)}
    documents = packed(PARTITION, requests)
    assert [MAX_IDS, MAX_IDS, 1] == [len(document["keys"]) for document in documents]
    assert ["r1/03/0", f"r1/03/{MAX_IDS}", f"r1/03/{2 * MAX_IDS}"] == [document["_id"] for document in documents]
    assert [] == packed(PARTITION, {})


def test_of_an_id_that_has_counted_twice_the_later_is_kept() -> None:
    """In whatever order their documents come."""
    older, newer = StoredRequest(NOW, 9, 9), StoredRequest(NOW + 1, 1, 1)
    documents = [packed(PARTITION, {"demo/ann/1": one})[0] for one in (older, newer)]
    for order in (documents, documents[::-1]):
        found: dict[str, StoredRequest] = {}
        for document in order:
            keep_newest(found, dict(document), {"demo/ann/1"})
        assert {"demo/ann/1": newer} == found


def test_the_hash_is_what_the_documents_say() -> None:
    """An operator computes it in another language (docs/queries.md); it never changes, or stored ids are lost."""
    digest = hashlib.sha256(b"demo/ann/7").digest()[:8]
    assert int.from_bytes(digest, "little", signed=True) == hash_of("demo/ann/7") == 8268711950858625332
    assert {"keys": {"$in": [hash_of("demo/ann/7")]}} == lookup(["demo/ann/7"])


@pytest.mark.parametrize("player", [SEPARATOR, f"a{SEPARATOR}demo", SEPARATOR + "demo"])
def test_no_id_contains_the_separator(player: str) -> None:
    """One that did would read as two, and one of them could be another player's."""
    assert not matches_player(player)
    assert not matches_id(player)
