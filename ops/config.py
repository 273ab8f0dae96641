"""The settings of a process: all of them are read and checked, and the process gets its part.

TALLYMILL_SETTINGS_FILE names the TOML file. Without it, the file of the local system is used, if there is one.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from console.config import ConsoleConfig
from consumer.config import WorkerConfig
from ingress.config import IngressConfig, TokenSettings
from ops.errors import BadInput
from ops.output import printable
from ops.settings.masks import shown
from ops.settings.messages import origin, problem
from ops.settings.model import PREFIX, Settings, setting_names, setting_types, variable_of
from ops.settings.secret_file import is_open
from ops.settings.sources import DATA_VARIABLE, FILE_VARIABLE, FOLDER_VARIABLE, Sources, Tree, read_sources
from schemas.masks import masked_url
from schemas.settings import Section
from serving.config import TokenCheckSettings
from serving.mongodb.certificate import unusable_files
from serving.mongodb.client import PINNED, uri_problems
from serving.outgoing.pem import unreadable

__all__ = [
    "DATA_VARIABLE",
    "FILE_VARIABLE",
    "FOLDER_VARIABLE",
    "LOCAL_FILE_NAME",
    "PREFIX",
    "Settings",
    "SettingsError",
    "load_settings",
    "setting_names",
    "shown",
    "variable_of",
]

LOCAL_FILE_NAME = "settings.toml"


class SettingsError(BadInput):
    """The settings can't be used."""


@dataclass(frozen=True, slots=True)
class Found:
    """The settings, where each was read, and every problem. With problems, defaults replace what is wrong."""

    settings: Settings
    sources: Sources
    problems: tuple[str, ...]

    @property
    def open_files(self) -> dict[str, Path]:
        """Files of secrets that every user of the machine can read, by setting."""
        return {
            name: file for name, file in self.sources.files.items() if setting_types()[name].is_secret and is_open(file)
        }


Config = TypeVar("Config")
PartConfig = TypeVar("PartConfig", bound=Section)

# Each process refuses to start without these (what `tallymill up` fills in by itself).
INGRESS_NEEDS = (
    "kafka.bootstrap_servers",
    "mongodb.uri",
    "signing.keys",
    "tokens.issuer",
    "tokens.audience",
)
WORKER_NEEDS = ("kafka.bootstrap_servers", "mongodb.uri", "signing.keys")
CONSOLE_NEEDS = ("mongodb.uri", "tokens.issuer", "tokens.audience")


def settings_file(environ: Mapping[str, str]) -> Path | None:
    """The TOML file that is used, or None."""
    if named := environ.get(FILE_VARIABLE):
        return Path(named)
    local = Path(environ.get(DATA_VARIABLE, ".tallymill")) / LOCAL_FILE_NAME
    try:
        return local if local.exists() else None
    except PermissionError:  # another user's folder: reading the file says so
        return local


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings.

    Raises SettingsError with every problem at once: unknown keys, wrong values, an unreadable file.
    """
    found = find_settings(environ)
    if found.problems:
        raise SettingsError(found.problems)
    return found.settings


def load_config(config_of: Callable[[Settings], Config]) -> tuple[Config, Found]:
    """What a process gets. Raises SettingsError with every problem at once, also of what this process requires."""
    found = find_settings()
    problems = list(found.problems)
    try:
        config = config_of(found.settings)
    except SettingsError as error:
        problems += _missing(error.problems, found)
    if problems:
        raise SettingsError(problems)
    return config, found


def _missing(problems: Iterable[str], found: Found) -> list[str]:
    """Problems of a process's part, without what follows from those that are known: a wrong value is not missing."""
    if found.sources.is_partial:
        return []
    wrong = {one.partition(":")[0].partition(",")[0] for one in found.problems}
    return [one for one in problems if not any(name in one.partition(": ")[0] for name in wrong)]


def find_settings(environ: Mapping[str, str] | None = None) -> Found:
    """The settings and every problem with them."""
    environ = os.environ if environ is None else environ
    sources = read_sources(environ, settings_file(environ))
    settings, wrong = _checked(sources)
    problems = (*sources.problems, *wrong, *_unusable(settings, sources))
    return Found(settings, sources, tuple(map(printable, problems)))


def _checked(sources: Sources) -> tuple[Settings, list[str]]:
    """The settings without the values that are wrong, and a sentence for each of those."""
    tree, problems = sources.tree, list[str]()
    while True:
        try:
            return Settings.model_validate(tree), problems
        except ValidationError as error:
            # Without its wrong values a section can be checked as a whole, which may find more.
            errors = error.errors(include_url=False)
            # A list of which every entry is wrong is reported as empty too.
            within = {one["loc"][:-1] for one in errors}
            problems += [problem(one, sources.origins) for one in errors if one["loc"] not in within]
            tree = _without(tree, [one["loc"] for one in errors])


def _without(tree: Tree, places: Iterable[tuple[int | str, ...]]) -> Tree:
    """The tree without the settings, or the sections, that errors are about."""
    rest = {section: dict(part) if isinstance(part, dict) else part for section, part in tree.items()}
    for place in places:
        section, *names = place
        part = rest.get(str(section))
        if names and isinstance(part, dict) and names[0] in part:
            del part[names[0]]
        else:
            rest.pop(str(section), None)
    return rest


def _unusable(settings: Settings, sources: Sources) -> list[str]:
    """What can be known to fail before a server is asked."""
    uri = settings.mongodb.uri
    text = uri.get_secret_value() if uri else None
    problems = [*(uri_problems(text, PINNED) or unusable_files(text))] if text is not None else []
    files = {name: getattr(settings.kafka, name) for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
    problems += [
        f"kafka.{name}: {problem.replace(path, masked_url(path))}"
        for name, path in files.items()
        if path and (problem := unreadable(path))
    ]
    return [one + origin(one.partition(":")[0], sources.origins) for one in problems]


def ingress_config(settings: Settings) -> IngressConfig:
    """What an ingress process gets. Raises SettingsError naming every required setting that is missing."""
    return _part(settings, IngressConfig, INGRESS_NEEDS, _token_problems(settings.tokens))


def worker_config(settings: Settings) -> WorkerConfig:
    """What a worker process gets. Raises SettingsError naming every required setting that is missing."""
    return _part(settings, WorkerConfig, WORKER_NEEDS)


def _token_problems(tokens: TokenSettings) -> list[str]:
    """Tokens are checked either by keys or by introspection. Both or none of them is a mistake."""
    jwks, url = "tokens.jwks", "tokens.introspection_url"
    if tokens.jwks and tokens.introspection_url:
        return [f"{jwks}, {url}: set only one of them"]
    if not (tokens.jwks or tokens.introspection_url):
        return [f"{jwks} or {url}: required ({variable_of(jwks)} or {variable_of(url)})"]
    names = ("introspection_client_id", "introspection_client_secret")
    missing = [f"tokens.{name}" for name in names if tokens.introspection_url and not getattr(tokens, name)]
    return [f"{name}: required with {url} ({variable_of(name)})" for name in missing]


def console_config(settings: Settings) -> ConsoleConfig:
    """The settings of a console process, with the part of `tokens` that it needs. Raises SettingsError."""
    _require(settings, CONSOLE_NEEDS, [*_token_problems(settings.tokens), *_console_problems(settings)])
    tokens = {name: getattr(settings.tokens, name) for name in TokenCheckSettings.model_fields}
    sections = {name: getattr(settings, name) for name in ConsoleConfig.model_fields}
    return _made(ConsoleConfig, {**sections, "tokens": TokenCheckSettings(**tokens)})


def _console_problems(settings: Settings) -> list[str]:
    """What people need to sign in; and a console that others can reach needs an issuer that knows them."""
    console, oidc = settings.console, settings.oidc
    needed = {
        "oidc.client_id": oidc.client_id,
        "console.public_url": console.public_url,
        "console.session_keys": console.session_keys,
    }
    problems = [
        f"{name}: required with oidc.issuer ({variable_of(name)})" for name, found in needed.items() if not found
    ]
    if not oidc.issuer:
        problems = ["oidc.issuer: required with oidc.client_id"] if oidc.client_id else []
    if not console.is_private and settings.tokens.private_key:
        problems.append(
            f"console.host: {console.host} can be reached from other machines, but tokens.private_key is set: whoever "
            "reads it makes tokens. Use 127.0.0.1, or the tokens of an issuer of your own"
        )
    return problems


def _require(settings: Settings, needs: Iterable[str], problems: Iterable[str] = ()) -> None:
    missing = [f"{name}: required ({variable_of(name)})" for name in needs if attrgetter(name)(settings) is None]
    if wrong := [*missing, *problems]:
        raise SettingsError(wrong)


def _part(
    settings: Settings, config: type[PartConfig], needs: Iterable[str], problems: Iterable[str] = ()
) -> PartConfig:
    _require(settings, needs, problems)
    return _made(config, {section: getattr(settings, section) for section in config.model_fields})


def _made(config: type[PartConfig], sections: Mapping[str, object]) -> PartConfig:
    """Raises SettingsError for settings that contradict each other."""
    try:
        return config.model_validate(sections)
    except ValidationError as error:
        # The message names the settings: it is about several sections.
        raise SettingsError([problem(one, {}).removeprefix(": ") for one in error.errors()]) from None
