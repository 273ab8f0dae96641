"""A separate broker whose log can be cut, as by an unclean election or a disk restored from an older copy.

The partition's folder is copied while the broker runs, and restored while it is stopped. Records written in between are
gone, and their offsets are assigned again.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ops.local.servers import kafka
from ops.local.servers.fetch import kafka_files
from ops.local.servers.ports import choose_ports
from ops.local.servers.processes import Child, Children
from ops.local.servers.stack import wait_for_kafka
from tests.servers import Servers


@dataclass
class OwnBroker:
    """One that can be stopped. `servers`: itself beside a MongoDB that is shared."""

    servers: Servers
    _place: kafka.KafkaPlace
    _children: Children
    _child: Child | None = None

    def start(self) -> None:
        files = kafka_files()
        kafka.prepare(files, self._place)
        self._child = self._children.start(kafka.kafka_program(files, self._place))
        wait_for_kafka(self._place.address, self._child, None)

    def stop(self) -> None:
        assert self._child
        self._children.stop([self._child])
        self._child = None

    def copy(self, topic: str, partition: int = 0) -> Path:
        """The partition as it is now; without its indexes, which are rebuilt."""
        copied = self._place.home / f"copy-{topic}-{partition}"
        unwanted = shutil.ignore_patterns("*.index", "*.timeindex", "*.txnindex", "*.snapshot")
        shutil.copytree(self._folder(topic, partition), copied, ignore=unwanted)
        return copied

    def cut(self, topic: str, copied: Path, partition: int = 0) -> None:
        """Stop, put the copy back, start."""
        self.stop()
        folder = self._folder(topic, partition)
        shutil.rmtree(folder)
        copied.rename(folder)
        self.start()

    def _folder(self, topic: str, partition: int) -> Path:
        return self._place.log_dir / f"{topic}-{partition}"


@contextmanager
def own_broker(servers: Servers, folder: Path) -> Iterator[OwnBroker]:
    """Started; gone at the end."""
    port, controller_port = choose_ports((0, 0))
    home = (folder / "own-kafka").resolve()
    place = kafka.KafkaPlace(home, port, controller_port)
    with Children(folder / "own-logs") as children:
        broker = OwnBroker(replace(servers, kafka=place.address), place, children)
        broker.start()
        yield broker
