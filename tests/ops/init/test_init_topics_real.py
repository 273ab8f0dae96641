"""Topics that differ from those of `init`, on a real broker: what init corrects, and what init and doctor report."""

import pytest

from ops.connect import kafka_admin
from ops.doctor.check import Check
from ops.doctor.command import examine
from ops.errors import BadInput
from ops.init.command import initialise, wrong
from ops.init.finding import Finding
from schemas.requirements import topic_config, wrong_topic_config
from serving.kafka.topic import topic_config as config_now
from serving.kafka.topic import topic_shape
from tests.ops.init.test_init_real import empty_place, make_topic
from tests.ops.running import raw
from tests.real import Place, change_topic, place, produce
from tests.servers import Servers


def of(where: Place, findings: list[Finding]) -> list[Finding]:
    """The findings about the records' topic."""
    return [finding for finding in findings if finding.what == f"topic {where.settings.kafka.records_topic}"]


async def checks(where: Place, state: str) -> list[Check]:
    """The doctor's checks of it."""
    what = f"topic {where.settings.kafka.records_topic}"
    return [check for check in await examine(where.settings) if (check.what, check.state) == (what, state)]


async def partitions(where: Place) -> int:
    async with kafka_admin(where.settings) as admin:
        return (await topic_shape(admin, where.settings.kafka.records_topic)).partitions


async def test_a_topic_made_by_its_brokers_defaults_is_set_right_before_its_first_record(servers: Servers) -> None:
    """As a first request to Kafka creates it: one partition, clients' times."""
    async with empty_place(servers) as new, kafka_admin(new.settings) as kafka:
        await make_topic(kafka, new.settings)
        found = {check.detail.partition(" ")[0] for check in await checks(new, "wrong")}
        assert {"message.timestamp.type", "1"} <= found
        finding = of(new, await initialise(new.settings))[0]
        assert "changed" == finding.state, finding
        for words in ("message.timestamp.type changed from CreateTime to LogAppendTime", "partitions added: 2, were 1"):
            assert words in finding.detail
        config = await config_now(kafka, new.settings.kafka.records_topic)
        assert [] == wrong_topic_config(config.in_force, topic_config(new.settings.kafka, new.settings.limits))
        assert [] == await checks(new, "wrong")
        assert "there" == of(new, await initialise(new.settings))[0].state


async def test_a_topic_of_records_is_told_and_not_changed(servers: Servers) -> None:
    """They lie where their keys were; those that come are for a person to decide on."""
    async with empty_place(servers) as new, kafka_admin(new.settings) as kafka:
        await make_topic(kafka, new.settings)
        await produce(new.settings, 0, raw(b"{}"))
        for _ in range(2):
            finding = of(new, await initialise(new.settings))[0]
            assert "wrong" == finding.state
            for words in (
                "message.timestamp.type is CreateTime",
                "1 partitions, kafka.partitions is 2",
                "tallymill init --partitions 2",
            ):
                assert words in finding.detail
            assert 1 == await partitions(new)


async def test_partitions_are_added_on_request_and_others_than_wanted_are_told(servers: Servers) -> None:
    """Fewer is wrong; more is an operator's decision."""
    async with place(servers, partitions=2) as there:
        await produce(there.settings, 0, raw(b"{}"))
        more = there.settings.model_copy(update={"kafka": there.settings.kafka.model_copy(update={"partitions": 3})})
        assert "2 partitions, kafka.partitions is 3" in wrong(await initialise(more))[0].detail
        grown = of(there, await initialise(more, add_partitions=True))[0]
        assert ("changed", "partitions added: 3, were 2") == (grown.state, grown.detail)
        assert 3 == await partitions(there)
        assert [] == wrong(await initialise(there.settings, add_partitions=True))
        (told,) = (check for check in await checks(there, "warning") if "kafka.partitions" in check.detail)
        assert "3 partitions, kafka.partitions is 2: all are read" in told.detail


async def test_a_topic_that_removes_records_too_soon_is_wrong_and_what_may_lose_them_a_warning(
    servers: Servers,
) -> None:
    """Whoever changed the topic and when: init and doctor report it, each with what can be lost."""
    async with place(servers) as there:
        await change_topic(
            there.settings,
            retention_ms="3600000",
            retention_bytes="1000000",
            unclean_leader_election_enable="true",
            min_insync_replicas="2",
        )
        found = of(there, await initialise(there.settings))
        told = await checks(there, "wrong"), await checks(there, "warning")
        assert ["wrong"] == [finding.state for finding in found if finding.state != "warning"]
        for said in ([found[0].detail], [check.detail for check in told[0]]):
            for words in ("retention.ms is 3600000, must be 604800000", "retention.bytes is 1000000, must be -1"):
                assert any(words in one for one in said), said
        risks = [finding.detail for finding in found if finding.state == "warning"]
        assert risks == [check.detail for check in told[1]]
        for words in ("unclean.leader.election.enable is true", "min.insync.replicas is 2, replicas are 1"):
            assert any(words in risk for risk in risks), risks


async def test_a_number_of_partitions_is_given_to_both_topics_and_none_is_removed(servers: Servers) -> None:
    """`init --partitions N`: a warning says that the settings still have another number."""
    async with place(servers, partitions=2) as there:
        await produce(there.settings, 0, raw(b"{}"))
        findings = await initialise(there.settings, partitions=3)
        assert [] == wrong(findings)
        kafka = there.settings.kafka
        for name in (kafka.records_topic, kafka.analytics_topic):
            told = {one.state: one.detail for one in findings if one.what == f"topic {name}"}
            assert "partitions added: 3, were 2" == told["changed"]
            assert any(
                "kafka.partitions is 2: all are read. Set kafka.partitions to 3" in one.detail
                for one in findings
                if one.what == f"topic {name}" and one.state == "warning"
            )
        assert 3 == await partitions(there)
        assert "there" == of(there, await initialise(there.settings, partitions=3))[0].state
        with pytest.raises(BadInput) as refused:
            await initialise(there.settings, partitions=2)
        assert 2 == len(refused.value.problems)
        assert "has 3 partitions, and Kafka can't remove any: 2 is refused, and nothing was changed" in str(
            refused.value
        )
        assert 3 == await partitions(there)
