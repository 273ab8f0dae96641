"""How often one player may send (G17)."""

from hypothesis import given
from hypothesis import strategies as st

from ingress.http.rate_limit import AppRates, MovingWindow
from schemas.settings import Limits, LimitSettings


def test_g17_the_window_moves() -> None:
    rates = MovingWindow(2, 10)
    assert [rates.wait_seconds("a", now) for now in (0, 4, 5, 9.5)] == [0, 0, 5, 0.5]
    assert rates.wait_seconds("a", 10) == 0
    assert rates.wait_seconds("a", 13) == 1


def test_g17_one_players_rate_is_not_anothers() -> None:
    rates = MovingWindow(1, 10)
    assert [rates.wait_seconds(actor, 0) for actor in ("a", "b", "a")] == [0, 0, 10]


def test_what_has_left_the_window_costs_nothing() -> None:
    rates = MovingWindow(5, 10)
    for number in range(100):
        rates.wait_seconds(f"player {number}", number)
    assert len(rates) == 10
    assert len(rates._by_sender) == 10


def test_past_what_can_be_held_the_oldest_are_forgotten() -> None:
    rates = MovingWindow(1, 1_000, max_held=3)
    for number in range(10):
        assert rates.wait_seconds(f"player {number}", number) == 0
    assert len(rates) == 3
    assert rates.wait_seconds("player 0", 10) == 0


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from("ab")), max_size=60), st.integers(1, 4))
def test_g17_no_window_ever_holds_more_than_allowed(gaps: list[tuple[float, str]], allowed: int) -> None:
    rates, now = MovingWindow(allowed, 10), 0.0
    passed: list[tuple[float, str]] = []
    for gap, actor in gaps:
        now += gap
        wait = rates.wait_seconds(actor, now)
        recent = [at for at, who in passed if who == actor and at > now - 10]
        assert (wait == 0) == (len(recent) < allowed)
        if wait == 0:
            passed.append((now, actor))


def test_g17_each_player_is_held_to_the_rate_of_its_app() -> None:
    apps = {"slow": {"max_requests_per_player": 1}, "late": {"player_window_seconds": 100}}
    limits = LimitSettings.model_validate({"max_requests_per_player": 2, "player_window_seconds": 10, "apps": apps})
    windows = {app: AppRates(limits).window(limits.for_app(app)) for app in ("slow", "late", "demo")}
    waits = {app: [one.wait_seconds(f"{app}/ann", now) for now in (0, 1, 2)] for app, one in windows.items()}
    assert {"slow": [0, 9, 8], "late": [0, 0, 98], "demo": [0, 0, 8]} == waits


def test_apps_with_the_same_rate_share_a_window() -> None:
    apps = {f"app{n}": {"max_lag_seconds": n + 1} for n in range(20)}
    assert len(AppRates(LimitSettings.model_validate({"apps": apps}))._windows) == 1
    assert len(AppRates(Limits())._windows) == 1
