"""What a setting may be, in words, with an example. Pure.

Numbers, choices and lists are described by their types. What a pattern or a check asks for is in DESCRIBED.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen

from ops.settings.model import Settings, Type

LOWER: Final = {Ge: "of {} or more", Gt: "greater than {}"}
UPPER: Final = {Le: "at most {}", Lt: "less than {}"}
KEY_EXAMPLE: Final = "a text of 32 random characters"


class Words(NamedTuple):
    """`kind`: what is allowed. `example`: of a value; empty if there is none to give."""

    kind: str
    example: str


_TOPIC = "1 to 249 letters, digits, dots, hyphens or underscores"
_URL = "an http:// or https:// URL"
_APP = "an app id (1 to 64 letters, digits, hyphens or underscores)"
_ORIGIN = "an origin (scheme, host and perhaps a port, in lower case and without a path), or *"

# Of a list: one entry.
DESCRIBED: Final[Mapping[str, Words]] = {
    "kafka.bootstrap_servers": Words("host:port, or several separated by commas", "kafka-1:9092,kafka-2:9092"),
    "kafka.records_topic": Words(_TOPIC, "tallymill.records"),
    "kafka.analytics_topic": Words(_TOPIC, "tallymill.analytics"),
    "mongodb.uri": Words("a connection string of MongoDB", "mongodb://mongodb-1:27017/?replicaSet=rs0"),
    "mongodb.database": Words("1 to 63 letters, digits, hyphens or underscores", "tallymill"),
    "tokens.issuer": Words("the text of the claim iss", "https://issuer.example"),
    "tokens.audience": Words("the text of the claim aud", "tallymill"),
    "tokens.jwks": Words("a file, an http(s) URL or a set of keys in JSON", "https://issuer.example/jwks.json"),
    "tokens.introspection_url": Words("an https:// URL", "https://issuer.example/introspect"),
    "tokens.anonymous_apps": Words(f"{_APP}, or *", "demo"),
    "tokens.session_apps": Words(_APP, "demo"),
    "ingress.public_url": Words(f"{_URL} without a query", "https://events.example"),
    "ingress.cors_origins": Words(_ORIGIN, "https://game.example"),
    "ingress.trusted_proxies": Words("a network", "10.0.0.0/8"),
    "console.cors_origins": Words(_ORIGIN, "https://dashboard.example"),
    "console.public_url": Words("an https:// URL without a path", "https://counts.example"),
    "oidc.issuer": Words("an https:// URL", "https://issuer.example"),
    "oidc.scopes": Words("scopes separated by spaces, of which the first is openid", "openid profile"),
    "canary.url": Words(f"{_URL} without a query", "https://events.example"),
    "limits.apps": Words("the limits of apps by app id", '{"demo": {"max_titles": 50}}'),
}

_DEFAULTS: Final = {
    f"{section}.{name}": value
    for section, part in Settings()
    for name, value in part
    if value not in (None, ()) and not isinstance(value, Mapping)
}


def allowed(setting: str, kind: Type) -> Words:
    """What may be the value of this type, at or within this setting."""
    if kind.is_list:
        one = allowed(setting, kind.inner())
        example = json.dumps([one.example])
        return Words(
            f"a list of one or more entries, each {one.kind}"
            if _has(kind, MinLen)
            else f"a list of entries, each {one.kind}",
            example,
        )
    if kind.is_table:
        return DESCRIBED.get(setting) or Words("a table of settings", "")
    if setting in DESCRIBED and kind.base not in (int, float, bool):
        return DESCRIBED[setting]
    default = _DEFAULTS.get(setting)
    return Words(_words(kind), str(default).lower() if isinstance(default, bool) else _text(default) or _example(kind))


def _text(default: object) -> str:
    return "" if default is None or isinstance(default, tuple) else str(default)


def _words(kind: Type) -> str:
    if get_origin(kind.base) is Literal:
        *others, last = get_args(kind.base)
        return f"{', '.join(others)} or {last}" if others else last
    if kind.base is bool:
        return "true or false"
    if kind.base in (int, float):
        number = "a whole number" if kind.base is int else "a number"
        return " ".join(filter(None, (number, _bounds(kind))))
    least = next((one.min_length for one in kind.limits if isinstance(one, MinLen)), 0)
    if least > 1:
        return f"a text of {least} characters or more"
    return "a text that is not empty" if least else "a text"


def _bounds(kind: Type) -> str:
    low = [(type(one), one) for one in kind.limits if type(one) in LOWER]
    high = [(type(one), one) for one in kind.limits if type(one) in UPPER]
    if low and high and isinstance(low[0][1], Ge) and isinstance(high[0][1], Le):
        return f"from {low[0][1].ge} to {high[0][1].le}"
    words = [LOWER[each].format(_number(one)) for each, one in low]
    words += [UPPER[each].format(_number(one)) for each, one in high]
    return " and ".join(words)


def _number(bound: object) -> Any:  # noqa: ANN401 a number
    return next(
        value for value in (getattr(bound, name, None) for name in ("ge", "gt", "le", "lt")) if value is not None
    )


def _has(kind: Type, limit: type) -> bool:
    return any(isinstance(one, limit) for one in kind.limits)


def _example(kind: Type) -> str:
    if get_origin(kind.base) is Literal:
        return str(get_args(kind.base)[0])
    if kind.is_secret:
        return KEY_EXAMPLE if _has(kind, MinLen) else ""
    if kind.base in (int, float):
        return str(_lowest(kind))
    return ""


def _lowest(kind: Type) -> object:
    """A number that is allowed."""
    return next((_number(one) for one in kind.limits if isinstance(one, Ge)), 1)
