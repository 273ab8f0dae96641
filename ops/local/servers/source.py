"""Where real servers come from, in this order: addresses in the settings, a Docker engine, the local stack."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from ops.config import DATA_VARIABLE, Settings, load_settings
from ops.local.servers.docker import engine_answers

Source = Literal["settings", "docker", "local"]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each server comes from."""

    kafka: Source
    mongodb: Source


def choose_sources(kafka: str | None, mongodb: object | None, docker: Callable[[], bool]) -> Sources:
    """Sources for the addresses that are set. Docker is asked only if one is missing: asking takes a moment."""
    ours: Source = "settings" if kafka and mongodb else "docker" if docker() else "local"
    return Sources(kafka="settings" if kafka else ours, mongodb="settings" if mongodb else ours)


def settings_of_user(environ: Mapping[str, str] = os.environ) -> Settings:
    """What the user has set, without what an earlier `up` in this folder wrote down: its addresses are stale.

    Raises SettingsError.
    """
    return load_settings({**environ, DATA_VARIABLE: os.devnull})


def sources_in_force(settings: Settings) -> Sources:
    return choose_sources(settings.kafka.bootstrap_servers, settings.mongodb.uri, engine_answers)
