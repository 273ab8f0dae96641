"""The least that an ingress in Python can do: read a body, send it to Kafka with headers, answer when it is acked.

The server, its settings, those of the garbage collector and the producer are the ingress's, and the headers are as many
and as long as those of its records. There is no token, no rule, no signature and no metric.
"""

import os
from typing import Any

from bench.records import APP
from bench.rivals.fastapi_app import KAFKA_VARIABLE, TOPIC_VARIABLE
from bench.rivals.reads_only import ANSWER, HEADERS
from ingress.delivery.producer import new_producer
from schemas.games.judging import Judgement
from schemas.records.envelope import Envelope, seal
from schemas.records.signing import signing_keys
from schemas.settings import KafkaSettings, Limits, SigningSettings
from serving import garbage

REQUEST_TIMEOUT_SECONDS = 5

OWNER = f"{APP}/".encode()
_KEYS = signing_keys(SigningSettings.model_validate({"keys": ["a key for the length of a signature"]}))
_, RECORD_HEADERS = seal(Envelope(APP, "player-100", 1_700_000_000_000, Judgement()), 10**18, b"", _KEYS)


class Floor:
    """The ASGI app. Its producer lives as long as the server."""

    def __init__(self) -> None:
        self._producer: Any = None
        self._topic = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 ASGI's own types are dictionaries
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        key = OWNER + dict(scope["headers"]).get(b"x-player", b"")
        await self._producer.send_and_wait(self._topic, body, key=key, headers=RECORD_HEADERS)
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": ANSWER})

    async def _live(self, receive: Any, send: Any) -> None:  # noqa: ANN401 the same
        await receive()
        kafka = KafkaSettings(bootstrap_servers=os.environ[KAFKA_VARIABLE])
        self._topic = os.environ[TOPIC_VARIABLE]
        self._producer = await new_producer(kafka, Limits().max_body_bytes, REQUEST_TIMEOUT_SECONDS)
        await self._producer.start()
        garbage.settle()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._producer.stop()
        await send({"type": "lifespan.shutdown.complete"})


app = Floor()
