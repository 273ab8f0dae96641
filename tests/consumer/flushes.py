"""Flushes applied to a store as a flusher does it."""

from consumer.core.flush import Flush
from consumer.core.plan import WritePlan
from consumer.core.planners import PLANNERS
from consumer.ports import Store
from schemas.settings import Api, Limits

LIMITS = Limits()


async def apply_flush(store: Store, flush: Flush, limits: Limits = LIMITS, api: Api = "games") -> WritePlan:
    planner = PLANNERS[api]
    return await store.apply(planner.reads_of(flush), lambda known: planner.make_plan(flush, known, limits))
