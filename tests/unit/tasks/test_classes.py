"""The tasks for a class as they are typed, on a cluster in memory."""

from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from swarmhub.errors import StepError
from swarmhub.people import api as hub_api
from swarmhub.people import starts
from swarmhub.status import machine
from swarmhub.status.machine import Machine
from tests.unit.support.cluster import NODES, Hosts, Type, changes
from tests.unit.support.fakes import DOMAIN, MANAGER, WORKER1, home_volume, once

GB = 1 << 30


class Hub:
    """A hub that knows Ada."""

    host = DOMAIN

    def users(self) -> list[Any]:
        return [{"name": "ada", "groups": []}]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], int]]:
    """Let the hub's API answer; return which servers were started, and how many at a time."""
    started: list[tuple[list[str], int]] = []

    def start_all(api: Hub, names: list[str], most: int, say: Any) -> dict[str, StepError]:
        started.append((names, most))
        return {}

    monkeypatch.setattr(hub_api, "connect", lambda _: Hub())
    monkeypatch.setattr(starts, "start_all", start_all)
    return started


@pytest.fixture
def roster(hosts: Hosts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a roster of Ada and Grace; each node has 4 GB of memory."""
    (folder / "class.csv").write_text("name,group\nada,\ngrace,\n")
    answers = hosts[MANAGER].engine.answers
    resources = {"MemoryBytes": 4 * GB, "NanoCPUs": 4_000_000_000}
    for node in answers["GET /nodes"]:
        node["Description"]["Resources"] = resources
    answers["GET /tasks"] = []
    monkeypatch.setattr(machine, "observe", lambda host, root: Machine(0.1, 4, GB, 4 * GB, 10 * GB, 100 * GB))
    return "class.csv"


def test_a_class_that_fits_is_told_so(
    type_: Type, hosts: Hosts, roster: str, hub: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the images pulled before; nothing is started unasked."""
    type_("class-prepare", roster=roster)
    said = capsys.readouterr().out
    assert "class      enough: 2 servers fit" in said
    assert "class      may not log in: grace" in said
    assert said.index("images ") < said.index("NODE ")
    assert (hub, changes(hosts)) == ([], [])


def test_a_class_that_does_not_fit_fails(
    type_: Type, folder: Path, roster: str, hub: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is started."""
    text = (folder / "hosts.toml").read_text()
    (folder / "hosts.toml").write_text(text.replace("[notebook]", '[notebook]\nmemory_guarantee = "5G"'))
    with pytest.raises(Exit) as failed:
        type_("class-prepare", roster=roster, start=True, yes=True)
    assert (failed.value.code, "not enough: 2 of 2 servers do not fit" in capsys.readouterr().out, hub) == (1, True, [])


def test_servers_start_of_those_whom_the_hub_knows(type_: Type, roster: str, hub: list[Any]) -> None:
    """After a question; to make a server for somebody else would let them in."""
    with pytest.raises(Exit, match="Start 1 server, 4 at a time"):
        type_("class-prepare", roster=roster, start=True)
    assert hub == []
    type_("class-prepare", roster=roster, start=True, yes=True, at_once=7)
    assert hub == [(["ada"], 7)]


def test_a_start_that_fails_is_told_with_its_user(
    type_: Type, roster: str, hub: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with the hub's own reason."""
    error = StepError(DOMAIN, "No node has 4 GB of memory free.", "Its log: fab logs")
    monkeypatch.setattr(starts, "start_all", lambda *_: {"ada": error})
    with pytest.raises(Exit, match=f"{DOMAIN}: class-prepare: ada has no server: No node has 4 GB of memory free. Its log"):
        type_("class-prepare", roster=roster, start=True, yes=True)


def test_the_room_can_be_told_without_a_hub(
    type_: Type, roster: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first deploy; to start servers takes a hub, and the error is the hub's."""

    def refuse(_: Any) -> None:
        raise StepError(MANAGER, "service jupyterhub does not run", "Its log: fab logs")

    monkeypatch.setattr(hub_api, "connect", refuse)
    type_("class-prepare", roster=roster)
    said = capsys.readouterr().out
    assert ("the hub does not run" in said, "enough: 2 servers fit" in said) == (True, True)
    with pytest.raises(Exit, match="service jupyterhub does not run"):
        type_("class-prepare", roster=roster, start=True, yes=True)


@pytest.mark.parametrize("task", ["class-prepare", "class-archive"])
def test_a_roster_with_mistakes_is_told_before_anything_is_asked(type_: Type, hosts: Hosts, folder: Path, task: str) -> None:
    """All of them, with their lines."""
    (folder / "class.csv").write_text("name\na b\nada\nada\n")
    with pytest.raises(Exit, match=r"class\.csv:2: (.|\n)*class\.csv:4: 'ada' is on line 3 already") as wrong:
        type_(task, roster="class.csv")
    assert (wrong.value.code, [host.engine.requests for host in hosts.values()]) == (2, [[], [], []])


@pytest.fixture
def homes(hosts: Hosts, roster: str) -> None:
    """Give Ada a home on the first worker."""
    labels = {"swarmhub.home": "jupyterhub", "swarmhub.user": "ada", "swarmhub.node": NODES[WORKER1]}
    manager = hosts[MANAGER].engine
    manager.configs.kept["c9"] = {
        "ID": "c9",
        "UpdatedAt": "x",
        "Spec": {"Name": "jupyterhub-home-ada", "Labels": labels, "Data": "e30="},
    }
    for host in hosts.values():
        host.engine.answers["GET /volumes"] = {"Volumes": []}
    counting = once('{"/srv/homes/ada": {"files": 3, "bytes": 2000}}')
    hosts[WORKER1].engine.answers |= counting | {"GET /volumes": {"Volumes": [home_volume("ada")]}}


@pytest.mark.usefixtures("homes")
def test_an_archive_is_asked_for_first(
    type_: Type, hosts: Hosts, roster: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names and sizes stand above the question; unasked nothing is saved or freed."""
    with pytest.raises(Exit, match="Then 1 home will be on this machine only") as asked:
        type_("class-archive", roster=roster)
    said = capsys.readouterr().out
    assert (asked.value.code, "no home: grace" in said, "save and free the home of ada, 2.0 kB" in said) == (2, True, True)
    assert ("c9" in hosts[MANAGER].engine.configs.kept, (folder / "archives").exists()) == (True, False)


@pytest.mark.usefixtures("roster")
def test_a_roster_without_homes_has_nothing_to_save(
    type_: Type, hosts: Hosts, roster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is asked."""
    for host in hosts.values():
        host.engine.answers["GET /volumes"] = {"Volumes": None}
    type_("class-archive", roster=roster)
    assert "class-archive nobody on the roster has a home" in capsys.readouterr().out
