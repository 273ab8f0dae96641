"""An ingress process that kills itself at a point of a request's way: `python serve_and_crash.py CONFIG.json POINT`."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.produce import ProduceRequest

from ingress import server
from ingress.config import IngressConfig
from ingress.delivery.publish import KafkaPublisher
from ingress.delivery.read_your_writes import CheckpointWatch
from ingress.delivery.waiters import WaitResult
from ingress.ports import Position
from ops.logs import configure_logs
from schemas.coordinates import Coordinates

BEFORE_SEND = "before the send"
HANDED_OVER = "handed to the producer"
SENT = "sent, not acked"
ACKED = "acked"
COUNTED = "counted, not answered"
POINTS = (BEFORE_SEND, HANDED_OVER, SENT, ACKED, COUNTED)


def crash_at(point: str) -> None:
    """Die here, if this is the point: at once, by SIGKILL, with nothing tidied up."""
    if sys.argv[2] == point:
        os.kill(os.getpid(), signal.SIGKILL)


class CrashingPublisher(KafkaPublisher):
    """The real one, with crash points around its steps."""

    async def publish(self, key: bytes, headers: Sequence[tuple[str, bytes]], body: bytes) -> Position | None:
        crash_at(BEFORE_SEND)
        position = await super().publish(key, headers, body)
        crash_at(ACKED)
        return position

    async def _send(self, *given: Any) -> Any:  # noqa: ANN401 aiokafka has no types
        sent = await super()._send(*given)
        crash_at(HANDED_OVER)
        return sent


class CrashingConnection:
    """Kafka's connection: the bytes of a produce request are with the kernel, which delivers them after our death."""

    send = AIOKafkaConnection.send

    def send_and_crash(self, request: Any, expect_response: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 aiokafka's own
        answer = CrashingConnection.send(self, request, expect_response)
        if isinstance(request, ProduceRequest):
            crash_at(SENT)
        return answer


class CrashingWatch(CheckpointWatch):
    """The real one. It crashes when the awaited result is known."""

    async def wait(
        self, coordinates: Coordinates, actor: str | None, timeout_seconds: float, append_millis: int | None = None
    ) -> WaitResult:
        seen = await super().wait(coordinates, actor, timeout_seconds, append_millis)
        if seen.passed:
            crash_at(COUNTED)
        return seen


if __name__ == "__main__":
    assert sys.argv[2] in POINTS
    configure_logs()
    # The parts that the process is put together of.
    vars(server).update(KafkaPublisher=CrashingPublisher, CheckpointWatch=CrashingWatch)
    AIOKafkaConnection.send = CrashingConnection.send_and_crash
    sys.exit(server.run(IngressConfig.model_validate_json(Path(sys.argv[1]).read_bytes())))
