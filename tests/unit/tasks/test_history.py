"""What was done, who is at it, and the way back, as they are typed."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from invoke.exceptions import Exit

from swarmhub.engine.swarm import configs
from swarmhub.history import entries as history
from swarmhub.history import lock, releases
from swarmhub.history.lock import Lease
from swarmhub.run import run as runs
from swarmhub.run import task
from swarmhub.run.report import Report
from swarmhub.settings import Settings
from tests.unit.support import cluster
from tests.unit.support.cluster import Hosts, Type
from tests.unit.support.fakes import MANAGER, NOW, WORKER1, Clock, Request

GRACE = {"who": "grace@lap", "since": NOW.isoformat(), "what": "certs"}
SERVICE = "GET /services/jupyterhub"
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def held(hosts: Hosts) -> Iterator[Lease]:
    """Let somebody else hold the lock."""
    lease, _ = lock.take(hosts[MANAGER], GRACE)
    yield lease
    lease._over.set()


def entries(hosts: Hosts) -> list[tuple[str, str]]:
    """Return who did what, and how that ended."""
    return [(entry.command, entry.ended) for entry in history.observe(hosts[MANAGER], "jupyterhub")]


def test_a_run_is_in_the_history_when_it_has_ended(type_: Type, hosts: Hosts) -> None:
    """What was typed and how it ended."""
    hosts[MANAGER].engine.answers["GET /networks"] = []
    type_("network")
    task.finish(None)
    assert entries(hosts) == [("network", "done")]


def test_a_run_with_nothing_to_change_leaves_no_entry_and_runs_no_git(
    type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deploy by cron every few minutes does not push what was done out of the history."""
    monkeypatch.setattr("swarmhub.history.author.subprocess.run", lambda *_, **__: pytest.fail("git was run"))
    type_("network")
    task.finish(None)
    asked = [one for host in hosts.values() for one in host.engine.requests if one.method != "GET"]
    assert (entries(hosts), asked) == ([], [])


@pytest.mark.parametrize("name", ["check", "nodes", "plan", "history", "releases", "unlock"])
def test_what_only_asks_leaves_no_entry(type_: Type, hosts: Hosts, name: str) -> None:
    """The history is of what was to change something."""
    type_(name)
    task.finish(None)
    assert entries(hosts) == []


def test_the_history_is_told_with_who_is_at_it(type_: Type, held: Lease, capsys: pytest.CaptureFixture[str]) -> None:
    """What is being done comes first."""
    type_("history")
    assert capsys.readouterr().out.startswith("now        held by grace@lap")


def test_the_history_for_machines_is_json(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """Every entry with all its fields."""
    entry = history.Entry(NOW.isoformat(), 1.5, "ada@desk", "", "deploy", ("create x on y",), "done")
    history.write(hosts[MANAGER], "jupyterhub", entry)
    type_("history", json=True)
    assert json.loads(capsys.readouterr().out) == [asdict(entry) | {"changes": ["create x on y"]}]


def test_a_lock_that_nobody_holds_is_not_taken_away(type_: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to ask."""
    type_("unlock")
    assert capsys.readouterr().out == "unlock     nobody holds the lock\n"


@pytest.mark.usefixtures("held")
def test_a_lock_is_taken_away_with_yes_only(type_: Type, hosts: Hosts) -> None:
    """Where nobody can answer it stays; once it is free, the history tells whose run that was and who has ended it."""
    with pytest.raises(Exit) as asked:
        type_("unlock")
    assert (asked.value.code, lock.observe(hosts[MANAGER]) is not None) == (2, True)
    type_("unlock", yes=True)
    ((command, ended),) = entries(hosts)
    assert (lock.observe(hosts[MANAGER]), command, ended.startswith("unlocked by ")) == (None, "certs", True)


@pytest.mark.usefixtures("held")
def test_a_lock_that_has_passed_on_meanwhile_stays(type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the question stood on the screen somebody else took it: theirs is not taken away."""

    def agree(*_: Any) -> None:
        hosts[MANAGER].engine.configs.kept.clear()
        lock.take(hosts[MANAGER], GRACE | {"who": "joan@lab"})[0]._over.set()

    monkeypatch.setattr(runs.Run, "agree", agree)
    type_("unlock")
    holder = lock.observe(hosts[MANAGER])
    assert holder is not None
    assert holder.who == "joan@lab"


def test_releases_are_a_table_with_a_star_at_what_runs(type_: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """The deployed cluster has one; machines get its settings and spec, too."""
    type_("releases")
    heads, row = capsys.readouterr().out.splitlines()
    assert (heads.split()[:2], row.split()[:2]) == (["RELEASE", "MADE"], ["*", "1"])
    type_("releases", json=True)
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["number"], found["settings"]["hub"]["port"], found["spec"]["Name"]) == (1, 443, "jupyterhub")


@pytest.fixture
def second(type_: Type, hosts: Hosts, given: Settings, clock: Clock) -> None:
    """Let a second release run: another userlist."""
    manager = hosts[MANAGER].engine
    first = manager.answers[SERVICE]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    given.hub.userlist.write_text("ada admin\ngrace\n")

    def update(request: Request) -> None:
        manager.answers[SERVICE] |= {"Spec": request.body}

    def build(request: Request) -> list[Any]:
        manager.answers[f"GET /images/{request.params['t']}/json"] = {"Id": "sha256:new"}
        return []

    # A way back asks for the notebook image by its digest.
    for host in hosts.values():
        image = host.engine.answers[f"GET /images/{given.notebook.image}/json"]
        pinned = f"{given.notebook.image.rpartition(':')[0]}@{cluster.DIGEST}"
        host.engine.answers[f"GET /images/{pinned}/json"] = image
    manager.answers |= {"POST /services/s1/update": update, "POST /build": build}
    for step in ("build-hub", "service"):
        type_(step)
    task.finish(None)
    task._current.clear()
    assert manager.answers[SERVICE]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] != first


def numbers(hosts: Hosts) -> list[tuple[int, str]]:
    """Return the releases, with their images' places among them."""
    known = releases.observe(hosts[MANAGER], "jupyterhub")
    images = list(dict.fromkeys(one.hub_image for one in known))
    return [(one.number, "ab"[images.index(one.hub_image)]) for one in known]


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("release", [None, "1"])
def test_a_rollback_brings_the_release_back_as_a_new_one(type_: Type, hosts: Hosts, release: str | None) -> None:
    """The one before the last, or the one named."""
    type_("rollback", release=release, yes=True)
    assert numbers(hosts) == [(1, "a"), (2, "b"), (3, "a")]


@pytest.mark.usefixtures("second")
def test_a_rollback_to_what_runs_changes_nothing(type_: Type, hosts: Hosts) -> None:
    """There is nothing to go back to."""
    before = cluster.changes(hosts)
    type_("rollback", release="2")
    new = [call for call in cluster.changes(hosts)[len(before) :] if "/containers" not in call]
    assert (new, numbers(hosts)) == ([], [(1, "a"), (2, "b")])


@pytest.mark.usefixtures("second")
def test_a_deploy_after_a_rollback_goes_forward_again(type_: Type, hosts: Hosts) -> None:
    """hosts.toml and the userlist are as they were."""
    type_("rollback", yes=True)
    task._current.clear()
    hosts[MANAGER].engine.configs.pass_(lock.EXPIRES_SECONDS + 1)
    hosts[MANAGER].engine.answers["GET /info"]["SystemTime"] = hosts[MANAGER].engine.configs.time
    type_("service")
    assert numbers(hosts) == [(1, "a"), (2, "b"), (3, "a"), (4, "b")]


def test_a_rollback_that_is_typed_wrong_changes_nothing(type_: Type, hosts: Hosts) -> None:
    """Without an earlier release those that are known are named; a worker given with -H is none to go back on."""
    for named, wrong in (((), "there is no release before this one; known: 1"), ((WORKER1,), "that is a worker")):
        with pytest.raises(Exit, match=wrong) as ended:
            type_("rollback", *named)
        assert (ended.value.code, cluster.changes(hosts)) == (2, [])


@pytest.mark.usefixtures("second")
def test_a_rollback_on_a_locked_cluster_is_refused(type_: Type, hosts: Hosts, held: Lease) -> None:
    """Somebody else is at it."""
    with pytest.raises(Exit, match="the cluster is locked by grace@lap"):
        type_("rollback", yes=True)
    assert numbers(hosts) == [(1, "a"), (2, "b")]


@pytest.mark.usefixtures("second")
def test_a_rollback_that_somebody_was_faster_than_changes_nothing(
    type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the question stood on the screen another release was made: the copy of the database from before it stays."""

    def deploy(*_: Any) -> bool:
        last = releases.observe(hosts[MANAGER], "jupyterhub")[-1]
        data = {key: value for key, value in asdict(last).items() if key != "id"} | {"number": 3}
        configs.create(hosts[MANAGER], "jupyterhub-release-3", {releases.LABEL: "jupyterhub"}, data)
        return True

    monkeypatch.setattr(Report, "is_terminal", True)
    monkeypatch.setattr(Report, "ask", deploy)
    before = len(copies(hosts))
    with pytest.raises(Exit, match="the cluster has changed since the plan was shown"):
        type_("rollback")
    assert copies(hosts)[before:] == []


def copies(hosts: Hosts) -> list[str]:
    """Return the copies of the database that were made."""
    bodies = [request.body for request in hosts[MANAGER].engine.requests if str(request) == "POST /containers/create"]
    return [body["Cmd"][-1] for body in bodies if body["Cmd"][0] == "copy"]
