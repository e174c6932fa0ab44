"""A server says how it is used: who may say it, what the hub makes of it, and what it answers."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hub.api import use as room
from hub.shared.servers.idleness import Use
from swarmhub.settings import handed
from tests.unit.support.fakes import settings

NOW = 1_800_000_000.0
H = 3600.0


def culling(**table: Any) -> Any:
    """Return the table as the hub has it."""
    return handed.tables(settings(culling=table))["culling"]


@pytest.mark.parametrize(
    ("said", "use"),
    [
        ({"unused": 60}, Use(0, NOW - 60, NOW - 60)),
        ({"unused": 4 * H, "unseen": 10}, Use(0, NOW - 10, NOW - 2 * H)),
        ({"unused": -500}, Use(0, NOW, NOW)),
        ({"unused": "x", "unseen": True}, Use(0, NOW - H, NOW - 2 * H)),
        ({}, Use(0, NOW - H, NOW - 2 * H)),
    ],
)
def test_what_a_server_says_never_takes_back_what_is_known(said: dict[str, Any], use: Use) -> None:
    """And nothing lies in the future; what is no number says nothing."""
    assert room.told(Use(0, NOW - H, NOW - 2 * H), said, NOW) == use


def test_a_server_that_says_nothing_of_its_use_has_none_kept() -> None:
    """Such as the hub's own page, which only asks to keep it: it would count as unused for ever."""
    assert room.told(Use(0, NOW), {"keep": True}, NOW).used is None


def test_people_are_told_before_the_stop() -> None:
    """When, why, and whether it can be put off."""
    found = culling(warn="10m", open_page="1h")
    assert room.notice(found, Use(0, NOW, NOW - H + 601), NOW) is None
    assert room.notice(found, Use(0, NOW, NOW - H + 540), NOW) == {"in": 540, "why": "idle", "keep": True}
    aged = culling(max_age="1h", keep="1h", keep_at_most="1h")
    assert room.notice(aged, Use(NOW - 2 * H, NOW, NOW, NOW + 60), NOW) == {"in": 60, "why": "age", "keep": False}


def user(spawner: Any, *groups: str) -> Any:
    """Return a user with one server."""
    return SimpleNamespace(name="ada", groups=[SimpleNamespace(name=one) for one in groups], spawners={"": spawner})


def spawner(**table: Any) -> Any:
    """Return a server that was used last half an hour ago, by what the hub knows."""
    at = datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None)
    kept = SimpleNamespace(started=at - timedelta(hours=2), last_activity=at - timedelta(minutes=55))
    return SimpleNamespace(name="", ready=True, tables={"culling": culling(**table)}, use={}, orm_spawner=kept)


def test_the_hubs_page_says_when_a_server_stops() -> None:
    """For servers that show no notice; nothing of those that are never stopped, and nothing before somebody has logged in."""
    assert room.stops(user(spawner())) == [{"name": "", "minutes": 5, "keep": True}]
    assert room.stops(user(spawner(idle="2h"))) == [{"name": "", "minutes": 65, "keep": False}]
    assert room.stops(user(spawner(enabled=False))) == room.stops(user(spawner(except_groups=["staff"]), "staff")) == []
    assert room.stops(None) == []
