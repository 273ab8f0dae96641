"""Settings: where they come from, and the messages when they are wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.commands.config import show
from ops.config import (
    CONSOLE_NEEDS,
    DATA_VARIABLE,
    FILE_VARIABLE,
    INGRESS_NEEDS,
    PREFIX,
    WORKER_NEEDS,
    SettingsError,
    console_config,
    ingress_config,
    load_settings,
    variable_of,
    worker_config,
)
from ops.guard import guarded
from serving.config import TokenCheckSettings
from tests.patience import PATIENCE_SECONDS

SECRETS = {
    "TALLYMILL_MONGODB__URI": "mongodb://user:hidden-word@127.0.0.1/",
    "TALLYMILL_SIGNING__KEYS": '["hidden-word-of-sixteen"]',
    "TALLYMILL_KAFKA__SASL_PASSWORD": "hidden-word",
    "TALLYMILL_TOKENS__INTROSPECTION_CLIENT_SECRET": "hidden-word",
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in the environment of the test run don't count."""
    for name in tuple(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv(DATA_VARIABLE, os.devnull)


def set_all(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def use_file(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    path = folder / "settings.toml"
    path.write_text(text)
    monkeypatch.setenv(FILE_VARIABLE, str(path))


def problems() -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.problems


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Setting by setting: a section that both name is not taken whole from one of them."""
    use_file(monkeypatch, tmp_path, '[kafka]\ngroup = "file"\npartitions = 3\n')
    monkeypatch.setenv("TALLYMILL_KAFKA__GROUP", "environment")
    kafka = load_settings().kafka
    assert ("environment", 3) == (kafka.group, kafka.partitions)


def test_the_running_local_system_is_the_file_when_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So every command finds the system that `up` started."""
    (tmp_path / "settings.toml").write_text('[kafka]\ngroup = "local"\n')
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert "local" == load_settings().kafka.group


def test_all_that_is_wrong_is_told_at_once_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unknown section, an unknown key, a wrong value and an unknown variable, in the file and beside it."""
    use_file(monkeypatch, tmp_path, "[limits]\nmax_body_bytes = 1\nmax_boddy = 2\n[limts]\na = 1\n")
    set_all(monkeypatch, TALLYMILL_KAFKA__PARTITIONS="many", TALLYMILL_KAFKA__GRUOP="x", TALLYMILL_WROKER__X="1")
    names = [problem.partition(":")[0] for problem in problems()]
    expected = {
        "kafka.partitions",
        "TALLYMILL_KAFKA__GRUOP",
        "limits.max_body_bytes",
        "limits.max_boddy",
        "limts",
        "TALLYMILL_WROKER__X",
    }
    assert expected == set(names)
    assert len(expected) == len(names)


def test_an_apps_limits_come_from_the_file_and_as_json_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Limit by limit; app ids keep their case, so `Demo` is not `demo`."""
    use_file(monkeypatch, tmp_path, "[limits.apps.Demo]\nmax_update_count = 5\nmax_lag_seconds = 9\n")
    monkeypatch.setenv("TALLYMILL_LIMITS__APPS", '{"Demo": {"max_lag_seconds": 8}, "x": {"max_update_count": 6}}')
    monkeypatch.setenv("TALLYMILL_LIMITS__MAX_PERIOD_SECONDS", "60")
    limits = load_settings().limits
    demo = limits.for_app("Demo")
    assert (5, 8, 60) == (demo.max_update_count, demo.max_lag_seconds, demo.max_period_seconds)
    assert 6 == limits.for_app("x").max_update_count
    assert 1_000_000 == limits.for_app("demo").max_update_count


def test_a_variable_that_names_an_app_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be read in lower case, as another app's; JSON is what to give instead."""
    monkeypatch.setenv("TALLYMILL_LIMITS__APPS__Demo__MAX_LAG_SECONDS", "9")
    (problem,) = problems()
    assert problem.startswith("TALLYMILL_LIMITS__APPS__Demo__MAX_LAG_SECONDS: set TALLYMILL_LIMITS__APPS as JSON")


def test_what_is_wrong_with_an_apps_limits_is_told_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unknown one, one that contradicts everybody's, an app that can't be, and no JSON."""
    use_file(
        monkeypatch,
        tmp_path,
        "[limits]\nmin_period_seconds = 5\n[limits.apps.demo]\nmax_period_seconds = 4\nmax_lags = 1\n"
        '[limits.apps."a.b"]\nmax_lag_seconds = 1\n',
    )
    names = {problem.partition(": ")[0] for problem in problems()}
    assert {"limits.apps.demo.max_period_seconds", "limits.apps.demo.max_lags", "limits.apps.a.b"} == names
    monkeypatch.setenv("TALLYMILL_LIMITS__APPS", "{demo}")
    assert (
        'limits.apps: must be a table in JSON (set by TALLYMILL_LIMITS__APPS). Example: {"demo": {"max_titles": 50}}'
    ) in problems()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("TALLYMILL_KAFKA_GROUP", ". Did you mean TALLYMILL_KAFKA__GROUP?"),
        ("TALLYMILL_KAFKAGROUP", ". Did you mean TALLYMILL_KAFKA__GROUP?"),
        ("tallymill_grup", ""),
    ],
)
def test_a_misspelt_variable_is_not_passed_over(monkeypatch: pytest.MonkeyPatch, name: str, hint: str) -> None:
    """One underscore instead of two is the easiest mistake to make. A similar setting is named."""
    monkeypatch.setenv(name, "x")
    assert (f"{name}: no such setting{hint}",) == problems()


def test_a_misspelt_name_in_the_file_is_named_with_the_similar_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also a section. A name that resembles no setting gets no hint."""
    use_file(monkeypatch, tmp_path, "[kafka]\ngruop = 'x'\n[kafak]\ngroup = 'x'\n[worker]\nzzz = 1\n")
    where = f"(set by {tmp_path / 'settings.toml'})"
    assert {
        f"kafka.gruop: no such setting {where}. Did you mean kafka.group?",
        f"kafak: no such setting {where}. Did you mean kafka?",
        f"worker.zzz: no such setting {where}",
    } == set(problems())


def test_a_broken_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With all other problems, so that one try shows them all."""
    use_file(monkeypatch, tmp_path, "[kafka]\ngroup = ")
    monkeypatch.setenv("TALLYMILL_GRUP", "x")
    broken, unknown = problems()
    assert broken.startswith(f"{FILE_VARIABLE}: the file {tmp_path / 'settings.toml'} is not valid TOML: ")
    assert "TALLYMILL_GRUP: no such setting" == unknown


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A misspelt path must not mean the defaults."""
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "none.toml"))
    assert (f"{FILE_VARIABLE}: there is no file {tmp_path / 'none.toml'}",) == problems()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka.bootstrap_servers", "127.0.0.1:port"),
        ("kafka.bootstrap_servers", "no-port"),
        ("mongodb.uri", "127.0.0.1"),
        ("mongodb.uri", "mongodb://"),
        ("mongodb.uri", "mongodb://user:pass word:x@host"),
        ("kafka.ssl_cafile", "/no/such/file"),
    ],
)
def test_an_address_no_client_would_take_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Named before anything starts, instead of a client's exception."""
    monkeypatch.setenv(variable_of(name), value)
    (problem,) = problems()
    assert name == problem.partition(":")[0]


@pytest.mark.parametrize("value", ["127.0.0.1:9092", "a.example:9092,b.example:9093", "a:1, b:2", "[::1]:9092"])
def test_kafka_addresses_in_the_usual_forms_are_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """One or several, with or without a space, IPv6 too."""
    monkeypatch.setenv("TALLYMILL_KAFKA__BOOTSTRAP_SERVERS", value)
    assert value == load_settings().kafka.bootstrap_servers


def test_each_process_names_all_that_it_lacks() -> None:
    """With the variable to set; a worker needs no tokens."""
    settings = load_settings()
    parts = ((ingress_config, INGRESS_NEEDS), (worker_config, WORKER_NEEDS), (console_config, CONSOLE_NEEDS))
    for part, needs in parts:
        with pytest.raises(SettingsError) as caught:
            part(settings)
        told = [f"{name}: required ({variable_of(name)})" for name in needs]
        assert told == [problem for problem in caught.value.problems if " or " not in problem]
    assert set(INGRESS_NEEDS) - set(WORKER_NEEDS) == {"tokens.issuer", "tokens.audience"}


NEEDED = {
    "TALLYMILL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "TALLYMILL_MONGODB__URI": "mongodb://127.0.0.1",
    "TALLYMILL_SIGNING__KEYS": '["sixteen characters"]',
    "TALLYMILL_TOKENS__ISSUER": "https://issuer.test",
    "TALLYMILL_TOKENS__AUDIENCE": "tallymill",
}
INTROSPECTION = {
    "INTROSPECTION_URL": "https://issuer.test/introspect",
    "INTROSPECTION_CLIENT_ID": "id",
    "INTROSPECTION_CLIENT_SECRET": "hidden-word",
}


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"JWKS": "jwks.json"}, []),
        ({"JWKS": '{"keys": [{"kty": "OKP"}]}'}, []),
        (INTROSPECTION, []),
        ({}, ["tokens.jwks or tokens.introspection_url"]),
        ({"JWKS": ""}, ["tokens.jwks or tokens.introspection_url"]),
        ({**INTROSPECTION, "JWKS": "jwks.json"}, ["tokens.jwks, tokens.introspection_url"]),
        (
            {"INTROSPECTION_URL": "https://issuer.test/introspect"},
            ["tokens.introspection_client_id", "tokens.introspection_client_secret"],
        ),
    ],
)
def test_tokens_are_checked_in_one_of_two_ways(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], problems: list[str]
) -> None:
    """Neither and both are named, and so is what introspection lacks."""
    set_all(monkeypatch, **NEEDED, **{f"TALLYMILL_TOKENS__{name}": value for name, value in given.items()})
    settings = load_settings()
    for config_of in (ingress_config, console_config):
        told = []
        try:
            config_of(settings)
        except SettingsError as error:
            told = [problem.partition(":")[0] for problem in error.problems]
        assert problems == told
    assert "hidden-word" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens.jwks", "{not JSON"),
        ("tokens.jwks", '{"key": []}'),
        ("tokens.jwks", '{"keys": []}'),
        ("tokens.jwks", "https://"),
        ("tokens.jwks", "https://issuer.test:port/"),
        ("tokens.introspection_url", "issuer.test/introspect"),
        ("tokens.introspection_url", "ftp://issuer.test/"),
        ("tokens.introspection_url", "https://id:secret@issuer.test/"),
        ("tokens.introspection_url", "http://issuer.test/introspect"),
        ("tokens.leeway_seconds", "-1"),
        ("tokens.app_claim", ""),
    ],
)
def test_a_source_of_keys_or_answers_that_cannot_be_one_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Named before anything starts."""
    monkeypatch.setenv(variable_of(name), value)
    (problem,) = problems()
    assert name == problem.partition(":")[0]


def test_the_console_is_given_its_part_of_the_tokens_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never the local issuer's private key: it signs nothing."""
    needs = {variable_of(name): "x" for name in (*CONSOLE_NEEDS, "tokens.jwks")}
    needs |= {"TALLYMILL_MONGODB__URI": "mongodb://127.0.0.1", "TALLYMILL_TOKENS__APP_CLAIM": "tenant"}
    set_all(monkeypatch, TALLYMILL_TOKENS__PRIVATE_KEY="secret.jwk", TALLYMILL_CONSOLE__PORT="1", **needs)
    given = console_config(load_settings())
    assert type(given.tokens) is TokenCheckSettings
    assert {"private_key", "session_key"}.isdisjoint(given.tokens.model_dump())
    assert ("x", "tenant", 1) == (given.tokens.issuer, given.tokens.app_claim, given.console.port)


@pytest.mark.parametrize("as_json", [True, False])
def test_config_shows_what_is_in_force_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """Connection strings hold passwords, so they are secrets too."""
    set_all(monkeypatch, TALLYMILL_KAFKA__GROUP="shown", **SECRETS)
    assert 0 == guarded(show(as_json=as_json))
    told = capsys.readouterr().out
    assert "shown" in told
    assert "hidden-word" not in told
    if as_json:
        shown = json.loads(told)
        assert shown["mongodb"]["uri"] == shown["kafka"]["sasl_password"] == "**********"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("https://id:hidden-word@issuer.test:8443/jwks.json", "https://**********@issuer.test:8443/jwks.json"),
        ("https://issuer.test/jwks.json?key=hidden-word#hidden-word", "https://issuer.test/jwks.json?**********"),
        ("https://issuer.test/jwks.json", "https://issuer.test/jwks.json"),
        ("keys/jwks@home.json", "keys/jwks@home.json"),
    ],
)
def test_config_shows_where_keys_are_read_but_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str, told: str
) -> None:
    """A URL may have one. The rest of it is shown."""
    monkeypatch.setenv("TALLYMILL_TOKENS__JWKS", given)
    assert 0 == guarded(show(as_json=True))
    assert told == json.loads(capsys.readouterr().out)["tokens"]["jwks"]


def test_a_problem_does_not_show_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Problems end in logs."""
    set_all(monkeypatch, **{**SECRETS, "TALLYMILL_SIGNING__KEYS": '["hidden-word", 7]'})
    monkeypatch.setenv("TALLYMILL_MONGODB__URI", "mongodb://user:hidden-word@127.0.0.1:port/")
    assert "hidden-word" not in "".join(problems())


@pytest.mark.parametrize("name", ["ingress", "worker", "console"])
@pytest.mark.slow
def test_a_process_with_bad_settings_starts_nothing(name: str) -> None:
    """Every problem on standard error, nothing on standard output, exit status 2."""
    environ = {**os.environ, "TALLYMILL_KAFKA__PARTITIONS": "0", "TALLYMILL_KAFKA__GRUOP": "x"}
    process = subprocess.run(
        [sys.executable, "-m", "ops", name],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert 2 == process.returncode
    told = sorted(line.partition(":")[0] for line in process.stderr.splitlines())
    assert {"TALLYMILL_KAFKA__GRUOP", "kafka.partitions", "mongodb.uri"} <= set(told)
    assert not process.stdout
