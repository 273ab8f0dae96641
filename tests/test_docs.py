"""The documentation agrees with the code."""

import os
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from ops.cli import app
from ops.config import Settings, load_settings
from ops.definitions.changes import DeclaredEvent, read_file
from ops.file_map import DESIGN, PACKAGES, design_with, file_map
from ops.reference import (
    COMMAND_PAGE,
    ERRORS_PAGE,
    METRICS_PAGE,
    README,
    ROOT,
    SETTINGS_PAGE,
    command_page,
    errors_page,
    metrics_page,
    settings_page,
    settings_table,
)
from tests.references import broken, references_of
from tests.test_habits import files_of_the_repository

# More than that side by side, and names stop helping.
MAX_MODULES = 16
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = (README, CONTRIBUTING, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
MAX_README_LINES = 170

# Files whose comments and prose may name a page.
READ_FOR_REFERENCES = {".md", ".py", ".sh", ".toml", ".yaml", ".yml", ""}


def test_the_settings_page_has_every_setting() -> None:
    """`python -m ops.reference` writes the page."""
    assert settings_page() == SETTINGS_PAGE.read_text()


def test_the_metrics_page_has_every_metric() -> None:
    """`python -m ops.reference` writes the page."""
    assert metrics_page() == METRICS_PAGE.read_text()


def test_the_page_of_the_command_has_every_command() -> None:
    """`python -m ops.reference` writes the table."""
    assert command_page() == COMMAND_PAGE.read_text()


def test_the_errors_page_has_every_error() -> None:
    """Also the golden copy of every message: a change of one shows in the page."""
    assert errors_page() == ERRORS_PAGE.read_text()


def test_every_setting_and_metric_says_what_it_means() -> None:
    """A name alone helps no reader."""
    rows = [row.split("|") for row in (settings_table() + "\n" + metrics_page()).splitlines() if row.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if not row[-2].strip()] == []


def test_the_readme_is_short_and_names_every_page() -> None:
    """A page that README does not name is not found."""
    text = README.read_text()
    assert len(text.splitlines()) <= MAX_README_LINES
    assert [page.name for page in PAGES if page != README and page.name not in text] == []


def test_the_file_map_names_every_module() -> None:
    """`python -m ops.reference` writes the map of docs/design.md."""
    text = DESIGN.read_text()
    assert design_with(file_map(), text) == text


def test_every_room_says_what_it_is_for_and_is_small() -> None:
    """A stranger finds things by folder, but not among fifty files."""
    rows = [row.split("|") for row in file_map().splitlines()[2:]]
    assert [row[1] for row in rows if not row[2].strip()] == []
    assert [row[1] for row in rows if len(row[3].split(",")) > MAX_MODULES] == []


def test_every_file_that_a_page_names_exists() -> None:
    """A file that moved takes its mention along."""
    path = re.compile(r"`((?:schemas|serving|ingress|consumer|console|ops|tests|deploy|bench|docs)/[\w./]+)`")
    named = {(page.name, name) for page in PAGES for name in path.findall(page.read_text())}
    assert len(named) > 10
    assert [(page, name) for page, name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_name_that_contributors_are_given_is_in_the_code() -> None:
    """A class or function that is renamed takes its mention along."""
    code = "\n".join(file.read_text() for folder in (*PACKAGES, "tests") for file in (ROOT / folder).rglob("*.py"))
    words = set(re.findall(r"\w+", code))
    named = {name for page in (CONTRIBUTING, DESIGN) for name in re.findall(r"`([A-Za-z_]\w+)`", page.read_text())}
    assert len(named) > 20
    assert set() == named - words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    """In code blocks and in sentences. What follows a command is read for its options alone."""
    lines = re.findall(
        r"(?:^ {4,}|`|\$\()(?:\.venv/bin/|~/tallymill/bin/)?tallymill ([^`|)#]+)", page.read_text(), re.MULTILINE
    )
    assert [] == [line for line in lines if not is_command(line.partition("\n\n")[0])]


def is_command(line: str) -> bool:
    command: Any = get_command(app)
    words = shlex.split(line.splitlines()[0] if line.count("'") % 2 == 0 else line)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        name, *words = words
        if (command := command.commands.get(name)) is None:
            return False
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    return {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def test_a_wrong_command_of_a_page_would_be_seen() -> None:
    """A misspelt command, a misspelt option, an option of another command."""
    assert is_command("dead-letters redrive --reason 'not a batch' --rate 100")
    assert is_command("--install-completion")
    wrong = ("inits", "dead-letters redriv", "init --partition 6", "verify --rate 3")
    assert [] == [line for line in wrong if is_command(line)]


def names_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Of its settings and sections, with dots."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from names_of(field.annotation, f"{prefix}{name}.")


SETTINGS = frozenset(names_of(Settings))
# Not settings: where settings, data and downloads are, and those of the programs in docs/clients.md.
OTHER_VARIABLES = {"DATA", "CACHE", "SETTINGS_FILE", "SECRETS_DIR", "TOKEN", "URL"}
# What Kubernetes injects for a service called tallymill.
INJECTED = {"PORT", "INGRESS_SERVICE_HOST"}
FILES = {"py", "json", "yaml"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    """By its name, or as a variable of the environment."""
    text = page.read_text()
    sections = "|".join(Settings.model_fields)
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+[a-z])(?:=[^`]*)?`", text))
    named = {one for one in named if one.rpartition(".")[2] not in FILES}
    variables = set(re.findall(r"TALLYMILL_([A-Z0-9_]*[A-Z0-9])", text)) - OTHER_VARIABLES - INJECTED
    dotted = {one.lower().replace("__", ".") for one in variables}
    unknown = {one for one in dotted if one not in SETTINGS and one.removesuffix("_file") not in SETTINGS}
    assert (set(), set()) == (named - SETTINGS, unknown)


def exports(page: Path) -> list[dict[str, str]]:
    """The settings of each code block that a reader pastes into a shell."""
    blocks = [
        re.findall(r"^ {4,}export (TALLYMILL_.+)$", block, re.MULTILINE) for block in page.read_text().split("\n\n")
    ]
    words = [[word.split("=", 1) for line in block for word in shlex.split(line)] for block in blocks if block]
    return [dict(block) for block in words]


@pytest.mark.parametrize("variables", [block for page in PAGES for block in exports(page)], ids=min)
def test_settings_that_a_page_exports_are_accepted(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, values too."""
    monkeypatch.setenv("TALLYMILL_DATA", os.devnull)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    load_settings()


def test_the_example_of_definitions_is_a_definitions_file(tmp_path: Path) -> None:
    """With each field of the table below it."""
    page = (ROOT / "docs" / "definitions.md").read_text()
    (example,) = (block for block in page.split("\n\n") if block.startswith("    app: "))
    path = tmp_path / "my-app.yaml"
    path.write_text(textwrap.dedent(example))
    declared = read_file(path)
    assert set(DeclaredEvent.model_fields) == declared.definitions[0].model_fields_set


def test_every_test_that_a_page_names_exists() -> None:
    """docs/delivery.md names the test of each row."""
    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)(?:\[[^`]*\])?`", page.read_text())}
    defined = {
        name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    assert len(named) > 80
    assert set() == named - defined


def test_every_page_and_heading_that_is_named_exists() -> None:
    """Pages, comments, docstrings and messages: a heading that is renamed takes its references along."""
    files = [file for file in files_of_the_repository() if file.suffix in READ_FOR_REFERENCES]
    found = [reference for file in files for reference in references_of(file, ROOT)]
    assert len(found) > 100
    assert [] == [str(reference) for reference in found if broken(reference, ROOT)]


def test_the_index_of_the_runbooks_names_every_section() -> None:
    """Who has a problem reads the index first."""
    text = (ROOT / "docs" / "operations.md").read_text()
    index, *sections = text.split("\n## ")
    headings = [section.partition("\n")[0] for section in sections]
    assert len(headings) > 30
    assert [] == [heading for heading in headings if f"[{heading}](" not in index]


def test_the_test_of_references_sees_what_is_broken(tmp_path: Path) -> None:
    """A page, a heading, a section by number, an anchor, a rule: each once right and once wrong."""
    (tmp_path / "docs").mkdir()
    rules = "# Rules\n\n## Lost records\n\n| rule | what |\n|---|---|\n| G3 | x |\n\n## 2. Reading\n"
    (tmp_path / "docs" / "rules.md").write_text(rules)
    page, module = tmp_path / "README.md", tmp_path / "module.py"
    # Written with @ for .md, or this file would be among those that name what does not exist.
    page.write_text(
        "# Page\n\n## Here\n\n[a](rules@) [b](rules@#lost-records) [c](#here) docs/rules@\n"
        "[d](gone@) [e](rules@#gone) [f](#gone)\n".replace("@", ".md")
    )
    module.write_text(
        '"""docs/rules@, G3; docs/rules@, "Lost records"; docs/rules@ section 2; docs/rules@."""\n'
        '# docs/rules@, G4; docs/rules@, "Lost"; docs/rules@ section 3; api@ G3; docs/rules@, G3 to G9\n'.replace(
            "@", ".md"
        )
    )
    found = [reference for file in (page, module) for reference in references_of(file, tmp_path)]
    wrong = [(one.line, one.page.replace(".md", "@"), one.place) for one in found if broken(one, tmp_path)]
    assert [
        (6, "gone@", ""),
        (6, "rules@", "#gone"),
        (6, "", "#gone"),
        (2, "docs/rules@", "G4"),
        (2, "docs/rules@", '"Lost"'),
        (2, "docs/rules@", "section 3"),
        (2, "api@", "G3"),
        (2, "docs/rules@", "G3 to G9"),
    ] == wrong
    assert 16 == len(found)
