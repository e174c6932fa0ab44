"""Who is away, and what becomes of their homes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.shared.people import listed
from swarmhub.errors import StepError
from swarmhub.notebooks.files import Content
from swarmhub.notebooks.leaving import Archive, LeavingHome
from swarmhub.people import away
from swarmhub.people.away import AwayHome, StillAway
from swarmhub.people.users import HubPeople
from tests.unit.support.fakes import DOMAIN, WORKER1, WORKER2

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(days=180)


def user(name: str, days: int | None, made: int = 900) -> dict[str, Any]:
    """Return somebody as the hub's API gives them: last seen and added so many days ago."""
    at = {"created": (NOW - timedelta(days=made)).isoformat(), "last_activity": None}
    return {"name": name, **at, **({} if days is None else {"last_activity": (NOW - timedelta(days=days)).isoformat()})}


def home(user: str, days: int = 0, host: str = WORKER1) -> LeavingHome:
    """Return somebody's home, in which something was changed so many days ago."""
    content = Content(3, 2_000_000, (NOW - timedelta(days=days)).timestamp())
    return LeavingHome(user, user, host, {}, content, volume=f"jupyterhub-home-{user}")


KNOWN = {one["name"]: one for one in (user("ada", 200), user("grace", 2), user("hopper", None, 300), user("new", None, 3))}


def test_who_never_logged_in_counts_from_when_they_were_added() -> None:
    """Whom the hub does not know is told by the files."""
    assert away.gone(["new", "hopper", "grace", "ada", "zuse"], KNOWN, BEFORE) == ["ada", "hopper", "zuse"]


def test_homes_are_listed_the_longest_unused_first() -> None:
    """Not those whose servers run, nor of somebody unknown who has changed a file since."""
    homes = [home("ada"), home("hopper"), home("zuse", 400), home("turing", 100), home("knuth", 500)]
    known = {**KNOWN, "knuth": user("knuth", 500)}
    found = away.of(homes, known, ["knuth"], BEFORE)
    assert [(one.home.user, one.is_known) for one in found] == [("zuse", False), ("hopper", True), ("ada", True)]


def test_the_list_has_node_size_and_what_is_saved() -> None:
    """For people, and for machines."""
    found = [
        AwayHome(home("ada"), NOW - timedelta(days=200), saved=NOW, archived=NOW - timedelta(days=1)),
        AwayHome(home("zuse", host=WORKER2), NOW - timedelta(days=400), is_known=False),
    ]
    assert away.rows(found, NOW) == [
        ("ada", "200 d ago", "jupyterhub-home-ada", WORKER1, "2 MB", "2026-11-30", "2026-11-29"),
        ("zuse", "not in the hub; files 400 d old", "jupyterhub-home-zuse", WORKER2, "2 MB", "-", "-"),
    ]
    told = away.as_json(found)
    assert [(one["name"], one["in_hub"], one["saved"] is not None, one["bytes"]) for one in told] == [
        ("ada", True, True, 2_000_000),
        ("zuse", False, False, 2_000_000),
    ]


def test_homes_are_saved_on_all_nodes_at_once() -> None:
    """And freed where that is asked for; the question says how one comes back."""
    found = [AwayHome(home("ada"), NOW), AwayHome(home("zuse", host=WORKER2), NOW)]
    to = Archive("the repository", lambda *_: None)
    plan = away.plan(found, to, None)
    assert ([one.verb for one in plan.changes], plan.at_once) == (["save", "save"], True)
    freeing = away.plan(found, to, lambda *_: None)
    assert [one.sentence for one in freeing.changes] == [
        f"save and free the home of ada, 2.0 MB, to the repository on {WORKER1}",
        f"save and free the home of zuse, 2.0 MB, to the repository on {WORKER2}",
    ]
    assert away.question(found) == (
        "Then 2 homes will be in the archive only. One comes back by: fab restore --home NAME. Go on?"
    )


def test_who_comes_back_meanwhile_is_noticed() -> None:
    """Who was seen, and who was added again; not who is as before, or still unknown."""

    class Api:
        host = DOMAIN

        def find(self, path: str) -> Any:
            return {**KNOWN, "zuse": user("zuse", None, 0)}.get(path.removeprefix("users/"))

    check = StillAway(Api(), BEFORE)  # type: ignore[arg-type]  # the part of it that is needed
    for name in ("ada", "hopper", "nobody"):
        check(name)
    for name in ("grace", "zuse"):
        with pytest.raises(StepError, match=f"{name} has come back meanwhile; the home is saved, and not freed"):
            check(name)


def test_everybody_includes_whom_the_hub_has_forgotten() -> None:
    """Their folders are still there."""
    files = {listed.CURRENT: "ada\n", listed.LET_IN: "ada\ngrace\n", listed.DELETED: "hopper\n", listed.BY_PROVIDER: "knuth\n"}
    found = HubPeople(listed.read(files), {"turing": user("turing", 1)})
    assert away.everybody(found) == {"ada", "grace", "hopper", "knuth", "turing"}
