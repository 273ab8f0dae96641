"""The envelope of an analytics record."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.analytics.body import FORM_TYPE
from schemas.records.envelope import MalformedEnvelope, Owner
from schemas.records.pools import PoolJudgement, seal_pool, unseal_pool
from tests.samples import KEYS, NOW

OWNER = Owner("demo", "~anon/../é".replace("/", "-"), NOW)


@given(st.booleans(), st.none() | st.text(min_size=1, max_size=8, alphabet="abc é"), st.binary(max_size=20))
def test_what_an_ingress_has_decided_comes_through(partial: bool, request_id: str | None, body: bytes) -> None:  # noqa: FBT001
    """Owner, time, and how it was judged."""
    judgement = PoolJudgement(partial=partial, request_id=request_id)
    key, headers = seal_pool(OWNER, judgement, FORM_TYPE, body, KEYS)
    assert (OWNER, replace(judgement, signed=True)) == unseal_pool(key, headers, body, NOW + 5, KEYS)


def test_nobody_but_an_ingress_can_leave_items_out() -> None:
    """A forged judgement is none, and neither is one moved to another body."""
    key, headers = seal_pool(OWNER, PoolJudgement(partial=True), FORM_TYPE, b"body", KEYS)
    owner, judgement = unseal_pool(key, headers, b"other", NOW - 1, KEYS)
    assert (PoolJudgement(), NOW - 1) == (judgement, owner.received_millis)
    forged = [(name, b'{"partial":true}.00' if name == "judged" else value) for name, value in headers]
    assert PoolJudgement() == unseal_pool(key, forged, b"body", NOW, KEYS)[1]


def test_a_record_of_nobody_is_malformed() -> None:
    """Neither ce_source nor the key names its owner."""
    with pytest.raises(MalformedEnvelope):
        unseal_pool(None, [], b"", NOW, KEYS)
