"""The routes of the console's page: its session, and dead letters to redrive."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

MAX_REDRIVEN = 1_000
_ID_PATTERN = r"^[^/]{1,64}/[0-9]{1,10}/[0-9]{1,20}$"


class _Wire(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class SessionReply(_Wire):
    """Who asks. All but the first two are null or empty without a token and a session."""

    signed_in: bool
    sign_in: Annotated[
        tuple[Literal["oidc", "token"], ...],
        Field(description="How one can sign in: at the issuer (`/login`), or with a bearer token."),
    ]
    subject: str | None = None
    app: str | None = None
    scopes: Annotated[tuple[str, ...], Field(description="Those that the console knows.")] = ()
    expires_at: datetime | None = None
    way: Literal["bearer", "session"] | None = None
    csrf_token: Annotated[
        str | None, Field(description="To be sent as X-CSRF-Token with every POST; null for a bearer token.")
    ] = None


class LinkCode(_Wire):
    """The code of a link that `tallymill link` prints."""

    code: Annotated[str, Field(min_length=1, max_length=200)]


class SignedOut(_Wire):
    """The session is over."""

    end_session_url: Annotated[
        str | None, Field(description="Where the browser can go to sign out at the issuer too.")
    ] = None


class RedriveRequest(_Wire):
    """Which dead letters to produce again: by id, or all whose reason contains `cause`, oldest first."""

    ids: Annotated[
        tuple[Annotated[str, Field(pattern=_ID_PATTERN)], ...] | None, Field(min_length=1, max_length=MAX_REDRIVEN)
    ] = None
    cause: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    dry_run: Annotated[bool, Field(description="Answer what would be done, and do nothing.")] = True
    confirm: Annotated[
        str | None, Field(max_length=100, description="`confirm` of the dry run, as a person has typed it.")
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.ids is None) == (self.cause is None):
            raise ValueError("needs either ids or cause")
        return self


class Skipped(_Wire):
    """A dead letter that can't be produced again, and why."""

    id: str
    reason: str


class RedriveReply(_Wire):
    """What was done, or would be done. `problem`: why it ended early; then send the request again."""

    dry_run: bool
    ids: Annotated[tuple[str, ...], Field(description="The chosen ones. Those redriven before are never among them.")]
    skipped: tuple[Skipped, ...]
    confirm: Annotated[str, Field(description="What a person must type to redrive just these.")]
    redriven: Annotated[int, Field(ge=0)]
    problem: str | None = None
