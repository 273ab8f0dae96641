"""An environment without the settings of the test run."""

import os

import pytest

from ops.config import DATA_VARIABLE, PREFIX


def clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables nor the file of a local system count."""
    for name in tuple(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv(DATA_VARIABLE, os.devnull)
