"""The committed JSON Schemas are those of the models."""

from pathlib import Path

from schemas.openapi.export import FOLDER, exported, write


def test_the_committed_schemas_are_the_models() -> None:
    """A change of the contract shows in the diff. `python -m schemas.openapi.export` writes the files."""
    assert exported() == {file.name: file.read_text() for file in FOLDER.iterdir()}


def test_writing_them_anew_changes_nothing(tmp_path: Path) -> None:
    """What a failing comparison asks for. Elsewhere: half-written files are nothing for the tests beside this one."""
    write(tmp_path)
    committed, written = ({file.name: file.read_text() for file in folder.iterdir()} for folder in (FOLDER, tmp_path))
    assert committed == written
