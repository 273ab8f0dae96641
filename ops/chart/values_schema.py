"""deploy/chart/values.schema.json: Helm refuses values that it does not name."""

import json
from typing import Any, Final

from ops.chart.settings_schema import settings_schema
from ops.file_map import ROOT

FILE: Final = ROOT / "deploy" / "chart" / "values.schema.json"

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
# What Kubernetes checks itself: the manifests are validated by its schemas.
ANY_OBJECT: Final[Schema] = {"type": "object"}
ANY_OBJECTS: Final[Schema] = {"type": "array", "items": ANY_OBJECT}
# A name of Kubernetes (RFC 1123).
NAME: Final[Schema] = {"type": "string", "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
NAME_OR_EMPTY: Final[Schema] = {"type": "string", "maxLength": 253, "pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"}
PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65_535}
# Without a right of its own, a process of a restricted pod can't listen below.
OWN_PORT: Final[Schema] = {"type": "integer", "minimum": 1024, "maximum": 65_535}
PORTS: Final[Schema] = {"type": "array", "items": PORT}
REPLICAS: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 10_000}
SECONDS: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 3_600}


def some(schema: Schema, **keywords: int) -> Schema:
    """A schema with other bounds."""
    return {**schema, **keywords}


def table(**properties: Schema) -> Schema:
    """An object with these properties and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def optional(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


QUANTITIES: Final = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
POD: Final[dict[str, Schema]] = {
    "resources": table(requests=QUANTITIES, limits=QUANTITIES),
    "existingSecret": NAME_OR_EMPTY,
    "podAnnotations": TEXTS,
    "nodeSelector": TEXTS,
    "tolerations": ANY_OBJECTS,
    "affinity": ANY_OBJECT,
    "priorityClassName": NAME_OR_EMPTY,
}
SERVICE: Final = table(type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, port=PORT, annotations=TEXTS)
SERVER: Final = table(replicas=some(REPLICAS, minimum=1), port=OWN_PORT, preStopSeconds=SECONDS, service=SERVICE, **POD)
OWN_REPLICAS: Final = table(replicas=optional(some(REPLICAS, minimum=1)))


def values() -> dict[str, Schema]:
    """What the chart accepts beside `settings`."""
    return {
        "fullnameOverride": {"type": "string", "maxLength": 40, "pattern": "^([a-z]([-a-z0-9]*[a-z0-9])?)?$"},
        "image": table(
            repository={"type": "string", "pattern": r"^[^\s@]+$"},
            tag={"type": "string", "pattern": r"^[\w.-]{0,128}$"},
            digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            pullPolicy={"enum": ["", "Always", "IfNotPresent", "Never"]},
            pullSecrets={"type": "array", "items": NAME},
        ),
        "existingSecret": NAME,
        "issuerInSecret": FLAG,
        # `--set secretRevision=2` makes a number.
        "secretRevision": {"type": ["string", "integer"]},
        "extraEnv": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {"^[A-Za-z_][A-Za-z0-9_]*$": TEXT},
        },
        "bindAddress": {"enum": ["0.0.0.0", "::"]},  # noqa: S104 a pod is reached from outside it
        "ingress": SERVER,
        "worker": table(
            perApi=FLAG,
            replicas=some(REPLICAS, minimum=1),
            games=OWN_REPLICAS,
            analytics=OWN_REPLICAS,
            port=OWN_PORT,
            **POD,
        ),
        "console": SERVER,
        "canary": table(enabled=FLAG, port=OWN_PORT, **POD),
        "init": table(enabled=FLAG, activeDeadlineSeconds=some(SECONDS, minimum=30), backoffLimit=REPLICAS, **POD),
        "autoscaling": _autoscaling(),
        "monitoring": table(
            podMonitor=table(enabled=FLAG, labels=TEXTS, intervalSeconds=some(SECONDS, minimum=1)),
            prometheusRule=table(enabled=FLAG, labels=TEXTS),
            runbook={"type": "string", "minLength": 1},
        ),
        "networkPolicy": _network_policy(),
        # Helm adds it where the chart is a part of another chart.
        "global": ANY_OBJECT,
    }


def _autoscaling() -> Schema:
    return table(
        enabled=FLAG,
        lagThreshold=some(REPLICAS, minimum=1, maximum=10_000_000),
        pollingSeconds=some(SECONDS, minimum=1),
        fallbackReplicas=optional(some(REPLICAS, minimum=1)),
        scaleDown=table(stabilizationSeconds=SECONDS, oneWorkerEverySeconds=some(SECONDS, minimum=1, maximum=1_800)),
    )


def _network_policy() -> Schema:
    return table(
        enabled=FLAG,
        ingressFrom=ANY_OBJECTS,
        consoleFrom=ANY_OBJECTS,
        monitoringFrom={**ANY_OBJECTS, "minItems": 1},
        kafkaTo=ANY_OBJECTS,
        mongodbTo=ANY_OBJECTS,
        kafkaPorts=PORTS,
        mongodbPorts={**PORTS, "minItems": 1},
        issuerPorts={**PORTS, "minItems": 1},
        extraEgress=ANY_OBJECTS,
    )


def values_schema() -> str:
    """The text of the file."""
    settings, definitions = settings_schema()
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart tallymill. Written by python -m ops.reference",
        **table(settings=settings, **values()),
        "$defs": definitions,
    }
    return json.dumps(schema, indent=2) + "\n"


def write_values_schema() -> None:
    FILE.write_text(values_schema())
