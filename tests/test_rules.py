"""Each rule and each answer that docs/rules.md states has a test that names it."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
RULES = ROOT / "docs" / "rules.md"

# B1, G21: the first cell of a row. A row of the answers is in code style: `too_large`.
RULE_ROW = re.compile(r"^\| ([A-Z][0-9]+) \|", re.MULTILINE)
ANSWER_ROW = re.compile(r"^\| `([a-z0-9_]+)` \|", re.MULTILINE)


# A function of a test file, or a method of a class of tests.
TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)

ANSWERS = ("Answers", "Answers of the analytics events")


def section(title: str) -> str:
    """The text under a heading of the page, down to the next."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", RULES.read_text(), re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rules() -> list[str]:
    return RULE_ROW.findall(RULES.read_text())


def answers() -> list[str]:
    return [row for title in ANSWERS for row in ANSWER_ROW.findall(section(title))]


@cache
def names_of_tests() -> frozenset[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return frozenset(name for file in files for name in TEST.findall(file.read_text()))


def test_the_page_states_its_rules_and_answers_once() -> None:
    """Two rows of one name would be one test for both."""
    stated = rules() + answers()
    assert len(rules()) > 30
    assert [f"A{n}" for n in range(1, 13)] == [rule for rule in rules() if rule.startswith("A")]
    assert len(answers()) > 10
    assert sorted(set(stated)) == sorted(stated)


def test_every_rule_has_a_test_that_names_it() -> None:
    """`test_g5_...` for G5."""
    names = names_of_tests()
    assert [] == [rule for rule in rules() if not any(name.startswith(f"test_{rule.lower()}_") for name in names)]


def test_every_row_of_the_answers_has_a_test_that_names_it() -> None:
    """`test_answer_too_large`, or with more words."""
    names = names_of_tests()
    expected = {row: f"test_answer_{row}" for row in answers()}
    assert [] == [row for row, name in expected.items() if not any(f"{one}_".startswith(f"{name}_") for one in names)]


def test_no_test_names_an_answer_that_is_not_stated() -> None:
    """A test of a removed or misspelt row would test nothing."""
    named = {name.removeprefix("test_answer_") for name in names_of_tests() if name.startswith("test_answer_")}
    assert [] == [name for name in named if not any(f"{name}_".startswith(f"{row}_") for row in answers())]
