"""Reads the settings: environment variables (`TALLYMILL_KAFKA__GROUP=...`) take precedence over a TOML file.

TALLYMILL_SETTINGS_FILE names the file. Without it, the file of the local system is used, if there is one.
"""

import os
import re
from collections.abc import Iterable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as NotParsed

from console.config import ConsoleConfig, ConsoleSettings, OidcSettings
from consumer.config import WorkerConfig, WorkerSettings
from ingress.config import IngressConfig, IngressSettings, TokenSettings
from ops.errors import BadInput
from ops.output import did_you_mean
from ops.service_links import service_links
from schemas.canary import CanarySettings
from schemas.settings import KafkaSettings, LimitSettings, MongoSettings, Section, SigningSettings
from serving.config import URL_SCHEMES, TokenCheckSettings
from serving.mongodb.client import PINNED, uri_problems

PREFIX = "TALLYMILL_"
FILE_VARIABLE = "TALLYMILL_SETTINGS_FILE"
DATA_VARIABLE = "TALLYMILL_DATA"
LOCAL_FILE_NAME = "settings.toml"

# As pydantic writes a secret.
MASK = "**********"

# Variables with the prefix that are not settings: where the file is, and where the local system keeps its data.
NOT_SETTINGS = {FILE_VARIABLE, DATA_VARIABLE, "TALLYMILL_CACHE", "TALLYMILL_TEST_KAFKA", "TALLYMILL_TEST_MONGODB"}


class SettingsError(BadInput):
    """The settings can't be used."""


class Settings(BaseSettings):
    """All settings. A process uses a part of them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    mongodb: MongoSettings = Field(default_factory=MongoSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    signing: SigningSettings = Field(default_factory=SigningSettings)
    tokens: TokenSettings = Field(default_factory=TokenSettings)
    ingress: IngressSettings = Field(default_factory=IngressSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)
    oidc: OidcSettings = Field(default_factory=OidcSettings)
    canary: CanarySettings = Field(default_factory=CanarySettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the signature is pydantic-settings'
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = TomlConfigSettingsSource(settings_cls)  # of the class that _read makes
        if isinstance(env_settings, EnvSettingsSource):
            # Its keys are in lower case: whether Kubernetes has set one is known by its own name.
            injected = {name.lower() for name in ignored_variables(os.environ)}
            env_settings.env_vars = {n: v for n, v in env_settings.env_vars.items() if n.lower() not in injected}
        return (init_settings, env_settings, file)


Config = TypeVar("Config", bound=Section)

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
    return local if local.exists() else None


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings.

    Raises SettingsError with every problem at once: unknown keys, wrong values, an unreadable file.
    """
    environ = os.environ if environ is None else environ
    file = settings_file(environ)
    if file and not file.is_file():
        found, problems = None, [f"{FILE_VARIABLE}: there is no file {file}"]
    else:
        found, problems = _read(file)
    problems += _unknown_variables(environ)
    if found is None or problems:
        raise SettingsError(problems)
    return found


def _read(file: Path | None) -> tuple[Settings | None, list[str]]:
    """The settings, or every problem with them."""
    try:
        found: Settings = type("SettingsOfFile", (Settings,), {"model_config": SettingsConfigDict(toml_file=file)})()
    except ValidationError as error:
        return None, [_problem(e) for e in error.errors()]
    except NotParsed as error:  # a section given whole, as JSON
        return None, [_not_json(error)]
    except ValueError as error:  # TOML's and Unicode's errors are ValueErrors
        return None, [f"{file}: {error}"]
    problems = uri_problems(found.mongodb.uri.get_secret_value(), PINNED) if found.mongodb.uri else []
    files = {name: getattr(found.kafka, name) for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
    problems += [
        f"kafka.{name}: there is no file {path}" for name, path in files.items() if path and not Path(path).is_file()
    ]
    return found, problems


def setting_names() -> list[str]:
    """Every setting, such as `kafka.group`."""
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    return [
        f"{section}.{name}"
        for section, model in sections.items()
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name in model.model_fields
    ]


def _problem(error: ErrorDetails) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        section = f"{error['loc'][0]}." if len(error["loc"]) > 1 else ""
        names = [one for one in setting_names() if one.startswith(section)] if section else Settings.model_fields
        return f"{name}: no such setting{did_you_mean(name, names, section)}"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"  # pydantic's words before a validator's


def _not_json(error: NotParsed) -> str:
    """The message of pydantic-settings names its own classes. Only the field's name is taken from it."""
    found = re.search(r'field "(\w+)"', str(error))
    if found is None:
        return "environment: a value must be valid JSON"
    return f"{variable_of(found[1])} or {variable_of(found[1])}__...: must be valid JSON"


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
    return ConsoleConfig(
        kafka=settings.kafka,
        mongodb=settings.mongodb,
        tokens=TokenCheckSettings(**tokens),
        oidc=settings.oidc,
        console=settings.console,
    )


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


def _part(settings: Settings, config: type[Config], needs: Iterable[str], problems: Iterable[str] = ()) -> Config:
    _require(settings, needs, problems)
    return config(**{section: getattr(settings, section) for section in config.model_fields})


def variable_of(name: str) -> str:
    """The environment variable of a setting: `kafka.group` -> TALLYMILL_KAFKA__GROUP."""
    return PREFIX + name.replace(".", "__").upper()


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """pydantic-settings ignores unknown variables. A misspelt one must be reported.

    So must one that names an app: it would be read in lower case, and `Demo` is another app than `demo`.
    """
    sections = tuple(variable_of(name) for name in Settings.model_fields)
    nested = tuple(f"{section}__" for section in sections)
    links = ignored_variables(environ)
    ours = {  # it reads them in any case
        name: name.upper() for name in environ if name.upper().startswith(PREFIX) and name not in links
    }
    apps = variable_of("limits.apps")
    by_app = [
        f"{name}: set {apps} as JSON instead, because app ids are case-sensitive"
        for name, upper in ours.items()
        if upper.startswith(f"{apps}__")
    ]
    settings = [variable_of(setting) for setting in setting_names()]
    return by_app + [
        f"{name}: no such setting{did_you_mean(upper, settings, PREFIX)}"
        for name, upper in ours.items()
        if upper not in NOT_SETTINGS and upper not in sections and not upper.startswith(nested)
    ]


def ignored_variables(environ: Mapping[str, str]) -> list[str]:
    """Variables with the prefix that Kubernetes has set for its services."""
    return service_links(environ, PREFIX)


def shown(settings: Settings) -> dict[str, dict[str, Any]]:
    """The settings by section, with secrets masked, also those within URLs."""
    sections: dict[str, dict[str, Any]] = settings.model_dump(mode="json")
    urls = {name: sections["tokens"][name] for name in ("jwks", "introspection_url")}
    sections["tokens"] |= {name: _masked(url) for name, url in urls.items() if url}
    return sections


def _masked(url: str) -> str:
    """A URL without user, password and query, which may be secrets. A file or a key set is not masked."""
    if not url.startswith(URL_SCHEMES):
        return url
    parts = urlsplit(url)
    user, separator, host = parts.netloc.rpartition("@")
    masked = parts._replace(netloc=(MASK if user else "") + separator + host, query=MASK if parts.query else "")
    return masked._replace(fragment="").geturl()
