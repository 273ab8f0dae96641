"""`tallymill keys`."""

import json
from pathlib import Path

import pytest

from ops.config import Settings
from ops.errors import BadInput
from ops.tokens.keys import keys
from ops.tokens.token import make_token
from tests.ops.running import Output


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def modes(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mode & 0o777 for name in contents(folder)}


async def test_each_kind_of_process_gets_its_own_keys_and_no_others(tmp_path: Path, capsys: Output) -> None:
    """The console can sign neither tokens nor receipts."""
    assert 0 == await keys(tmp_path / "new")
    made = contents(tmp_path / "new")
    assert {
        "processes/signing.keys",
        "processes/sessions.jwk",
        "processes/jwks.json",
        "console/console.session_keys",
        "console/jwks.json",
        "issuer/issuer.jwk",
    } == set(made)
    assert len(made) == len(capsys.readouterr().out.splitlines())
    assert [] == [name for name, text in made.items() if name.endswith("jwks.json") and b'"d"' in text]
    assert made["processes/jwks.json"] == made["console/jwks.json"]


async def test_only_the_owner_can_read_a_secret(tmp_path: Path) -> None:
    """Public keys are no secret."""
    await keys(tmp_path)
    assert {0o600} == {mode for name, mode in modes(tmp_path).items() if not name.endswith("jwks.json")}


async def test_keys_that_are_there_are_kept(tmp_path: Path, capsys: Output) -> None:
    """A second start keeps them. A file that is missing is made again."""
    await keys(tmp_path)
    before = contents(tmp_path)
    capsys.readouterr()
    assert 0 == await keys(tmp_path)
    assert "all keys are there" in capsys.readouterr().out
    (tmp_path / "console" / "jwks.json").unlink()
    assert 0 == await keys(tmp_path)
    assert before == contents(tmp_path)


async def test_the_keys_are_of_use(tmp_path: Path) -> None:
    """The issuer's key signs a token, and the secrets are long enough for their settings."""
    await keys(tmp_path)
    tokens = {"issuer": "x", "audience": "y", "private_key": str(tmp_path / "issuer" / "issuer.jwk")}
    secret = (tmp_path / "processes" / "signing.keys").read_text().strip()
    settings = Settings.model_validate({"tokens": tokens, "signing": {"keys": [secret]}})
    assert 3 == len(make_token(settings, "demo", "ann", ["s"]).split("."))
    (public,) = json.loads((tmp_path / "processes" / "jwks.json").read_text())["keys"]
    assert public["kid"] == json.loads((tmp_path / "issuer" / "issuer.jwk").read_text())["kid"]


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file/processes: not a directory"):
        await keys(tmp_path / "file")
