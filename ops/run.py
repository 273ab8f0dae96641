"""Runs one process with its part of the settings. Imports are few, because they delay each start."""

from collections.abc import Callable, Collection
from typing import TypeVar

from ops.config import Settings, SettingsError, load_config
from ops.logs import configure_logs, warn_of_open_files
from ops.output import EXIT_BAD_INPUT, complain
from serving.kafka.rights import DENIALS
from serving.reload.hangups import Hangups
from serving.reload.secrets import NotRead, Reload

Config = TypeVar("Config")


def run_process(
    name: str,
    config_of: Callable[[Settings], Config],
    run: Callable[[Config, Reload], int],
    sections: Collection[str] = tuple(Settings.model_fields),
) -> int:
    """Run one process with its part of the settings; with bad settings, print every problem and start nothing.

    `name`: the command that runs it. `sections`: what it uses of the settings. At SIGHUP it reads its secrets again.
    """
    hangups = Hangups()  # first: what changes from now on is read below, or again
    try:
        config, found = load_config(config_of)
    except SettingsError as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    configure_logs()
    DENIALS.process = name
    warn_of_open_files(found.open_files)

    def read_again() -> Settings:
        try:
            return load_config(config_of)[1].settings
        except SettingsError as error:
            raise NotRead(error.problems) from None

    return run(config, Reload(found.settings, read_again, sections, hangups))
