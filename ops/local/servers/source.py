"""Where Kafka and MongoDB come from: addresses in the settings, else a Docker engine, else this machine."""

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
    """The source of each server. Docker is asked only if an address is missing, because that takes time."""
    ours: Source = "settings" if kafka and mongodb else "docker" if docker() else "local"
    return Sources(kafka="settings" if kafka else ours, mongodb="settings" if mongodb else ours)


def settings_of_user(environ: Mapping[str, str] = os.environ) -> Settings:
    """The user's settings without those that an earlier `up` has written: its addresses are stale.

    Raises SettingsError.
    """
    return load_settings({**environ, DATA_VARIABLE: os.devnull})


def present_sources(settings: Settings) -> Sources:
    return choose_sources(settings.kafka.bootstrap_servers, settings.mongodb.uri, engine_answers)
