"""The place of a record: lineage, partition, offset. In documents it is a text such as `r1/03/1234`."""

from typing import NamedTuple


class PartitionId(NamedTuple):
    """One partition of one lineage. Its text is the `_id` of its checkpoint."""

    lineage: str
    partition: int

    def __str__(self) -> str:
        return f"{self.lineage}/{self.partition:02}"


class Coordinates(NamedTuple):
    """One record. Its text is the `_id` of its exception or dead letter, and the `from` of what it wrote."""

    lineage: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.lineage}/{self.partition:02}/{self.offset}"

    @property
    def partition_id(self) -> PartitionId:
        return PartitionId(self.lineage, self.partition)


def parse_coordinates(text: str) -> Coordinates:
    """The inverse of str(). Raises ValueError."""
    lineage, partition, offset = text.split("/")
    return Coordinates(lineage, int(partition), int(offset))
