"""Run one process with its part of the settings. It imports nothing that a process doesn't need: this is its start."""

import sys
from collections.abc import Callable
from typing import TypeVar

from ops.config import Settings, SettingsError, load_settings
from ops.logs import configure_logs

Config = TypeVar("Config")

EXIT_BAD_INPUT = 2


def run_process(config_of: Callable[[Settings], Config], run: Callable[[Config], int]) -> int:
    """Run one process with its part of the settings; with bad ones, tell every problem and start nothing."""
    try:
        config = config_of(load_settings())
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)  # noqa: T201 standard error is for people
        return EXIT_BAD_INPUT
    configure_logs()
    return run(config)
