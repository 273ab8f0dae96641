"""A folder whose modules are named as ours and as the standard library's, and raise when they are imported."""

from pathlib import Path

NAMES = ("ops", "schemas", "serving", "ingress", "consumer", "console", "yaml", "json", "pymongo", "aiokafka")


def hostile(folder: Path) -> Path:
    """What a user who develops something of that name has where they stand."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(NAMES):
        text = f"raise SystemExit('the {name} of the folder where the user stands was imported')\n"
        if number % 2:
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(text)
        else:
            (folder / f"{name}.py").write_text(text)
    return folder
