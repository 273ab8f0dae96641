"""What one would write first: FastAPI, the body as pydantic models, send_and_wait. It checks no token.

Its producer has the settings of the ingress (acks from all, idempotent, lz4, the same batches).
"""

# ruff: noqa: N815 the fields are the wire's

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Header
from pydantic import BaseModel

from ingress.delivery.producer import new_producer
from schemas.settings import KafkaSettings, Limits

TOPIC_VARIABLE, KAFKA_VARIABLE = "BENCH_TOPIC", "BENCH_KAFKA"


class EventPeriodRange(BaseModel):
    kind: str | None = None
    periodStartMillis: int
    periodEndMillis: int


class EventUpdateRequest(BaseModel):
    kind: str | None = None
    definitionId: str
    updateCount: int


class EventPeriodUpdate(BaseModel):
    kind: str | None = None
    timePeriod: EventPeriodRange
    updates: list[EventUpdateRequest] = []


class EventRecordRequest(BaseModel):
    kind: str | None = None
    requestId: int
    currentTimeMillis: int | None = None
    timePeriods: list[EventPeriodUpdate] = []


class EventUpdateResponse(BaseModel):
    kind: str = "games#eventUpdateResponse"
    batchFailures: list[dict[str, str]] = []
    eventFailures: list[dict[str, str]] = []
    playerEvents: list[dict[str, str]] = []


@asynccontextmanager
async def producing(app: FastAPI) -> AsyncIterator[None]:
    kafka = KafkaSettings(bootstrap_servers=os.environ[KAFKA_VARIABLE])
    app.state.producer = await new_producer(kafka, Limits().max_body_bytes, 5)
    await app.state.producer.start()
    yield
    await app.state.producer.stop()


app = FastAPI(lifespan=producing)


@app.post("/games/v1/events")
async def record(batch: EventRecordRequest, x_player: Annotated[str, Header()]) -> EventUpdateResponse:
    value, key = batch.model_dump_json().encode(), x_player.encode()
    await app.state.producer.send_and_wait(os.environ[TOPIC_VARIABLE], value, key=key)
    return EventUpdateResponse()
