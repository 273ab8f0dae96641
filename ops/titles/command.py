"""`tallymill titles list / free`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from ops.config import load_settings
from ops.connect import database
from ops.output import EXIT_BAD_INPUT, EXIT_OK, complain, print_table, remark, say
from ops.server_clock import server_now
from ops.titles.store import (
    FREED_AFTER_SECONDS,
    Chosen,
    NoSuchTitle,
    Registered,
    counted_since,
    free,
    titles_of,
    to_free,
)
from schemas.games.judging import matches_id
from schemas.settings import Limits


async def show_list(app: str, hours: int, *, as_json: bool) -> int:
    """Exit status 2 if `app` can't be the name of an app."""
    if not _is_app(app):
        return EXIT_BAD_INPUT
    settings = load_settings()
    async with database(settings) as db:
        found = await titles_of(db, app)
        counted = await counted_since(db, app, hours, await server_now(db))
    shares = _shares(found, settings.limits.for_app(app))
    if as_json:
        shown = [{**asdict(one), "anonymous": one.anonymous, "counted": counted[one.title]} for one in found]
        say(json.dumps({"app": app, "hours": hours, **shares, "titles": shown}, default=datetime.isoformat))
        return EXIT_OK
    rows = [
        (
            one.title,
            one.first,
            "anonymous" if one.anonymous else one.by or "",
            _state(one),
            str(counted[one.title]),
        )
        for one in found
    ]
    print_table(("title", "first record", "by", "state", f"last {hours} h"), rows)
    for name, share in shares.items():
        remark(f"{name}: {share['registered']} of {share['max']} titles")
    return EXIT_OK


def _is_app(app: str) -> bool:
    is_app = bool(matches_id(app))
    if not is_app:
        complain(f"APP {app}: must be 1 to 64 letters, digits, _ or -")
    return is_app


def _shares(found: Sequence[Registered], limits: Limits) -> dict[str, dict[str, int]]:
    live = [one for one in found if one.freed is None]
    anonymous = sum(one.anonymous for one in live)
    return {
        "players": {"registered": len(live) - anonymous, "max": limits.max_titles},
        "anonymous": {"registered": anonymous, "max": limits.max_anonymous_titles},
    }


def _state(one: Registered) -> str:
    if one.freed:
        return f"freed from {one.freed:%Y-%m-%d %H:%M:%S} UTC on"
    return "was anonymous" if one.promoted else ""


@dataclass(frozen=True, slots=True)
class FreeOptions:
    chosen: Chosen
    dry_run: bool


async def free_some(options: FreeOptions, *, as_json: bool) -> int:
    """Exit status 2: nothing is chosen, or a title is not registered. Then none is freed."""
    chosen = options.chosen
    if not _is_app(chosen.app):
        return EXIT_BAD_INPUT
    if chosen.is_nothing:
        complain("Name the titles to free, or use --player or --anonymous")
        return EXIT_BAD_INPUT
    async with database(load_settings()) as db:
        try:
            freed = to_free(chosen, await titles_of(db, chosen.app)) if options.dry_run else await free(db, chosen)
        except NoSuchTitle as error:
            complain("\n".join([*error.problems, "Nothing was freed"]))
            return EXIT_BAD_INPUT
    titles = [one.title for one in freed]
    if as_json:
        say(json.dumps({"app": chosen.app, "dry_run": options.dry_run, "freed": titles}))
    elif options.dry_run:
        say("\n".join([*titles, f"{len(titles)} titles would be freed"]))
    else:
        say(
            f"{len(titles)} titles freed. As many others can be registered now. Existing counts stay. Events with "
            f"these titles count under them for {FREED_AFTER_SECONDS} s more, then as new titles"
        )
    return EXIT_OK
