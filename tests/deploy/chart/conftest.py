"""The chart as Helm renders it, and the programs that check it."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.deploy.chart.cases import CASES
from tests.deploy.chart.render import Document, committed, documents, text_of
from tests.deploy.chart.tools import GoTools, Tools, go_tools, tools

COMMITTED = "deploy/kubernetes"

# Helm is in the cache folder once `make test` or `make lint-deploy` ran.
RENDERED = [pytest.param(name, marks=pytest.mark.slow) for name in CASES]


@pytest.fixture(scope="session", name="tools")
def packaged_tools() -> Tools:
    """Downloaded if they are missing."""
    return tools()


@pytest.fixture(scope="session", name="go_tools")
def built_tools() -> GoTools:
    """Built if they are missing."""
    return go_tools()


@cache
def text_of_case(name: str) -> str:
    if name == COMMITTED:
        return "".join(path.read_text() for path in committed())
    return text_of(tools().helm, CASES[name])


@cache
def documents_of_case(name: str) -> list[Document]:
    """No test changes them."""
    return documents(text_of_case(name))


@pytest.fixture(name="manifests", params=[COMMITTED, *RENDERED])
def manifests_of_case(request: pytest.FixtureRequest) -> list[Document]:
    """The objects in deploy/kubernetes, and those of each case."""
    return documents_of_case(request.param)


@pytest.fixture(name="text_of_case")
def text_of_any_case() -> Callable[[str], str]:
    """The manifests of a case as text."""
    return text_of_case
