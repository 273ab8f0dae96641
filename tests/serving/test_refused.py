"""The exception that refuses a request."""

import gc
import weakref

import pytest

from schemas.errors.table import Refusal
from serving.refused import Refused


class Body:
    """Stands for a body of some MiB: bytes take no weak reference."""


def test_a_stored_refusal_that_is_raised_again_keeps_no_body() -> None:
    """Its traceback would hold the frame, with the body in it, until the collector runs."""
    stored = Refused(Refusal.MALFORMED, headers=((b"a", b"b"),))
    bodies: list[weakref.ref[Body]] = []

    def refuse() -> None:
        body = Body()
        bodies.append(weakref.ref(body))
        raise stored.again()

    gc.disable()
    try:
        with pytest.raises(Refused) as caught:
            refuse()
        assert (stored.refusal, stored.violations, stored.headers) == (
            caught.value.refusal,
            caught.value.violations,
            caught.value.headers,
        )
        del caught
        assert [None] == [body() for body in bodies]
    finally:
        gc.enable()
