"""No secret is shown: not by `config`, nor by messages, logs and reprs."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from pydantic import ValidationError

from ops.commands.config import show
from ops.config import find_settings, shown, variable_of
from ops.guard import guarded
from ops.local.running_options import options_of
from ops.local.settings import to_toml
from ops.settings.model import Settings, setting_names, setting_types
from schemas.masks import SecretSource, masked_keys, masked_url
from tests.ops.settings import environment

HIDDEN = "hidden-word-of-more-than-sixteen"
SHORT = "hidden-word"
SECRETS = [name for name, kind in setting_types().items() if kind.is_secret]

# Names that promise a secret, and those among them that are something else.
PROMISING = re.compile(r"password|secret|token|key|credential|^uri$|jwks|passphrase|private", re.IGNORECASE)
NO_SECRETS = {
    *("tokens.private_key", "tokens.session_key", "canary.token_file", "kafka.ssl_keyfile", "kafka.ssl_key_file"),
    *("tokens.jwks_refresh_seconds", "tokens.jwks_cooldown_seconds", "kafka.oauth_token_url"),
}

VALUES: dict[str, str] = {
    "mongodb.uri": f"mongodb://user:{HIDDEN}@127.0.0.1/?authSource={HIDDEN}",
    "tokens.jwks": json.dumps({"keys": [{"kty": "oct", "kid": "a", "k": HIDDEN}]}),
    "tokens.introspection_url": f"https://issuer.test/x?key={HIDDEN}",
    "signing.keys": json.dumps([HIDDEN, HIDDEN + "2"]),
    "console.session_keys": json.dumps([HIDDEN]),
}


FORMS = ("{}", "[{}", "{{{}", '{{"keys": ["{}"', "[[{}]]", '["{}", 7]', "https://{}:x", "\ud800{}")
NESTED = st.recursive(st.just(HIDDEN), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
PRIVATE_KEYS = (ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048))


def value(setting: str) -> str:
    return VALUES.get(setting, HIDDEN)


def everything() -> dict[str, str]:
    return {"TALLYMILL_DATA": os.devnull} | {variable_of(name): value(name) for name in SECRETS}


def test_what_sounds_like_a_secret_is_one() -> None:
    """Also a setting that is added later: a plain text would be shown everywhere."""
    promising = {name for name in setting_names() if PROMISING.search(name.partition(".")[2])}
    assert set() == promising - NO_SECRETS - set(SECRETS)


def test_no_secret_is_shown_in_any_form() -> None:
    """By `config`, by a log or a message that holds the settings or a part of them, and in the options of `up`."""
    found = find_settings(everything())
    assert () == found.problems
    settings = found.settings
    forms: list[Any] = [shown(settings), repr(settings), str(settings), settings.model_dump_json(), f"{settings}"]
    forms += [repr(part) + str(part) for _, part in settings]
    forms += [options_of({}, settings), found.sources.origins]
    assert [] == [form for form in forms if HIDDEN in str(form)]
    assert all(HIDDEN in json.dumps(found.sources.tree[name.partition(".")[0]]) for name in SECRETS)


@pytest.mark.parametrize("as_json", [True, False])
def test_config_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """It is pasted into tickets."""
    environment.clear(monkeypatch)
    for name, text in everything().items():
        monkeypatch.setenv(name, text)
    assert 0 == guarded(show(as_json=as_json))
    told = capsys.readouterr()
    assert HIDDEN not in told.out + told.err
    assert "TALLYMILL_MONGODB__URI" in told.out


@pytest.mark.parametrize("setting", SECRETS)
@pytest.mark.parametrize(
    "form", ["{}", "[{}", "{{{}", '{{"keys": ["{}"', "[[{}]]", '["{}", 7]', "https://{}:x", "\ud800{}"]
)
def test_no_message_shows_a_secret_that_is_wrong(setting: str, form: str) -> None:
    """Whatever is wrong with it, or with the setting beside it."""
    section = setting.partition(".")[0]
    wrong = {variable_of(setting): form.format(HIDDEN), variable_of(section): json.dumps({"zzz": HIDDEN})}
    others = {variable_of(name): "wrong" for name in setting_names() if name not in SECRETS}
    told = find_settings({**everything(), **wrong, **others}).problems
    assert told
    assert HIDDEN not in "".join(told)


@pytest.mark.parametrize("form", ["u:{}@h", "u:{}@h:9", "a:9,u:{}@h:9", "x://u:{}@h:9", "x://u:a/{}@h:9", "x://h:9?{}"])
def test_no_message_shows_a_password_in_an_address(form: str, tmp_path: Path) -> None:
    """Also where a user and a password have settings of their own, and with a mistake beside it."""
    text = form.format(SHORT)
    for value in (text, json.dumps([text]), json.dumps({"a": text})):
        plain = [name for name in setting_names() if name not in SECRETS and not name.endswith("file")]
        others = {variable_of(name): value for name in plain}
        told = find_settings({"TALLYMILL_DATA": os.devnull, **others}).problems
        assert told
        assert [] == [one for one in told if SHORT in one]
    file = tmp_path / "settings.toml"
    file.write_text(to_toml({"kafka": {"group": [text]}, "ingress": {"public_url": [[text]]}}))
    told = find_settings({"TALLYMILL_SETTINGS_FILE": str(file)}).problems
    assert [False, False] == [SHORT in one for one in told]


@pytest.mark.parametrize(
    "address", [f"user:{SHORT}@host:9092", f"SASL_SSL://user:{SHORT}@host:9092", "SSL://host:9092"]
)
def test_a_user_in_kafka_s_address_is_refused(address: str) -> None:
    """It would be shown with the address, and not be used."""
    (told,) = find_settings({"TALLYMILL_DATA": os.devnull, "TALLYMILL_KAFKA__BOOTSTRAP_SERVERS": address}).problems
    assert told.startswith("kafka.bootstrap_servers: must not hold a protocol, a user or a password: ")


@pytest.mark.parametrize("setting", SECRETS)
def test_no_message_shows_a_secret_of_a_wrong_type(setting: str, tmp_path: Path) -> None:
    """A list for a text, a number, a key that is too short: in the settings file all can be written."""
    section, _, name = setting.partition(".")
    file = tmp_path / "settings.toml"
    for wrong in ([SHORT], {"a": SHORT}, [[SHORT]], 4_711_815, [4_711_815], [SHORT, 5], SHORT):
        file.write_text(to_toml({section: {name: wrong}}))
        told = "".join(find_settings({"TALLYMILL_SETTINGS_FILE": str(file)}).problems)
        assert SHORT not in told
        assert "4711815" not in told


@given(
    st.sampled_from(SECRETS),
    st.recursive(st.just(HIDDEN), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
)
def test_no_error_of_the_models_shows_a_value(setting: str, wrong: object) -> None:
    """Whoever makes them, in a test or a program: the error's own text may end in a log."""
    section, _, name = setting.partition(".")
    try:
        Settings.model_validate({section: {name: wrong, "zzz": wrong}})
    except ValidationError as error:
        told = str(error) + repr(error)
    assert HIDDEN not in told


@pytest.mark.parametrize(
    "key", [ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)]
)
def test_a_private_key_that_is_pasted_is_not_shown(key: ECKey | OKPKey | RSAKey) -> None:
    """Only which key it is."""
    key.ensure_kid()
    pasted = json.dumps(KeySet([key]).as_dict(private=True))
    told = str(SecretSource(pasted))
    entry = json.loads(pasted)["keys"][0]
    assert entry["d"] not in told
    assert {"kty": entry["kty"], "kid": entry["kid"]}.items() <= json.loads(told)["keys"][0].items()


WORDS = st.text(st.sampled_from("hidden:@/?#[]%, ."), max_size=12)


@given(WORDS, WORDS, st.sampled_from(["", "/x", "?x", "#x", ":1/x?y"]))
def test_no_password_of_a_url_is_shown(before: str, after: str, end: str) -> None:
    """Whatever it holds, escaped or not."""
    assert "SECRET" not in masked_url(f"mongodb://user:{before}SECRET{after}@host{end}")


@pytest.mark.parametrize(
    "pasted", ['[{"kty": "oct", "k": "hidden"}]', "-----BEGIN PRIVATE KEY-----\nhidden", '"hidden"']
)
def test_keys_that_are_pasted_in_another_form_are_not_shown(pasted: str) -> None:
    """Only a path is."""
    assert "**********" == str(SecretSource(pasted))
    assert "/etc/tally mill/jwks.json" == str(SecretSource("/etc/tally mill/jwks.json"))


@given(st.text())
def test_what_is_no_set_of_keys_is_masked_whole(text: str) -> None:
    """A set with a missing bracket, too."""
    assert "**********" == masked_keys("{" + text) or json.loads(masked_keys("{" + text))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:hidden@host/x", "https://**********@host/x"),
        ("kafka://user@host:1", "kafka://**********@host:1"),
        ("https://host/x?y=hidden#hidden", "https://host/x?**********"),
        ("https://[hidden", "**********"),
        ("mongodb://user:hid/hidden@host/x", "mongodb://**********"),
        ("mongodb://user:hidden?hidden@host/x", "mongodb://**********"),
        ("mongodb://user:hidden#hidden@host", "mongodb://**********"),
        ("https://host/x?login=hidden@hidden", "https://**********"),
        ("https://hidden:hidden@one,https://hidden:hidden@two", "https://**********"),
        ("https://host?hidden", "https://host?**********"),
        ("/etc/keys@home.json", "/etc/keys@home.json"),
        ("https://host", "https://host"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, expected: str) -> None:
    """Its host and path say where something is read."""
    assert expected == masked_url(url)
    assert "hidden" not in masked_url(url)
