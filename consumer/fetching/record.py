"""Makes tallymill's record from one of aiokafka's. The worker and a recount both use it, so that they read the same.

Headers are cleaned, times are clamped to what MongoDB can store, and a value larger than any accepted body is cut: it
is dead because of its size, before anything costly is done with it.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import ConsumerRecord

from consumer.fetching.batch import KEPT_BYTES, Flaw
from consumer.fetching.wire import MAX_HEADERS
from schemas.records.envelope import clamped_millis
from schemas.records.headers import Headers, by_name, clean_headers
from schemas.requirements import max_record_bytes
from schemas.settings import Api, LimitSettings

# Key and headers of a record: those of an ingress have some hundred bytes; tracing and proxies add some.
MAX_ENVELOPE_BYTES = 1024 * 1024

# A value of up to this size is kept whole if it may be signed: limits may have been higher when it was accepted.
MAX_SIGNED_BYTES = 16 * 1024 * 1024


def largest_value_bytes(limits: LimitSettings, api: Api | None) -> int:
    """The largest body that the limits of any app allow. Without `api`: of both APIs."""
    largest: Mapping[Api, int] = {
        "games": max(one.max_body_bytes for one in limits.everyones()),
        "analytics": max(one.max_analytics_body_bytes for one in limits.everyones()),
    }
    return largest[api] if api else max(largest.values())


def most_unpacked_bytes(limits: LimitSettings) -> int:
    """The size of the largest record: a batch may unpack to as much."""
    return max(max_record_bytes(limits, "games"), max_record_bytes(limits, "analytics"))


class Read(NamedTuple):
    """The fields of a record, in the order that the types of both the worker and the recount have."""

    offset: int
    timestamp_millis: int
    key: bytes | None
    value: bytes
    headers: Headers
    fault: str


def record_of(found: ConsumerRecord, largest_bytes: int) -> Read:
    """The record, with its fault if there is one."""
    value, flaw, headers, key = found.value or b"", found.checksum, found.headers, found.key
    fault = flaw.reason if isinstance(flaw, Flaw) else ""
    if len(headers) > MAX_HEADERS:
        fault, headers = f"{len(headers)} headers or more, more than {MAX_HEADERS}", ()
    cleaned = clean_headers(headers)
    envelope_bytes = len(key or b"")
    for name, text in cleaned:
        envelope_bytes += len(name) + len(text)
    if envelope_bytes > MAX_ENVELOPE_BYTES:
        fault, key, cleaned = f"key and headers of {envelope_bytes} bytes", key and key[:KEPT_BYTES], ()
    if len(value) > largest_bytes:
        fault = fault or f"a value of {len(value)} bytes, more than any body may have ({largest_bytes})"
        if len(value) > max(MAX_SIGNED_BYTES, largest_bytes) or "judged" not in by_name(cleaned):
            fault += f"; its first {KEPT_BYTES} are kept, SHA-256 {hashlib.sha256(value).hexdigest()}"
            value = value[:KEPT_BYTES]
    return Read(found.offset, clamped_millis(found.timestamp), key, value, cleaned, fault)
