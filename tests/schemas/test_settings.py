"""Limits per app: which can be set, and which apply."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.requirements import max_record_bytes
from schemas.settings import Limits, LimitSettings


def problems(**limits: Any) -> dict[str, str]:  # noqa: ANN401 what a file may hold
    with pytest.raises(ValidationError) as caught:
        LimitSettings.model_validate(limits)
    return {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}


def test_an_app_has_its_own_limits_and_of_the_rest_everybodys() -> None:
    """Everybody's as they are set, not the defaults."""
    limits = LimitSettings.model_validate(
        {"max_update_count": 7, "apps": {"demo": {"max_period_seconds": 60, "max_body_bytes": 2_048}}}
    )
    demo = limits.for_app("demo")
    assert (60, 2_048, 7) == (demo.max_period_seconds, demo.max_body_bytes, demo.max_update_count)
    assert limits.for_app("other") is limits
    assert limits.for_app("Demo") is limits, "app ids are case-sensitive"
    assert (limits, demo) == limits.everyones()


def test_limits_that_know_no_apps_are_everybodys() -> None:
    """So that judges take one app's limits, or all of them."""
    limits = Limits(max_update_count=7)
    assert limits.for_app("demo") is limits
    assert (limits,) == limits.everyones()


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ({"max_period_seconds": 0}, "max_period_seconds"),
        ({"max_period_seconds": 5}, "max_period_seconds"),
        ({"min_period_seconds": 86_401}, "max_period_seconds"),
        ({"max_update_count": 2_000_000_000}, "max_update_count"),
        ({"max_boddy": 1}, "max_boddy"),
        ({"max_body_bytes": (1 << 20) + 1}, "max_body_bytes"),
        ({"dedupe_window_seconds": 60}, "dedupe_window_seconds"),
        ({"apps": {}}, "apps"),
    ],
)
def test_a_wrong_limit_of_an_app_is_named(own: dict[str, int], name: str) -> None:
    """With its app; a contradiction with everybody's limits is one too."""
    assert {f"apps.demo.{name}"} == problems(min_period_seconds=10, apps={"demo": own}).keys()


@pytest.mark.parametrize("app", ["de.mo", "", "a/b", "x" * 65, "demo\n"])
def test_an_app_that_no_token_can_name_is_refused(app: str) -> None:
    """It would be a misspelt one."""
    assert {f"apps.{app}.[key]"} == problems(apps={app: {}}).keys()


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """In everybody's limits and in two apps'; what contradicts a wrong limit is not known."""
    found = problems(max_body_bytes=1, apps={"a": {"max_lag_seconds": 0}, "b": 7, "c": {"max_body_bytes": 1 << 21}})
    assert {"max_body_bytes", "apps.a.max_lag_seconds", "apps.b"} == found.keys()
    both = problems(apps={"a": {"max_body_bytes": 1 << 21, "dedupe_window_seconds": 60}})
    assert {"apps.a.max_body_bytes", "apps.a.dedupe_window_seconds"} == both.keys()


def test_periods_need_some_length_that_is_allowed() -> None:
    """Also where only one of the two limits is set."""
    assert {"max_period_seconds"} == problems(min_period_seconds=90_000).keys()


def test_b8_the_largest_record_is_that_of_the_app_that_may_send_most() -> None:
    """B8: what an ingress may refuse of a batch travels with it, so Kafka's message size follows from every app."""
    limits = LimitSettings.model_validate({"apps": {"bulk": {"max_updates_per_request": 100_000}}})
    assert max_record_bytes(limits) == max_record_bytes(Limits(max_updates_per_request=100_000))
    assert max_record_bytes(LimitSettings()) == max_record_bytes(Limits())
