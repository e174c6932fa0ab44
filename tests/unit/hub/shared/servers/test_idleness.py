"""When a server stops: what counts as its use, and how far it can be put off."""

from dataclasses import replace
from typing import Any

import pytest

from hub.shared.servers import idleness
from hub.shared.servers.idleness import Use

H = 3600.0
CULLING: dict[str, Any] = {
    **{"idle": H, "open_page": 8 * H, "warn": 600, "keep": H, "keep_at_most": 3 * H},
    **{"except_users": ["root"], "except_groups": ["staff"]},
}


@pytest.mark.parametrize(
    ("use", "changed", "at"),
    [
        (Use(0, 10), {}, 10 + H),
        # With a page open, something comes all the time.
        (Use(0, 9 * H, used=2 * H), {}, 10 * H),
        (Use(0, 12 * H, used=2 * H), {}, 10 * H),
        (Use(0, 12 * H, used=2 * H), {"idle": 24 * H}, 26 * H),
        (Use(0, 9 * H, used=9 * H), {"max_age": 5 * H}, 5 * H),
        (Use(0, 10, kept=2 * H), {}, 2 * H),
        (Use(0, 4 * H, kept=2 * H), {}, 5 * H),
    ],
)
def test_a_server_stops_so_long_after_its_use(use: Use, changed: dict[str, float], at: float) -> None:
    """Without a page after `idle`, with one that nobody touches after `open_page`; for its age; not before it is kept until."""
    assert idleness.stop(CULLING | changed, use).at == at


def test_it_can_be_put_off_up_to_the_limit() -> None:
    """By an hour each time and three in all, when the stop is soon; a real use in between begins anew."""
    use, ends = Use(0, 0), list[float]()
    for _ in range(5):
        use = idleness.kept(CULLING, use, idleness.stop(CULLING, use).at - 60)
        ends.append(idleness.stop(CULLING, use).at / H)
    assert ends == [2, 3, 4, 4, 4]
    worked = replace(use, active=3.5 * H)
    assert idleness.stop(CULLING, idleness.kept(CULLING, worked, 4.45 * H)).at == 5.5 * H


def test_what_does_not_stop_soon_is_not_put_off() -> None:
    """Or clicks at the beginning would add up."""
    assert idleness.kept(CULLING, Use(0, 0), H - 601) == Use(0, 0)


def test_a_stop_for_the_age_says_so_and_can_be_put_off_too() -> None:
    """Whatever happens in it; the limit counts from the end of the age."""
    found = idleness.stop(CULLING | {"max_age": 2 * H}, Use(0, 3 * H, used=3 * H, kept=4.5 * H))
    assert (found.is_aged, found.at, found.later) == (True, 4.5 * H, 5 * H)
    assert not idleness.stop(CULLING, Use(0, 0)).is_aged


@pytest.mark.parametrize(("user", "groups", "excepted"), [("root", [], True), ("ada", ["staff"], True), ("ada", ["ml"], False)])
def test_some_are_never_stopped(user: str, groups: list[str], excepted: bool) -> None:
    """By name, or as members of a group."""
    assert idleness.is_excepted(CULLING, user, groups) is excepted


@pytest.mark.parametrize(("idle", "seconds"), [(H, 60.0), (40, 10.0), (1, 1.0)])
def test_a_server_says_often_enough_how_it_is_used(idle: float, seconds: float) -> None:
    """Once a minute; sooner where it would be stopped before the hub knows."""
    assert idleness.told_every(CULLING | {"idle": idle}) == seconds
