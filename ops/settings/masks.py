"""The settings as `tallymill config` shows them. Pure."""

from typing import Any

from pydantic import BaseModel, SecretStr

from schemas.masks import masked_url


def shown(settings: BaseModel) -> dict[str, dict[str, Any]]:
    """The settings by section, with secrets masked, also those within URLs and sets of keys."""
    found = {}
    for section, part in settings:
        plain = part.model_dump(mode="json")
        found[section] = {name: _shown(value, plain[name]) for name, value in part}
    return found


def _shown(value: object, plain: object) -> Any:  # noqa: ANN401 JSON
    """`plain`: the value as JSON, in which secrets are masked."""
    if isinstance(value, SecretStr):
        return str(value)
    if isinstance(plain, list):
        return [masked_url(one) if isinstance(one, str) else one for one in plain]
    return masked_url(plain) if isinstance(plain, str) else plain
