"""The partition of a record: that of every client of Kafka."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from ingress.delivery.partitioning import ClaimedPartitioner, partition_of_key
from schemas.coordinates import PartitionId


@given(st.binary(max_size=40), st.integers(1, 50))
def test_the_partition_of_a_key_is_that_of_aiokafkas_own_partitioner(key: bytes, number: int) -> None:
    """Or a player's records would change their partition with the ingress that publishes them."""
    partitions = list(range(number))
    assert DefaultPartitioner()(key, partitions, partitions) == partition_of_key(key, partitions, ())


def rows(lineage: str, *partitions: int) -> dict[PartitionId, int]:
    return {PartitionId(lineage, one): 0 for one in partitions}


@pytest.mark.parametrize(
    ("lineage", "claimed", "used"),
    [
        ("r1", rows("r1", 0, 1, 2, 3), 4),
        ("r1", rows("r1", 0, 1), 2),
        ("r1", rows("r1", 0, 1, 3), 2),
        ("r1", rows("r1", 0, 1, 2, 3, 4, 5), 4),
        ("r1", {}, 4),
        (None, rows("r1", 0, 1), 4),
        ("r2", rows("r1", 0, 1), 4),
        ("r2", rows("r1", 0, 1) | rows("r2", 0, 1, 2), 3),
    ],
)
def test_records_go_to_partitions_that_workers_have_claimed(
    lineage: str | None, claimed: dict[PartitionId, int], used: int
) -> None:
    """To all of them from 0 on; to every partition while nothing is known of checkpoints."""
    partitioner = ClaimedPartitioner(lambda: lineage, lambda: claimed)
    keys = [b"demo/p%d" % number for number in range(200)]
    topic = [0, 1, 2, 3]
    assert [partition_of_key(key, topic[:used], ()) for key in keys] == [partitioner(key, topic, topic) for key in keys]


def test_all_partitions_of_a_new_lineage_are_used_whatever_is_read_of_the_one_before() -> None:
    """As many checkpoints of another mixture: a topic was made again, with more partitions."""
    read = [rows("r1", 0, 1) | rows("r2", 0, 1)]
    partitioner = ClaimedPartitioner(lambda: "r2", lambda: read[-1])
    assert 2 == partitioner.claimed()
    read.append(rows("r2", 0, 1, 2, 3))
    assert 4 == partitioner.claimed()


def test_a_new_partition_is_used_as_soon_as_its_checkpoint_has_been_read() -> None:
    """Without a restart, and with a new lineage too."""
    read = [rows("r1", 0)]
    lineages = ["r1"]
    partitioner = ClaimedPartitioner(lambda: lineages[-1], lambda: read[-1])
    assert 1 == partitioner.claimed()
    read.append(rows("r1", 0, 1))
    assert 2 == partitioner.claimed()
    lineages.append("r2")
    assert 0 == partitioner.claimed()
    read.append(rows("r2", 0, 1, 2))
    assert 3 == partitioner.claimed()
