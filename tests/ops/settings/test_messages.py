"""Every setting with every kind of wrong value: the sentence is ours, and says what is allowed."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.config import (
    DATA_VARIABLE,
    FILE_VARIABLE,
    SettingsError,
    console_config,
    find_settings,
    ingress_config,
    load_config,
    worker_config,
)
from ops.local.settings import to_toml
from ops.settings.allowed import DESCRIBED, allowed
from ops.settings.model import Settings, section_models, setting_names, setting_types, variable_of
from tests.examples import examples
from tests.ops.settings import environment

# What the library that checks values would say.
FOREIGN = re.compile(
    r"pydantic|input should|value error|type=|input_|validation error|field required|extra inputs|errors\.|<class|"
    r"traceback|object at|(?-i:\bNone\b|\bTrue\b|\bFalse\b)",
    re.IGNORECASE,
)
ONE = {"TALLYMILL_DATA": "/dev/null"}

# Of each kind: empty, a word, outside of every range, not finite, of other types, whole and broken JSON, controls.
WRONG_TEXTS = (
    *("", "word", "-1", "1e999", "nan", "inf", "99999999999999999999", "0.5", "true", "null", "{", "[", "[]"),
    *('{"a": 1}', '[""]', '["word word", 7]', "[[[]]]", "\x1b[2J\n", "ftp://user:hidden-word@host", "1 h"),
)
WRONG_VALUES: tuple[Any, ...] = ("", "word", -1, 10**12, 0.5, True, [], ["x"], [5], {"a": 1}, [[]], "hidden://u:p@h")


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    return find_settings(ONE | environ).problems


def well_said(setting: str, told: str) -> None:
    """A sentence that names the setting, where it was set, and an example or what is allowed."""
    assert told.startswith((f"{setting}:", f"{setting}, entry", f"{setting}.")), told
    assert not FOREIGN.search(told), told
    assert "(set by " in told, told
    assert told == told.strip()
    assert "\x1b" not in told
    assert "\n" not in told
    assert "hidden-word" not in told, told
    assert len(told) < 500, told


def about(setting: str, found: tuple[str, ...]) -> Iterator[str]:
    """The sentences about a setting. Others may follow: a section is also checked as a whole."""
    section = setting.partition(".")[0]
    for told in found:
        assert not FOREIGN.search(told), told
        if told.startswith(setting):
            yield told
        else:
            assert told.startswith(section), told
            assert setting.partition(".")[2] in told, told


@pytest.mark.parametrize("setting", setting_names())
def test_a_wrong_variable_is_named_with_what_is_allowed(setting: str, tmp_path: Path) -> None:
    """In a variable, and in a file of its own: the sentence names the file."""
    file = tmp_path / "value"
    for text in WRONG_TEXTS:
        for told in about(setting, problems({variable_of(setting): text})):
            well_said(setting, told)
            assert variable_of(setting) in told
        file.write_text(text)
        for told in about(setting, problems({f"{variable_of(setting)}_FILE": str(file)})):
            well_said(setting, told)
            assert str(file) in told


@pytest.mark.parametrize("setting", setting_names())
def test_a_wrong_value_in_the_file_is_named_with_the_file(setting: str, tmp_path: Path) -> None:
    """Also of a type that a variable never has."""
    section, _, name = setting.partition(".")
    file = tmp_path / "settings.toml"
    for value in WRONG_VALUES:
        file.write_text(to_toml({section: {name: value}}))
        assert tomllib.loads(file.read_text())
        for told in about(setting, problems({FILE_VARIABLE: str(file)})):
            well_said(setting, told)
            assert str(file) in told


@pytest.mark.parametrize("section", sorted(section_models()))
@pytest.mark.parametrize("text", ["", "5", "[]", "word", '"x"', "null", "{", '{"zzz": 1}'])
def test_a_wrong_section_is_named(section: str, text: str, tmp_path: Path) -> None:
    """Given whole as JSON, and in the file."""
    (told,) = problems({variable_of(section): text})
    assert told.startswith((f"{section}:", f"{section}.zzz: no such setting"))
    assert not FOREIGN.search(told)
    assert variable_of(section) in told
    file = tmp_path / "settings.toml"
    file.write_text(f"{section} = 5\n")
    (told,) = problems({FILE_VARIABLE: str(file)})
    assert told.startswith(f"{section}: must be a table of settings (set by {file})")


@given(st.sampled_from(setting_names()), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
@settings(max_examples=examples(300))
def test_no_text_at_all_is_answered_in_foreign_words(setting: str, text: str) -> None:
    """Whatever the value is."""
    for told in problems({variable_of(setting): text}):
        assert not FOREIGN.search(told.replace(text, "") if text else told)


SENTENCES = (
    ("ingress.port", "", "ingress.port: must be a whole number from 0 to 65535, and is empty {}. Example: 8080"),
    ("ingress.port", "x", 'ingress.port: must be a whole number from 0 to 65535, not "x" {}. Example: 8080'),
    (
        "ingress.port",
        "9" * 80,
        f'ingress.port: must be a whole number from 0 to 65535, not "{"9" * 59}... {{}}. Example: 8080',
    ),
    (
        "kafka.bootstrap_servers",
        "host",
        (
            'kafka.bootstrap_servers: must be host:port, or several separated by commas, not "host" {}. '
            "Example: kafka-1:9092,kafka-2:9092"
        ),
    ),
    (
        "ingress.cors_origins",
        '["https://a", 5]',
        (
            "ingress.cors_origins, entry 2: must be an origin (scheme, host and perhaps a port, in lower case and "
            "without a path), or *, not 5 {}. Example: https://game.example"
        ),
    ),
    (
        "worker.apis",
        "[]",
        'worker.apis: must be a list of one or more entries, each games or analytics, not [] {}. Example: ["games"]',
    ),
    (
        "signing.keys",
        '["short"]',
        "signing.keys, entry 1: must be a text of 16 characters or more {}. Example: a text of 32 random characters",
    ),
    (
        "tokens.introspection_url",
        "x",
        "tokens.introspection_url: is not an http(s) URL {}. Example: https://issuer.example/introspect",
    ),
    (
        "limits.apps",
        '{"demo":{"max_title":1}}',
        "limits.apps.demo.max_title: no such setting {}. Did you mean max_titles?",
    ),
    (
        "limits.apps",
        '{"a b":{}}',
        "limits.apps.a b: must be an app id (1 to 64 letters, digits, hyphens or underscores) {}. Example: demo",
    ),
    (
        "ingress.cors_origins",
        "word",
        'ingress.cors_origins: must be a list in JSON {}. Example: ["https://game.example"]',
    ),
    (
        "tokens.introspection_partial",
        "maybe",
        'tokens.introspection_partial: must be true or false, not "maybe" {}. Example: false',
    ),
)


@pytest.mark.parametrize(("setting", "text", "expected"), SENTENCES)
def test_each_kind_of_mistake_has_its_sentence(setting: str, text: str, expected: str) -> None:
    """The setting, what is allowed, what was given, where, and an example."""
    assert (expected.format(f"(set by {variable_of(setting)})"),) == problems({variable_of(setting): text})


def test_a_section_that_is_no_table_has_an_example(tmp_path: Path) -> None:
    """As it is written in the file."""
    file = tmp_path / "settings.toml"
    file.write_text("kafka = 5\n")
    expected = f"kafka: must be a table of settings (set by {file}). Example: [kafka] bootstrap_servers = ..."
    assert (expected,) == problems({FILE_VARIABLE: str(file)})


def test_what_a_pattern_or_a_check_allows_is_described() -> None:
    """A regular expression is no message. A new setting with a pattern needs a line."""
    for setting, kind in setting_types().items():
        one = kind.inner() if kind.is_list else kind
        if any("pattern" in str(limit) for limit in one.limits):
            assert setting in DESCRIBED, setting
    assert set(DESCRIBED) <= set(setting_names())


@pytest.mark.parametrize("setting", setting_names())
def test_every_example_is_allowed(setting: str) -> None:
    """It can be pasted."""
    example = allowed(setting, setting_types()[setting]).example
    if example:
        told = [one for one in problems({variable_of(setting): example}) if one.startswith(f"{setting}:")]
        assert not [one for one in told if "there is no file" not in one]
    assert example or setting_types()[setting].base is not int


def test_all_problems_of_a_process_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong, and what is missing; a setting that is wrong is not missing as well."""
    environment.clear(monkeypatch)
    monkeypatch.setenv("TALLYMILL_KAFKA__PARTITIONS", "0")
    monkeypatch.setenv("TALLYMILL_MONGODB__URI", "word")
    with pytest.raises(SettingsError) as caught:
        load_config(ingress_config)
    names = [one.partition(":")[0] for one in caught.value.problems]
    expected = ["kafka.partitions", "mongodb.uri", "kafka.bootstrap_servers", "signing.keys", "tokens.issuer"]
    assert [*expected, "tokens.audience", "tokens.jwks or tokens.introspection_url"] == names


def test_settings_that_contradict_each_other_are_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules that span sections, and those within one."""
    environment.clear(monkeypatch)
    needed = {"kafka.bootstrap_servers": "a:1", "mongodb.uri": "mongodb://a", "tokens.issuer": "a"}
    needed |= {"tokens.audience": "a", "tokens.jwks": "a", "signing.keys": json.dumps(["x" * 16])}
    for name, value in needed.items():
        monkeypatch.setenv(variable_of(name), value)
    for config_of in (ingress_config, worker_config, console_config):
        assert load_config(config_of)
    monkeypatch.setenv(variable_of("limits.max_analytics_body_bytes"), str(64 << 20))
    with pytest.raises(SettingsError) as caught:
        load_config(ingress_config)
    assert (
        "ingress.max_body_bytes_held must be at least 8 times limits.max_analytics_body_bytes",
    ) == caught.value.problems


def test_the_settings_have_no_model_without_a_section() -> None:
    """The walk above sees all of them."""
    assert set(Settings.model_fields) == set(section_models())
    assert DATA_VARIABLE in ONE
