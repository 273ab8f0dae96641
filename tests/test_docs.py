"""What the documentation says is what the code has."""

import re
from pathlib import Path

from ops.reference import METRICS_PAGE, README, ROOT, metrics_page, readme_with, settings_table

DESIGN = ROOT / "docs" / "design.md"
PACKAGES = ("schemas", "serving", "ingress", "consumer", "console", "ops")


def modules(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("*.py") if file.stem not in ("__init__", "__main__")}


def test_the_readme_has_every_setting() -> None:
    """`python -m ops.reference` writes the table anew."""
    text = README.read_text()
    assert readme_with(settings_table(), text) == text


def test_the_metrics_page_has_every_metric() -> None:
    """`python -m ops.reference` writes the page anew."""
    assert metrics_page() == METRICS_PAGE.read_text()


def test_every_setting_and_metric_says_what_it_means() -> None:
    """A name alone helps nobody."""
    rows = [row.split("|") for row in (settings_table() + "\n" + metrics_page()).splitlines() if row.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if not row[-2].strip()] == []


def test_the_file_map_names_every_module() -> None:
    """docs/design.md goes with the folders."""
    words = set(re.findall(r"\w+", DESIGN.read_text()))
    folders = [ROOT / name for name in PACKAGES] + [ROOT / "consumer" / "core"]
    missing = {f"{folder.name}/{name}" for folder in folders for name in modules(folder) if name not in words}
    assert missing == set()


def test_every_file_that_the_design_names_exists() -> None:
    """A file that moved takes its mention along."""
    named = re.findall(r"`((?:schemas|serving|ingress|consumer|console|ops|tests|deploy)/[\w./]+)`", DESIGN.read_text())
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
