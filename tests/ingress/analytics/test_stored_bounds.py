"""AddEventBatch of what would be too much to store or too deep to read: the answer, and that nothing is published."""

import base64
import gzip

import pytest

from schemas.errors.table import Refusal
from tests.bodies.pools import nested
from tests.consumer.core.analytics.test_stored import HALF, LARGE
from tests.ingress.analytics.test_record import A, told
from tests.ingress.rig import Rig
from tests.samples import pool


async def test_b10_more_than_can_be_stored_at_once_is_413(rig: Rig) -> None:
    """92 KB as gzip, 8 MiB plain, and mediaInfo with each of 10,000 events; half of it is taken."""
    answer = await rig.add(gzip.compress(LARGE), content_encoding="gzip")
    assert (413, 5, 3, False) == told(answer)
    assert answer.json["StatusMessage"] == Refusal.TOO_MUCH_TO_STORE.value.message
    assert [] == rig.analytics_topic.records
    assert 200 == (await rig.add(HALF)).status


@pytest.mark.parametrize(("bearer", "expected"), [(None, (413, 5, 3, False)), ("", (401, 3, 3, False))])
async def test_b9_more_values_than_a_body_may_hold_are_413(
    rig: Rig, bearer: str | None, expected: tuple[int, int, int, bool]
) -> None:
    """For an unknown sender the values are not even counted."""
    answer = await rig.add(b'{"x":[' + b"1," * 1_000_000 + b"1]}", bearer=bearer)
    assert expected == told(answer)
    assert (expected[0] == 413) == (answer.json["StatusMessage"] == Refusal.TOO_MANY_VALUES.value.message)


@pytest.mark.parametrize("path", ["/AddEventBatch", "/AddEventBatch?partial=true"])
async def test_b9_too_deep_is_400_wherever_it_stands(rig: Rig, path: str) -> None:
    """In the envelope, an event, or JSON text; mediaInfo is kept raw."""
    deep = nested(965)
    for body, named in [
        (pool(A, x=0).replace(b'"x": 0', f'"x": {deep}'.encode()), "nested deeper than 64"),
        (pool(A, {"x": 0}).replace(b'"x": 0', f'"x": {deep}'.encode()), "nested deeper than 64"),
        (b'{"eventData": "[' + deep.encode() + b']"}', "eventData: is text that is not JSON: nested deeper than 64"),
    ]:
        answer = await rig.add(body, path)
        assert (400, named) == (answer.status, answer.json["StatusMessage"])
    media = base64.b64encode(f'{{"e":"\\ud83d\\ude00","a":{nested(966)}}}'.encode()).decode()
    assert 200 == (await rig.add(pool(A, mediaInfo=media))).status
    assert media == rig.pool_worker.pools[0].media.raw
