"""The partition of a record: that of every client of Kafka."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from ingress.delivery.producer import partition_of_key


@given(st.binary(max_size=40), st.integers(1, 50))
def test_the_partition_of_a_key_is_that_of_aiokafkas_own_partitioner(key: bytes, number: int) -> None:
    """Or a player's records would change their partition with the ingress that publishes them."""
    partitions = list(range(number))
    assert DefaultPartitioner()(key, partitions, partitions) == partition_of_key(key, partitions, ())
