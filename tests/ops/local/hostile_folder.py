"""A folder with modules named as tallymill's and the standard library's, which raise when they are imported."""

from pathlib import Path

NAMES = (
    "ops",
    "schemas",
    "serving",
    "ingress",
    "consumer",
    "console",
    "yaml",
    "json",
    "pymongo",
    "aiokafka",
    "asyncio",
    "typer",
    "pip",
    "jgo",
)


def hostile(folder: Path) -> Path:
    """The working directory of a user who develops something with these names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(NAMES):
        text = f"raise SystemExit('the {name} of the folder where the user stands was imported')\n"
        if number % 2:
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(text)
        else:
            (folder / f"{name}.py").write_text(text)
    return folder
