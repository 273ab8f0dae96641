"""The settings that the chart accepts as values: all but secrets, and what the chart decides itself. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ops.config import Settings

Schema = dict[str, Any]

# A user in a URL would be a password in a ConfigMap. A query can hold one too. So can a key set that is pasted as JSON.
WITHOUT_SECRETS: Final[Schema] = {"type": "string", "pattern": r"^(https?://[^@?\s]+|/\S+)$"}

SECTIONS: Final = ("kafka", "mongodb", "limits", "tokens", "ingress", "worker", "console", "oidc", "canary")

# The chart has values of its own for these (`bindAddress`, `port`, `worker.perApi`), or they are of a local system.
DECIDED: Final = {
    "tokens.private_key",
    *("ingress.host", "ingress.port"),
    *("worker.apis", "worker.metrics_host", "worker.metrics_port"),
    *("console.host", "console.port"),
    *("canary.metrics_host", "canary.metrics_port"),
}

# Accepted in this form, also where the setting counts as a secret because other forms can hold one.
URLS: Final = ("tokens.jwks", "tokens.introspection_url", "oidc.issuer", "kafka.oauth_token_url")

# The templates compute with these.
REQUIRED: Final = {
    "kafka": ["records_topic", "analytics_topic", "group", "partitions", "replication_factor"],
    "ingress": ["drain_seconds", "stop_timeout_seconds"],
    "worker": ["stop_timeout_seconds"],
    "console": ["drain_seconds", "stop_timeout_seconds"],
}

# A default here would be read as the chart's.
NOISE: Final = ("title", "default", "format", "writeOnly")


def settings_schema() -> tuple[Schema, Schema]:
    """The schema of `settings`, and the definitions that it refers to."""
    whole = Settings.model_json_schema()
    definitions = whole["$defs"]
    sections = {
        name: _section(name, definitions[whole["properties"][name]["$ref"].rpartition("/")[2]]) for name in SECTIONS
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(SECTIONS),
        "properties": sections,
    }, {"Limits": _plain(definitions["Limits"])}


def secret_settings() -> list[str]:
    """The settings that belong in the Secret, such as `kafka.sasl_password`."""
    whole = Settings.model_json_schema()
    return [
        f"{section}.{name}"
        for section, reference in whole["properties"].items()
        for name, field in whole["$defs"][reference["$ref"].rpartition("/")[2]]["properties"].items()
        if _is_secret(field) and f"{section}.{name}" not in URLS
    ]


def _section(section: str, model: Mapping[str, Any]) -> Schema:
    found = {
        name: _or_null(WITHOUT_SECRETS | _description(field)) if f"{section}.{name}" in URLS else _plain(field)
        for name, field in model["properties"].items()
        if f"{section}.{name}" not in DECIDED and (f"{section}.{name}" in URLS or not _is_secret(field))
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": REQUIRED.get(section, []),
        "properties": found,
    }


def _description(field: Mapping[str, Any]) -> Schema:
    return {"description": " ".join(field.get("description", "").split())}


def _or_null(schema: Schema) -> Schema:
    """A setting that is null is not set."""
    return {**schema, "type": [schema["type"], "null"]}


def _is_secret(field: object) -> bool:
    """Whether pydantic made it of a SecretStr, also within a list."""
    return any(node.get("format") == "password" for node in _nodes(field))


def _nodes(field: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(field, Mapping):
        yield field
        for inner in field.values():
            yield from _nodes(inner)
    elif isinstance(field, list):
        for inner in field:
            yield from _nodes(inner)


def _is_optional(field: Mapping[str, Any]) -> bool:
    """Whether it is one simple type, or null."""
    either = field.get("anyOf", ())
    return len(either) == 2 and "type" in either[0] and either[1] == {"type": "null"}  # noqa: PLR2004 two


def _plain(field: object, *, names: bool = False) -> Any:  # noqa: ANN401 JSON
    """Without what Helm does not use. `names`: the keys are names of settings, not words of the schema."""
    if isinstance(field, Mapping):
        if not names and _is_optional(field):
            rest = {name: value for name, value in field.items() if name != "anyOf"}
            return _or_null(_plain(field["anyOf"][0] | rest))
        return {
            name: " ".join(value.split())
            if name == "description" and isinstance(value, str)
            else _plain(value, names=name in ("properties", "patternProperties"))
            for name, value in field.items()
            if names or name not in NOISE
        }
    return [_plain(one) for one in field] if isinstance(field, list) else field
