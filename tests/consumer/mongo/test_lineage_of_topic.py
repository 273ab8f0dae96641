"""Whether a worker may read a topic: by the newest lineage of its name, whenever it takes partitions over."""

import pytest

from consumer.mongo.store import known_lineage
from consumer.ports import TopicIdentity, UnknownLineage
from schemas.checkpoints import LAYOUT

TOPIC = TopicIdentity("cluster-1", "records", "topic-1")
LINEAGE = {"_id": "r3", "cluster": "cluster-1", "topicId": "topic-1", "layout": LAYOUT}


def test_the_topic_of_the_newest_lineage_is_read() -> None:
    """Lineages of versions that wrote no layout have the one that this version reads."""
    assert "r3" == known_lineage(TOPIC, LINEAGE)
    assert "r3" == known_lineage(TOPIC, {key: value for key, value in LINEAGE.items() if key != "layout"})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"layout": LAYOUT + 1},
            f"the database has layout {LAYOUT + 1}, written by `tallymill init` of a newer version",
        ),
        ({"layout": "2"}, "the database has layout 2"),
        ({"topicId": "topic-2"}, "it was deleted and created again"),
        ({"cluster": "cluster-2"}, "or Kafka is another cluster"),
    ],
)
def test_another_layout_topic_or_cluster_is_refused(changed: dict[str, object], words: str) -> None:
    """Of a newer layout a running worker learns here: it was right when the worker started."""
    with pytest.raises(UnknownLineage, match=words):
        known_lineage(TOPIC, LINEAGE | changed)


@pytest.mark.parametrize("field", ["topicId", "cluster"])
def test_a_lineage_that_lost_a_field_is_refused(field: str) -> None:
    with pytest.raises(UnknownLineage, match="was None"):
        known_lineage(TOPIC, {key: value for key, value in LINEAGE.items() if key != field})


def test_a_topic_without_a_lineage_is_refused() -> None:
    with pytest.raises(UnknownLineage, match="run `tallymill init` first"):
        known_lineage(TOPIC, None)
