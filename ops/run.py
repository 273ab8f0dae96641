"""Runs one process with its part of the settings. Imports are few, because they delay each start."""

from collections.abc import Callable
from typing import TypeVar

from ops.config import Settings, SettingsError, load_config
from ops.logs import configure_logs, warn_of_open_files
from ops.output import EXIT_BAD_INPUT, complain

Config = TypeVar("Config")


def run_process(config_of: Callable[[Settings], Config], run: Callable[[Config], int]) -> int:
    """Run one process with its part of the settings; with bad settings, print every problem and start nothing."""
    try:
        config, found = load_config(config_of)
    except SettingsError as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    configure_logs()
    warn_of_open_files(found.open_files)
    return run(config)
