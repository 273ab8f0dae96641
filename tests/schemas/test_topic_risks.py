"""Of any settings that a topic may have: refused, warned of, or without danger. None is passed over in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.requirements import broken_settings, topic_config, wrong_topic_config
from schemas.settings import KafkaSettings, Limits
from schemas.topic_risks import TopicShape, more_partitions, new_topic_config, too_few_partitions, topic_risks

KAFKA = KafkaSettings(retention_seconds=1_000, replication_factor=3)
WANTED = topic_config(KAFKA, Limits())
GOOD = WANTED | new_topic_config(KAFKA)
SHAPE = TopicShape(partitions=6, replicas=3, brokers=3)

LIMIT = st.one_of(st.integers(-2, 3), st.integers(10**5, 10**10)).map(str)
CONFIGS = st.fixed_dictionaries(
    {
        "cleanup.policy": st.sampled_from(["delete", "compact", "compact,delete"]),
        "message.timestamp.type": st.sampled_from(["LogAppendTime", "CreateTime"]),
        "retention.ms": st.one_of(st.just(WANTED["retention.ms"]), LIMIT),
        "retention.bytes": st.one_of(st.just("-1"), LIMIT),
        "max.message.bytes": LIMIT,
        "min.insync.replicas": st.integers(1, 4).map(str),
        "unclean.leader.election.enable": st.sampled_from(["true", "false"]),
    }
)
SHAPES = st.builds(TopicShape, partitions=st.integers(1, 12), replicas=st.integers(1, 4), brokers=st.integers(1, 5))


def is_refused(config: dict[str, str]) -> bool:
    """Written again, as an operator's manual would: what certainly loses records, or counts them twice."""
    number = {name: int(value) for name, value in config.items() if value.lstrip("-").isdigit()}
    return (
        "compact" in config["cleanup.policy"]
        or config["message.timestamp.type"] != "LogAppendTime"
        or number["retention.ms"] != KAFKA.retention_seconds * 1000
        or number["retention.bytes"] >= 0
        or 0 <= number["max.message.bytes"] < int(WANTED["max.message.bytes"])
    )


def may_lose(config: dict[str, str], shape: TopicShape) -> bool:
    """What loses records, or stops them, with the next broker that fails."""
    copies = int(config["min.insync.replicas"])
    return config["unclean.leader.election.enable"] == "true" or not 2 <= copies < shape.replicas or shape.replicas < 3


@given(CONFIGS, SHAPES)
def test_whatever_loses_records_is_refused_or_warned_of_and_nothing_else_is(
    config: dict[str, str], shape: TopicShape
) -> None:
    """Against a second statement of the same rules."""
    assert is_refused(config) == bool(wrong_topic_config(config, WANTED))
    assert may_lose(config, shape) == bool(topic_risks(config, shape, KAFKA))
    broken = broken_settings(config, WANTED)
    assert [] == wrong_topic_config(config | broken, WANTED), "what is to be changed is enough"
    assert len(broken) == len(wrong_topic_config(config, WANTED)), "one sentence a setting"


@given(CONFIGS, st.data())
def test_a_setting_that_is_not_told_is_never_taken_for_right(config: dict[str, str], data: st.DataObject) -> None:
    """A broker that is no Kafka may leave some out."""
    name = data.draw(st.sampled_from(sorted(config)))
    rest = {**GOOD, **config}
    del rest[name]
    assert any(name in told for told in (*wrong_topic_config(rest, WANTED), *topic_risks(rest, SHAPE, KAFKA)))


@pytest.mark.parametrize("replicas", [3, 5])
def test_a_topic_as_init_makes_it_is_without_risk(replicas: int) -> None:
    """Otherwise init would warn of its own topic."""
    kafka = KafkaSettings(replication_factor=replicas)
    config = topic_config(kafka, Limits()) | new_topic_config(kafka)
    assert [] == topic_risks(config, TopicShape(6, replicas, replicas), kafka)


@pytest.mark.parametrize(
    ("changed", "shape", "words"),
    [
        ({"min.insync.replicas": "1"}, SHAPE, ("1 of 3 replicas", "lost with its disk", "min.insync.replicas=2")),
        ({"min.insync.replicas": "3"}, SHAPE, ("3 of 3 replicas", "nothing is acknowledged", "Have 4 replicas")),
        ({"min.insync.replicas": "4"}, SHAPE, ("is 4, replicas are 3", "refuses every record")),
        ({"unclean.leader.election.enable": "true"}, SHAPE, ("behind", "lost", "enable=false")),
        ({"min.insync.replicas": "1"}, TopicShape(6, 1, 3), ("1 replica, in a cluster of 3", "that broker's disk")),
        ({"min.insync.replicas": "1"}, TopicShape(6, 1, 1), ("1 replica, in a cluster of 1", "that broker's disk")),
    ],
)
def test_a_risk_names_the_loss_and_the_change(changed: dict[str, str], shape: TopicShape, words: tuple[str]) -> None:
    """One sentence each, that can be acted on."""
    (risk,) = topic_risks({**GOOD, **changed}, shape, KAFKA)
    assert [] == [word for word in words if word not in risk]


def test_fewer_replicas_than_were_asked_for_are_told() -> None:
    """Two are better than one, and not what the settings say."""
    risks = topic_risks(GOOD, TopicShape(6, 2, 3), KAFKA)
    assert any("2 replicas, kafka.replication_factor is 3" in risk for risk in risks)


@given(st.integers(1, 20), st.integers(1, 20))
def test_another_number_of_partitions_is_told(found: int, wanted: int) -> None:
    """Fewer is a problem, more a remark, the same is neither."""
    kafka = KafkaSettings(partitions=wanted)
    assert [found < wanted, found > wanted] == [
        bool(told(found, kafka)) for told in (too_few_partitions, more_partitions)
    ]
