"""Values for the tests of the chart: each feature on and off, and together with others."""

from collections.abc import Mapping
from typing import Any, Final

Values = Mapping[str, Any]

SERVERS: Final = {"bootstrap_servers": "kafka-1.example:9092, kafka-2.example:9093"}
TOKENS: Final = {"issuer": "https://issuer.example", "audience": "tallymill", "jwks": "https://issuer.example/jwks"}
MINIMAL: Final[Values] = {"settings": {"kafka": SERVERS, "tokens": TOKENS}}

SECRETS: Final = "/etc/tallymill/secrets"
SCRAM: Final = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "worker"}
MONITORS: Final[dict[str, Any]] = {
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True},
    "runbook": "https://wiki.example/operations",
}
PLACED: Final = {
    "podAnnotations": {"team": "counts"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
}


def with_settings(settings: Mapping[str, Mapping[str, object]], **values: object) -> Values:
    """The required values, and these."""
    found: dict[str, dict[str, object]] = {"kafka": {**SERVERS}, "tokens": {**TOKENS}}
    for section, own in settings.items():
        found[section] = {**found.get(section, {}), **own}
    return {"settings": found, **values}


CASES: Final[Mapping[str, Values]] = {
    "minimal": MINIMAL,
    "one Deployment for each API": with_settings(
        {}, worker={"perApi": True, "replicas": 3, "analytics": {"replicas": 1}}
    ),
    "one of each": with_settings(
        {},
        ingress={"replicas": 1},
        worker={"replicas": 1},
        console={"replicas": 1},
        init={"enabled": False},
        networkPolicy={"enabled": False},
        bindAddress="::",
    ),
    "scaled": with_settings({"kafka": {"group": "mine", "partitions": 48}}, autoscaling={"enabled": True}),
    "scaled, with SCRAM": with_settings(
        {"kafka": {**SCRAM, "ssl_cafile": f"{SECRETS}/ca.crt"}},
        autoscaling={"enabled": True, "fallbackReplicas": 5},
        worker={"perApi": True, "existingSecret": "tallymill-worker"},
    ),
    "scaled, with client certificates": with_settings(
        {
            "kafka": {
                "security_protocol": "SSL",
                "ssl_cafile": f"{SECRETS}/ca.crt",
                "ssl_certfile": f"{SECRETS}/tls.crt",
                "ssl_keyfile": f"{SECRETS}/tls.key",
            }
        },
        autoscaling={"enabled": True},
    ),
    "scaled, with PLAIN, the user in the Secret": with_settings(
        {"kafka": {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}}, autoscaling={"enabled": True}
    ),
    "everything": with_settings(
        {
            "kafka": {**SCRAM, "records_topic": "a.games", "analytics_topic": "a.analytics"},
            "mongodb": {"database": "counts"},
            "limits": {"max_period_seconds": 3600, "apps": {"Demo": {"max_body_bytes": 65_536}}},
            "ingress": {
                "drain_seconds": 2.5,
                "stop_timeout_seconds": 20,
                "max_body_bytes_held": 536_870_912,
                "cors_origins": ["https://game.example"],
                "trusted_proxies": ["10.0.0.0/8"],
            },
            "worker": {"stop_timeout_seconds": 33.2},
            "console": {"public_url": "https://counts.example", "drain_seconds": 0},
            "oidc": {"issuer": "https://issuer.example", "client_id": "tallymill"},
            "canary": {"interval_seconds": 5},
        },
        fullnameOverride="counts",
        image={
            "repository": "registry.example/tallymill",
            "digest": f"sha256:{'a' * 64}",
            "pullSecrets": ["registry"],
        },
        existingSecret="shared",
        secretRevision="2",
        extraEnv={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
        ingress={"port": 8081, "existingSecret": "of-ingress", "preStopSeconds": 0, **PLACED},
        worker={"perApi": True, "port": 9401, **PLACED},
        console={"port": 8091, "service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}}, **PLACED},
        canary={"enabled": True, "port": 9501, **PLACED},
        init=PLACED,
        autoscaling={"enabled": True},
        monitoring=MONITORS,
        networkPolicy={
            "ingressFrom": [{"namespaceSelector": {}}],
            "consoleFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "kafkaTo": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
            "mongodbTo": [{"ipBlock": {"cidr": "10.2.0.0/16"}}],
            "kafkaPorts": [9094],
            "extraEgress": [{"ports": [{"port": 4318}]}],
        },
    ),
}
