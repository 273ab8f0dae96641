"""All settings, and their names: `kafka.group` is TALLYMILL_KAFKA__GROUP. Pure."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel, Field, SecretStr
from pydantic.fields import FieldInfo

from console.config import ConsoleSettings, OidcSettings
from consumer.config import WorkerSettings
from ingress.config import IngressSettings, TokenSettings
from schemas.canary import CanarySettings
from schemas.settings import KafkaSettings, LimitSettings, MongoSettings, Section, SigningSettings

PREFIX: Final = "TALLYMILL_"


class Settings(Section):
    """All settings. A process uses a part of them."""

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


class Type(NamedTuple):
    """What may be the value of a setting: a type without None, and what restricts it (`Ge`, `MinLen`, a pattern)."""

    base: Any
    limits: tuple[Any, ...]

    @property
    def is_list(self) -> bool:
        return get_origin(self.base) is tuple

    @property
    def is_table(self) -> bool:
        return self.model is not None or (
            isinstance(get_origin(self.base), type) and issubclass(get_origin(self.base), Mapping)
        )

    @property
    def model(self) -> type[BaseModel] | None:
        return self.base if isinstance(self.base, type) and issubclass(self.base, BaseModel) else None

    @property
    def is_secret(self) -> bool:
        """Whether it is a secret, or a list of secrets."""
        one = self.inner().base if self.is_list else self.base
        return isinstance(one, type) and issubclass(one, SecretStr)

    def inner(self) -> "Type":
        """Of an entry of a list or of a table."""
        arguments = [one for one in get_args(self.base) if one is not Ellipsis]
        return type_of(arguments[-1])


def type_of(annotation: Any, limits: Iterable[Any] = ()) -> Type:  # noqa: ANN401 an annotation is any
    """The type that an annotation means, without `Annotated` and without None."""
    limits = tuple(limits)
    if get_origin(annotation) is Annotated:
        base, *more = get_args(annotation)
        found = [one for each in more for one in (each.metadata if isinstance(each, FieldInfo) else (each,))]
        return type_of(base, (*limits, *found))
    options = get_args(annotation)
    if type(None) in options:
        (only,) = (one for one in options if one is not type(None))
        return type_of(only, limits)
    return Type(annotation, limits)


def section_models() -> dict[str, type[BaseModel]]:
    """The model of each section."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


@cache
def setting_types() -> Mapping[str, Type]:
    """Every setting, such as `kafka.group`, with its type."""
    return {
        f"{section}.{name}": type_of(field.annotation, field.metadata)
        for section, model in section_models().items()
        for name, field in model.model_fields.items()
    }


def setting_names() -> list[str]:
    return list(setting_types())


def type_at(place: tuple[int | str, ...]) -> Type:
    """The type of what an error is about: `("limits", "apps", "demo", "max_titles")`."""
    found = Type(Settings, ())
    for one in place:
        if found.model is not None and one in found.model.model_fields:
            field = found.model.model_fields[str(one)]
            found = type_of(field.annotation, field.metadata)
        elif found.model is None and (found.is_list or found.is_table):
            found = found.inner()
    return found


def variable_of(name: str) -> str:
    """The environment variable of a setting: `kafka.group` -> TALLYMILL_KAFKA__GROUP."""
    return PREFIX + name.replace(".", "__").upper()
