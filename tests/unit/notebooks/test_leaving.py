"""Which homes are found, and in which order they are freed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from swarmhub.engine.swarm import configs
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import Host
from swarmhub.notebooks import files, homes, leaving
from swarmhub.notebooks.files import Content
from swarmhub.notebooks.homes import HomeRecord
from swarmhub.notebooks.leaving import Archive, Freeing, LeavingHome, LeavingHomes
from swarmhub.settings import Settings
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeProgress, home_volume, server_of, settings

HUB = "jupyterhub"
CONTENT = Content(12, 3_400_000)
RECORD = HomeRecord("c1", f"{HUB}-home-ada", "ada", "n2")
ADA = LeavingHome("ada", "ada", WORKER1, {}, CONTENT, volume=f"{HUB}-home-ada", record=RECORD)
IDS = {MANAGER: "n1", WORKER1: "n2", WORKER2: "n3"}


def config_of(home: LeavingHome) -> str:
    """Return the config that records where a home is."""
    return home.record.config if home.record else ""


class Cluster:
    """Three nodes; `held` are the homes that each has, `at` those that the swarm's records place there."""

    def __init__(self, held: Mapping[str, list[str]], at: Mapping[str, str], working: tuple[str, ...] = ()) -> None:
        self.hosts = {
            name: FakeHost(name, {"GET /volumes": {"Volumes": [*map(home_volume, held.get(name, []))]}}) for name in IDS
        }
        self.manager = self.hosts[MANAGER]
        nodes = [{"ID": id_, "Description": {"Hostname": name}} for name, id_ in IDS.items()]
        self.manager.engine.answers |= {"GET /nodes": nodes, "GET /tasks": [], "GET /services": [*map(server_of, working)]}
        for user, node in at.items():
            labels = {homes.LABEL: HUB, homes.USER: user, homes.NODE: node}
            configs.create(self.manager, f"{HUB}-home-{user}", labels, {})

    def observe(self, *names: str, given: Settings | None = None, without: str = "") -> LeavingHomes:
        nodes: dict[str, Host] = {id_: self.hosts[name] for name, id_ in IDS.items() if name != without}
        return leaving.observe(given or settings(), names, self.manager, nodes)


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Count 12 files in every home that is asked for, but in nobody's of the name `nobody`."""
    asked: list[tuple[str, list[str]]] = []

    def count(host: Host, image: str, mounts: list[Any], names: list[str]) -> dict[str, Content | None]:
        asked.append((host.name, [*names]))
        return {name: None if name == "nobody" else CONTENT for name in names}

    monkeypatch.setattr(files, "count", count)
    return asked


def test_the_homes_of_a_roster_are_found_on_their_nodes() -> None:
    """With what is in them and who works, also without a record, as a stopped run leaves it; others' are left alone."""
    cluster = Cluster({WORKER1: ["ada", "knuth"], WORKER2: ["grace", "zuse"]}, {"ada": "n2", "grace": "n3"}, ("ada", "knuth"))
    found = cluster.observe("grace", "ada", "hopper", "zuse")
    assert [(one.user, one.host, one.volume, config_of(one)) for one in found.homes] == [
        ("ada", WORKER1, "jupyterhub-home-ada", "c1"),
        ("grace", WORKER2, "jupyterhub-home-grace", "c2"),
        ("zuse", WORKER2, "jupyterhub-home-zuse", ""),
    ]
    assert (found.without(["grace", "ada", "hopper"]), found.lost, found.working) == (["hopper"], (), ("ada",))


def test_several_homes_of_a_user_are_told_apart() -> None:
    """In the archive each has a folder of its own; a single one is named like its user, whatever the volume is."""
    cluster = Cluster({}, {})
    two = [home_volume("ada", name=f"{HUB}-home-ada{end}") for end in ("", "-lab")]
    one = home_volume("grace-h", name=f"{HUB}-home-grace-2dh")
    cluster.hosts[WORKER1].engine.answers["GET /volumes"] = {"Volumes": [*two, one]}
    found = cluster.observe("ada", "grace-h").homes
    assert [home.name for home in found] == ["ada", "ada-lab", "grace-h"]


def test_each_home_has_a_folder_that_no_other_has() -> None:
    """Somebody may be called as another's second home is, or longer than a folder may be: all homes of the node would fail."""
    long, cluster = "日" * 100, Cluster({}, {})
    volumes = [home_volume("ada", name=f"{HUB}-home-ada{end}") for end in ("", "_lab")]
    volumes += [home_volume("ada_lab", name=f"{HUB}-home-ada-5flab"), home_volume(long, name=f"{HUB}-home-long")]
    cluster.hosts[WORKER1].engine.answers["GET /volumes"] = {"Volumes": volumes}
    found = cluster.observe("ada", "ada_lab", long)
    assert {one.volume.removeprefix(f"{HUB}-home-"): one.name for one in found.homes} == {
        "ada": "ada",
        "ada_lab": "ada_lab",
        "ada-5flab": f"{HUB}-home-ada-5flab",
        "long": f"{HUB}-home-long",
    }


def test_homes_that_somebody_else_has_made_are_found_by_their_names() -> None:
    """With the records that a takeover has made."""
    cluster = Cluster({}, {})
    name = "jupyterhub-user-grace-2dh"
    cluster.hosts[WORKER1].engine.answers["GET /volumes"] = {"Volumes": [home_volume("x", name=name) | {"Labels": None}]}
    configs.create(cluster.manager, name, {homes.LABEL: HUB, homes.USER: "grace-h", homes.NODE: "n2"}, {})
    (found,) = cluster.observe("grace-h", given=settings(home={"name": "jupyterhub-user-{username}"})).homes
    assert (found.user, found.name, found.volume, config_of(found)) == ("grace-h", "grace-h", name, "c1")


@pytest.mark.parametrize("node", ["n9", "n2"], ids=["its node has left", "its volume is gone"])
def test_a_record_without_a_home_is_lost(node: str) -> None:
    """There is nothing to save, and its user cannot start before it is forgotten."""
    found = Cluster({}, {"ada": node}).observe("ada")
    assert (found.homes, [one.user for one in found.lost], found.without(["ada"])) == ((), ["ada"], [])


def test_a_home_that_cannot_be_asked_for_is_no_lost_one() -> None:
    """Its node is in the swarm, and comes back."""
    with pytest.raises(StepErrors, match=f"{WORKER1}: holds the home of ada and cannot be asked"):
        Cluster({WORKER1: ["ada"]}, {"ada": "n2"}).observe("ada", without=WORKER1)


@pytest.mark.parametrize("home", [{"type": "path", "path": "/srv/homes"}, {"type": "nfs", "server": "nas", "path": "/export"}])
def test_homes_in_folders_are_found_through_a_manager(home: dict[str, Any], counted: list[tuple[str, list[str]]]) -> None:
    """They are on no node of their own; a folder is named as the hub names it."""
    (found,) = Cluster({}, {}).observe("o'neil@example.org", "nobody", given=settings(home=home)).homes
    assert (found.user, found.host, found.volume, found.mount["Target"]) == ("o'neil@example.org", MANAGER, "", "/srv/homes")
    assert counted == [(MANAGER, ["o%27neil%40example.org", "nobody"])]


@pytest.mark.parametrize(
    ("home", "said"),
    [
        ({"driver": "rexray"}, "homes are on volumes of the driver 'rexray'"),
        ({"keep": False, "driver": "rexray"}, "no homes are kept"),
        ({"type": "path", "path": "/srv", "name": "{username}-{profile}"}, "whose folders these are cannot be told"),
    ],
)
def test_homes_that_cannot_be_found_are_refused(home: dict[str, Any], said: str) -> None:
    """In a line."""
    with pytest.raises(StepError, match=said):
        Cluster({}, {}).observe("ada", given=settings(home=home))


def leave(home: LeavingHome, manager: FakeHost, *, keep: bool = False, node: FakeHost | None = None, **more: Any) -> list[str]:
    """Save a home, and free it unless it is kept; return what was done, in order."""
    done: list[str] = []
    node = node or FakeHost(WORKER1)
    to = Archive("the archive", lambda home, host, progress: done.append(f"{home.name} of {host.name} saved"))
    free = None if keep else Freeing("image", HUB, manager, **more)
    change = leaving.change(home, to, free)
    assert change.sentence == f"save{'' if keep else ' and free'} the home of ada, 3.4 MB, to the archive on {WORKER1}"
    change.apply(node, FakeProgress())
    return [*done, *(str(one) for one in manager.engine.requests if one.method != "GET"), *node.engine.asked("DELETE")]


def manager_with(*working: str) -> FakeHost:
    """Return a manager that knows where Ada's home is, and whose servers run."""
    found = FakeHost(MANAGER, {"GET /services": [*map(server_of, working)], "GET /tasks": []})
    configs.create(found, RECORD.name, {homes.LABEL: HUB, homes.USER: "ada", homes.NODE: "n2"}, {})
    found.engine.requests.clear()
    return found


def test_a_home_is_freed_when_it_is_saved() -> None:
    """Its record first: who comes back in between starts anew, and is not sent where nothing is."""
    assert leave(ADA, manager_with()) == [
        f"ada of {WORKER1} saved",
        "DELETE /configs/c1",
        f"DELETE /volumes/{HUB}-home-ada",
    ]
    assert leave(ADA, manager_with(), keep=True) == [f"ada of {WORKER1} saved"]


def test_a_folder_is_removed_with_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where homes are no volumes."""
    removed: list[str] = []
    monkeypatch.setattr(files, "remove", lambda host, image, mount, name: removed.append(name))
    assert leave(replace(ADA, volume="", record=None), manager_with()) == [f"ada of {WORKER1} saved"]
    assert removed == ["ada"]


def test_who_works_again_meanwhile_keeps_the_home() -> None:
    """What they write now is in no archive; so does who was seen again, by whatever tells that."""
    manager = manager_with("ada")
    with pytest.raises(StepError, match="has started a server meanwhile; the home is saved, and not freed"):
        leave(ADA, manager)

    def is_back(user: str) -> None:
        raise StepError(MANAGER, f"{user} is back", "Again")

    with pytest.raises(StepError, match="ada is back"):
        leave(ADA, manager_with(), require_away=is_back)
    assert manager.engine.asked("DELETE") == []


def test_a_home_that_is_not_saved_is_not_freed() -> None:
    """Whatever the reason."""

    def fail(*_: Any) -> None:
        raise StepError(WORKER1, "the connection broke", "Again")

    manager, node = manager_with(), FakeHost(WORKER1)
    with pytest.raises(StepError, match="the connection broke"):
        leaving.change(ADA, Archive("x", fail), Freeing("image", HUB, manager)).apply(node, FakeProgress())
    assert (manager.engine.requests, node.engine.requests) == ([], [])


def test_a_home_that_cannot_be_removed_is_still_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup reads it just now: its user is to find it, wherever that is."""

    def stays(*_: Any) -> None:
        raise StepError(WORKER1, "cannot remove volume: it is in use", "Again")

    monkeypatch.setattr(leaving, "remove_soon", stays)
    manager = manager_with()
    with pytest.raises(StepError, match="it is in use"):
        leave(ADA, manager)
    (kept,) = homes.places(manager, HUB)
    assert (kept.name, kept.user, kept.node) == (RECORD.name, "ada", "n2")
