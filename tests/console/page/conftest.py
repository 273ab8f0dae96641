"""One browser and one stub console for the tests of a file. Each test has a new visitor, and the stub's own answers."""

from collections.abc import Iterator

import pytest

from tests.clients.browser import Browser, chromium
from tests.console.page import stub
from tests.console.page.stub import Site


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser") / "browser.log") as one:
        yield one


@pytest.fixture
def site() -> Iterator[Site]:
    with stub.serving() as one:
        yield one
