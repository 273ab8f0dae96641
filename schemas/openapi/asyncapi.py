"""The AsyncAPI 3.1 document: the records of each topic, for programs that read or produce them."""

from typing import Any

from pydantic.json_schema import models_json_schema

from schemas.analytics.body import ANALYTICS_TYPE, FORM_TYPE, JSON_TYPE
from schemas.analytics.models import AddEventBatchRequest
from schemas.documents import ID_SCHEMA_PATTERN
from schemas.games.models import EventRecordRequest
from schemas.openapi.document import API_VERSION, REF_TEMPLATE
from schemas.openapi.examples import GOOD_BATCH, SEALED_POOL
from schemas.records.envelope import CE_TYPE, CONTENT_TYPE
from schemas.records.trace import TRACEPARENT_PATTERN
from schemas.requirements import topic_config
from schemas.settings import Api, KafkaSettings, Limits
from schemas.wire.int64 import INT64_PATTERN

Json = dict[str, Any]

KAFKA_BINDING = "0.5.0"

_INTRODUCTION = """\
One record is the body of one request, byte for byte. An ingress judges the request, then produces the record with the \
header `judged`. Another producer leaves `judged` out, and the workers judge the record. A requestId counts once per \
player and `dedupe_window_seconds`, whichever producer sent it. An event of a pool counts once for as long as events \
are kept."""

_TIME = "The time at which the request was received. Without a valid `judged` it is never later than Kafka's time."

# All headers are optional, except ce_source if the key does not name the app and the player.
_HEADERS: dict[str, Json] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "pattern": INT64_PATTERN, "description": "The requestId of the body."},
    "ce_source": {
        "type": "string",
        "pattern": "^/apps/[A-Za-z0-9_-]{1,64}/players/[^/]+$",
        "description": "The app and the player: `/apps/A/players/P`, P percent-encoded. Default: those of the key.",
    },
    "ce_type": {"type": "string", "const": CE_TYPE},
    "ce_time": {"type": "string", "format": "date-time", "description": _TIME},
    "content-type": {"type": "string", "const": CONTENT_TYPE},
    "traceparent": {
        "type": "string",
        "pattern": TRACEPARENT_PATTERN,
        "description": "W3C Trace Context of the client or producer, as it was sent. It does not affect what counts.",
    },
    "judged": {
        "type": "string",
        "pattern": r"^\{.*\}\.[0-9a-f]{64}$",
        "description": "The parts of the batch that an ingress refused, as JSON (an absent part: nothing was "
        "refused), then an HMAC-SHA256 over `judged`, ce_id, ce_source, ce_time and the body. A value that does not "
        "verify counts as absent: the worker judges the record.",
    },
}


_POOL_HEADERS: dict[str, Json] = _HEADERS | {
    "ce_id": {"type": "string", "minLength": 1, "description": "The requestId. For a pool without one, a hash."},
    "ce_type": {"type": "string", "const": ANALYTICS_TYPE},
    "content-type": {"type": "string", "enum": [JSON_TYPE, FORM_TYPE]},
    "judged": {
        "type": "string",
        "pattern": r"^\{.*\}\.[0-9a-f]{64}$",
        "description": "Whether invalid events are skipped (`partial`) and the request id, as JSON, then an "
        "HMAC-SHA256 as in the other topic. Without it, an invalid event refuses the whole "
        "record, and the request id is the body's.",
    },
}


def asyncapi_document() -> Json:
    """The document."""
    models: list[Any] = [(EventRecordRequest, "validation"), (AddEventBatchRequest, "validation")]
    _, schema = models_json_schema(models, ref_template=REF_TEMPLATE)
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "tallymill records", "version": API_VERSION, "description": _INTRODUCTION},
        "defaultContentType": CONTENT_TYPE,
        "channels": {"records": _channel("games", "batch"), "analytics": _channel("analytics", "pool")},
        "operations": {
            "publishBatch": _operation(
                "send", "records", "An ingress publishes a batch, and answers after Kafka's ack."
            ),
            "countBatch": _reading("games", "records", "A worker counts the batch."),
            "publishPool": _operation("send", "analytics", "An ingress publishes a pool with its token blanked."),
            "registerPool": _reading("analytics", "analytics", "A worker registers and counts the events of the pool."),
        },
        "components": {"messages": {"batch": _message(), "pool": _pool_message()}, "schemas": schema["$defs"]},
    }


def _channel(api: Api, message: str) -> Json:
    kafka = KafkaSettings()
    config = topic_config(kafka, Limits(), api)
    return {
        "address": kafka.topic(api),
        "description": "All records of a player are in one partition. The workers also require "
        f"`message.timestamp.type` {config['message.timestamp.type']}.",
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "partitions": kafka.partitions,
                "replicas": kafka.replication_factor,
                "topicConfiguration": {
                    "cleanup.policy": [config["cleanup.policy"]],
                    "retention.ms": int(config["retention.ms"]),
                    "retention.bytes": int(config["retention.bytes"]),
                    "max.message.bytes": int(config["max.message.bytes"]),
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operation(action: str, channel: str, summary: str) -> Json:
    message = {"records": "batch", "analytics": "pool"}[channel]
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _reading(api: Api, channel: str, summary: str) -> Json:
    group = {"type": "string", "default": KafkaSettings().group_of(api)}
    bindings = {"kafka": {"groupId": group, "bindingVersion": KAFKA_BINDING}}
    return {**_operation("receive", channel, summary), "bindings": bindings}


def _message() -> Json:
    headers = {"ce_id": GOOD_BATCH["requestId"], "ce_source": "/apps/demo/players/ann", "ce_type": CE_TYPE}
    return {
        "name": "EventRecordRequest",
        "title": "A batch of events of one player",
        "contentType": CONTENT_TYPE,
        "headers": {"type": "object", "properties": _HEADERS},
        "payload": {"$ref": REF_TEMPLATE.format(model=EventRecordRequest.__name__)},
        "bindings": _key("`app/player`."),
        "examples": [{"name": "oneEvent", "headers": headers, "payload": GOOD_BATCH}],
    }


def _pool_message() -> Json:
    headers = {"ce_id": "pool-7", "ce_source": "/apps/demo/players/~s1", "ce_type": ANALYTICS_TYPE}
    return {
        "name": "AddEventBatchRequest",
        "title": "A pool of events of one player or anonymous session, as JSON or as a form of the same fields",
        "contentType": JSON_TYPE,
        "headers": {"type": "object", "properties": _POOL_HEADERS},
        "payload": {"$ref": REF_TEMPLATE.format(model=AddEventBatchRequest.__name__)},
        "bindings": _key("`app/actor`; an anonymous actor begins with `~`."),
        "examples": [{"name": "sealed", "headers": headers, "payload": SEALED_POOL}],
    }


def _key(description: str) -> Json:
    pattern = ID_SCHEMA_PATTERN[:-1] + "/[^/]{1,128}$"
    key = {"type": "string", "pattern": pattern, "description": description}
    return {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}}
