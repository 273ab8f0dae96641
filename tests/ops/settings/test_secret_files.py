"""Values from files: one for a setting, or a folder (docs/security.md, "Secrets")."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.config import find_settings, variable_of
from ops.settings.folder import files_of_folder
from ops.settings.model import Settings, setting_names, setting_types
from ops.settings.secret_file import MAX_BYTES, BadFile, is_open, read_value

PLAIN = {"TALLYMILL_DATA": os.devnull}
PASSWORD = "kafka.sasl_password"
VARIABLE = "TALLYMILL_KAFKA__SASL_PASSWORD"
SECRET = "hidden-word"


def problems(**environ: str) -> tuple[str, ...]:
    return find_settings(PLAIN | environ).problems


def password(**environ: str) -> str | None:
    found = find_settings(PLAIN | environ)
    assert () == found.problems
    secret = found.settings.kafka.sasl_password
    return secret.get_secret_value() if secret else None


def kubernetes_volume(folder: Path, files: dict[str, str], version: str = "..2026_11_29") -> None:
    """As the kubelet writes a secret: links to `..data`, which is a link to a folder with a time."""
    (folder / version).mkdir(parents=True)
    for name, text in files.items():
        (folder / version / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..new").symlink_to(version)
    (folder / "..new").replace(folder / "..data")


def test_a_setting_is_read_from_the_file_that_its_variable_names(tmp_path: Path) -> None:
    """In either case of the variable."""
    (tmp_path / "password").write_text(f"{SECRET}\n")
    for name in (f"{VARIABLE}_FILE", f"{VARIABLE}_FILE".lower()):
        assert SECRET == password(**{name: str(tmp_path / "password")})


@pytest.mark.parametrize("setting", setting_names())
def test_every_setting_has_a_file_and_a_place_in_the_folder(setting: str, tmp_path: Path) -> None:
    """Whether it is a secret or not: there is one rule. The file gives what the variable gives."""
    kind = setting_types()[setting]
    text = {tuple: "[]", dict: "{}"}.get(kind.base, '["sixteen characters"]' if kind.is_list else "1")
    text = "{}" if kind.is_table else text
    by_variable = find_settings(PLAIN | {variable_of(setting): text})
    (tmp_path / setting).write_text(f"{text}\n")
    by_file = find_settings(PLAIN | {f"{variable_of(setting)}_FILE": str(tmp_path / setting)})
    by_folder = find_settings(PLAIN | {"TALLYMILL_SECRETS_DIR": str(tmp_path)})
    is_setting_itself = f"{setting}_file" in setting_names()  # canary.token and canary.token_file
    for found in (by_folder,) if is_setting_itself else (by_file, by_folder):
        assert by_variable.settings == found.settings
        assert len(by_variable.problems) == len(found.problems)


@given(st.binary(max_size=40))
def test_every_byte_but_the_last_line_ends_is_kept(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Or the file is refused, without its content."""
    file = tmp_path_factory.mktemp("secrets") / "secret"
    file.write_bytes(content)
    is_text = content.decode(errors="ignore").encode() == content
    if is_text and content.strip(b"\r\n") and not content.startswith(b"\xef\xbb\xbf") and b"\0" not in content:
        assert content.rstrip(b"\r\n") == read_value(file).encode()
    else:
        with pytest.raises(BadFile, match=f"^the file {re.escape(str(file))} (is|begins)"):
            read_value(file)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\r\n\n", "is empty"),
        (b"hidden-word\xff", "is not UTF-8 text"),
        (b"\xef\xbb\xbfhidden-word", "begins with a byte order mark"),
        ("hidden-word".encode("utf-16-le"), "is not plain text: it holds a NUL character. Save it as UTF-8"),
        (b"hidden-word" * MAX_BYTES, "is larger than 1 MiB"),
    ],
)
def test_a_file_without_a_value_is_named_with_its_setting(tmp_path: Path, content: bytes, why: str) -> None:
    """Never with what it holds."""
    file = tmp_path / "password"
    file.write_bytes(content)
    (told,) = problems(**{f"{VARIABLE}_FILE": str(file)})
    assert told.startswith(f"{PASSWORD}: the file {file} {why}")
    assert told.endswith(f"(set by {VARIABLE}_FILE={file})")
    assert SECRET not in told


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """A folder, and a pipe, which would block the start until somebody writes to it. The settings file, too."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for path, expected in {
        tmp_path: f"{tmp_path} is a folder, not a file",
        tmp_path / "pipe": f"{tmp_path / 'pipe'} is not a regular file",
        Path("/dev/zero"): "/dev/zero is not a regular file",
        tmp_path / "link": f"there is no file {tmp_path / 'link'}",
        tmp_path / "round": f"the file {tmp_path / 'round'} can't be read: too many levels of symbolic links",
    }.items():
        (told,) = problems(**{f"{VARIABLE}_FILE": str(path)})
        assert f"{PASSWORD}: {expected} (set by {VARIABLE}_FILE={path})" == told
        assert (f"TALLYMILL_SETTINGS_FILE: {expected}",) == problems(TALLYMILL_SETTINGS_FILE=str(path))


def test_a_variable_that_names_no_file_is_told_so() -> None:
    """As Compose gives it for a variable that is not set."""
    expected = f"{PASSWORD}: {VARIABLE}_FILE is empty. Give it the path of a file, or unset it"
    assert (expected,) == problems(**{f"{VARIABLE}_FILE": ""})


@pytest.mark.parametrize("name", ["TALLYMILL_SECRETS_DIR", "TALLYMILL_SETTINGS_FILE", "TALLYMILL_DATA"])
def test_a_name_that_would_be_ignored_in_lower_case_is_refused(name: str) -> None:
    """The settings themselves may be in either case."""
    assert (f"{name.lower()}: write it in upper case: {name}",) == problems(**{name.lower(): "/nowhere"})


def test_a_variable_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    """Nobody knows which one is meant. The same variable in two cases is two, as well."""
    (tmp_path / "password").write_text(SECRET)
    both = {VARIABLE: "other", f"{VARIABLE}_FILE": str(tmp_path / "password")}
    assert (f"{PASSWORD}: set by {VARIABLE} and {VARIABLE}_FILE. Set only one of them",) == problems(**both)
    twice = {VARIABLE: "a", VARIABLE.lower(): "b"}
    assert (f"{PASSWORD}: set by {VARIABLE} and {VARIABLE.lower()}. Set only one of them",) == problems(**twice)


def test_a_setting_that_ends_with_file_is_itself(tmp_path: Path) -> None:
    """`canary.token_file` is read before each batch, so it must not become `canary.token`."""
    found = find_settings(PLAIN | {"TALLYMILL_CANARY__TOKEN_FILE": str(tmp_path / "later")})
    assert ((), None, str(tmp_path / "later")) == (
        found.problems,
        found.settings.canary.token,
        found.settings.canary.token_file,
    )


@pytest.mark.parametrize(
    "name",
    ["KAFKA__SASL_PASSWORD", "kafka__sasl_password", PASSWORD, VARIABLE, VARIABLE.lower(), "Kafka.SASL_password"],
)
def test_a_file_of_the_folder_is_named_as_its_setting(tmp_path: Path, name: str) -> None:
    """In each of the ways that docs/security.md gives."""
    (tmp_path / name).write_text(f"{SECRET}\n")
    assert SECRET == password(TALLYMILL_SECRETS_DIR=str(tmp_path))


def test_two_files_for_one_setting_are_refused(tmp_path: Path) -> None:
    """With both names."""
    for name in (PASSWORD, "KAFKA__SASL_PASSWORD"):
        (tmp_path / name).write_text(SECRET)
    (told,) = problems(TALLYMILL_SECRETS_DIR=str(tmp_path))
    names = f"{tmp_path / 'KAFKA__SASL_PASSWORD'} and {tmp_path / PASSWORD}"
    assert f"{PASSWORD}: set by {names}. Keep only one of them" == told


def test_a_secret_that_kubernetes_mounts_is_read(tmp_path: Path) -> None:
    """With its links and hidden folders; also after the kubelet has replaced it."""
    kubernetes_volume(tmp_path, {"KAFKA__SASL_PASSWORD": "old\n", "ca.crt": "-----BEGIN CERTIFICATE-----\n"})
    assert "old" == password(TALLYMILL_SECRETS_DIR=str(tmp_path))
    kubernetes_volume(tmp_path, {"KAFKA__SASL_PASSWORD": "new\n", "ca.crt": ""}, "..2026_11_30")
    found = find_settings(PLAIN | {"TALLYMILL_SECRETS_DIR": str(tmp_path)})
    assert "new" == password(TALLYMILL_SECRETS_DIR=str(tmp_path))
    assert [str(tmp_path / "ca.crt")] == found.sources.ignored_files


BESIDE = (
    *("ca.crt", "tls.crt", "tls.key", "token", "password", "username", "uri", "jwks.json", "issuer.jwk", "README.md"),
    *("kafka.crt", "kafka.key", "kafka.pem", "mongodb.pem", "worker.key", "client-key.pem", "password.txt", "id_rsa"),
    *("connectionString.standard", "keystore.jks", "ca-bundle.crt", "database", "host"),
)


@pytest.mark.parametrize("name", BESIDE)
def test_other_files_may_lie_beside_secrets(tmp_path: Path, name: str) -> None:
    """Certificates, and what an operator's secret holds. `config` lists them."""
    (tmp_path / name).write_text("x")
    found = find_settings(PLAIN | {"TALLYMILL_SECRETS_DIR": str(tmp_path)})
    assert ((), [str(tmp_path / name)]) == (found.problems, found.sources.ignored_files)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("KAFKA__SASL_PASWORD", ". Did you mean KAFKA__SASL_PASSWORD?"),
        ("kafka.sasl_pasword", ". Did you mean KAFKA__SASL_PASSWORD?"),
        ("KAFKA_SASL_PASSWORD", ". Did you mean KAFKA__SASL_PASSWORD?"),
        ("SASL_PASSWORD", ". Did you mean KAFKA__SASL_PASSWORD?"),
        ("signing_keys", ". Did you mean SIGNING__KEYS?"),
        ("TALLYMILL_SIGNING_KEY", ". Did you mean SIGNING__KEYS?"),
        ("KAFKA__ZZZ", ""),
        ("KAFAK__ZZZ", ""),
        ("TALLYMILL_ZZZ", ""),
        ("kafka", ". It names a whole section. Give each setting a file of its own"),
        ("KAFKA__SASL_PASSWORD_FILE", ". A file here is the value itself: name it KAFKA__SASL_PASSWORD"),
    ],
)
def test_a_misspelt_name_in_the_folder_is_refused(tmp_path: Path, name: str, hint: str) -> None:
    """It would be passed over in silence, and the process would run without the secret."""
    (tmp_path / name).write_text(SECRET)
    assert (f"TALLYMILL_SECRETS_DIR: {tmp_path / name}: no such setting{hint}",) == problems(
        TALLYMILL_SECRETS_DIR=str(tmp_path)
    )


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """And a file in its place; nothing is said to be missing, because nothing was read."""
    (tmp_path / "file").touch()
    for folder, why in ((tmp_path / "none", "no such file or directory"), (tmp_path / "file", "not a directory")):
        found = find_settings(PLAIN | {"TALLYMILL_SECRETS_DIR": str(folder)})
        assert (f"TALLYMILL_SECRETS_DIR: the folder {folder} can't be read: {why}",) == found.problems
        assert found.sources.is_partial


def test_variables_come_before_the_folder_and_that_before_the_settings_file(tmp_path: Path) -> None:
    """Setting by setting."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "KAFKA__GROUP").write_text("folder")
    (tmp_path / "secrets" / "KAFKA__SASL_USERNAME").write_text("folder")
    file = tmp_path / "settings.toml"
    file.write_text('[kafka]\ngroup = "file"\nsasl_username = "file"\nrecords_topic = "file"\n')
    given = {"TALLYMILL_SETTINGS_FILE": str(file), "TALLYMILL_SECRETS_DIR": str(tmp_path / "secrets")}
    found = find_settings(PLAIN | given | {"TALLYMILL_KAFKA__GROUP": "variable"})
    kafka = found.settings.kafka
    assert ("variable", "folder", "file") == (kafka.group, kafka.sasl_username, kafka.records_topic)
    origins = found.sources.origins
    assert "TALLYMILL_KAFKA__GROUP" == origins["kafka.group"]
    assert str(tmp_path / "secrets" / "KAFKA__SASL_USERNAME") == origins["kafka.sasl_username"]
    assert str(file) == origins["kafka.records_topic"]


@pytest.mark.parametrize(
    "text", ['["the new key of 2026", "the old key of 2025"]', "the new key of 2026\nthe old key of 2025\n"]
)
def test_a_list_is_json_or_lines(tmp_path: Path, text: str) -> None:
    """Keys as lines are easier to write into a secret. Blanks within a line belong to the key."""
    (tmp_path / "signing.keys").write_text(text)
    keys = find_settings(PLAIN | {"TALLYMILL_SECRETS_DIR": str(tmp_path)}).settings.signing.keys
    assert keys is not None
    assert ["the new key of 2026", "the old key of 2025"] == [key.get_secret_value() for key in keys]


def test_a_secret_that_everyone_can_read_is_found(tmp_path: Path) -> None:
    """By the mode of the file. A setting that is no secret may be open."""
    (tmp_path / "KAFKA__SASL_PASSWORD").write_text(SECRET)
    (tmp_path / "KAFKA__GROUP").write_text("group")
    given = PLAIN | {"TALLYMILL_SECRETS_DIR": str(tmp_path)}
    for mode, expected in ((0o644, [PASSWORD]), (0o640, []), (0o400, [])):
        for file in tmp_path.iterdir():
            file.chmod(mode)
        assert expected == list(find_settings(given).open_files)


def test_a_secret_in_a_read_only_mount_may_be_readable_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Kubernetes and Docker mount them."""
    file = tmp_path / "secret"
    file.touch(0o644)
    file.chmod(0o644)
    assert is_open(file)
    real = os.statvfs(file)
    read_only = os.statvfs_result((*real[:8], real.f_flag | os.ST_RDONLY, *real[9:]))
    monkeypatch.setattr(os, "statvfs", lambda _: read_only)
    assert not is_open(file)


def test_no_file_that_is_usual_beside_secrets_resembles_a_section() -> None:
    """A section's own name is refused, so no file may be called so."""
    assert {"kafka", "mongodb", "signing", "tokens"} < set(Settings.model_fields)
    assert files_of_folder(Path(os.devnull).parent / "fd", "X").problems == []
