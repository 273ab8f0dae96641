"""The committed JSON Schemas are those of the models."""

from schemas.export import FOLDER, exported, write


def test_the_committed_schemas_are_the_models() -> None:
    """A change of the contract shows in the diff; `python -m schemas.export` writes the files anew."""
    assert exported() == {file.name: file.read_text() for file in FOLDER.iterdir()}


def test_writing_them_anew_changes_nothing() -> None:
    """The command that a failing comparison asks for."""
    before = {file.name: file.read_text() for file in FOLDER.iterdir()}
    write()
    assert before == {file.name: file.read_text() for file in FOLDER.iterdir()}
