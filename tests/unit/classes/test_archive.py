"""Which homes are saved, what is asked before, and in which order they are freed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarmhub.classes import archive
from swarmhub.classes.archive import ArchivedHome, RosterHomes
from swarmhub.engine.swarm import configs
from swarmhub.errors import StepError, StepErrors
from swarmhub.host import Host
from swarmhub.notebooks import files, homes
from swarmhub.notebooks.files import Content
from swarmhub.notebooks.homes import HomeRecord
from swarmhub.settings import Settings
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeProgress, home_volume, server_of, settings

HUB = "jupyterhub"
CONTENT = Content(12, 3_400_000)
ADA = ArchivedHome("ada", "ada", WORKER1, {}, CONTENT, volume=f"{HUB}-home-ada", config="c1")
LOST = HomeRecord("c9", f"{HUB}-home-zuse", "zuse", "gone")
IDS = {MANAGER: "n1", WORKER1: "n2", WORKER2: "n3"}


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

    def observe(self, *names: str, given: Settings | None = None, without: str = "") -> RosterHomes:
        nodes: dict[str, Host] = {id_: self.hosts[name] for name, id_ in IDS.items() if name != without}
        return archive.observe(given or settings(), names, self.manager, nodes)


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
    assert [(one.user, one.host, one.volume, one.config) for one in found.homes] == [
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


def test_homes_that_somebody_else_has_made_are_found_by_their_names() -> None:
    """With the records that a takeover has made."""
    cluster = Cluster({}, {})
    name = "jupyterhub-user-grace-2dh"
    cluster.hosts[WORKER1].engine.answers["GET /volumes"] = {"Volumes": [home_volume("x", name=name) | {"Labels": None}]}
    configs.create(cluster.manager, name, {homes.LABEL: HUB, homes.USER: "grace-h", homes.NODE: "n2"}, {})
    (found,) = cluster.observe("grace-h", given=settings(home={"name": "jupyterhub-user-{username}"})).homes
    assert (found.user, found.name, found.volume, found.config) == ("grace-h", "grace-h", name, "c1")


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


def planned(found: RosterHomes, to: Path = Path("archives/x"), *, keep: bool = False) -> list[str]:
    """Return what is done."""
    stop: Any = (lambda user: None) if found.working else None
    plan = archive.plan(found, settings(), to, FakeHost(), stop, keep=keep)
    return [change.sentence for change in plan.changes]


def test_servers_stop_then_homes_are_saved_and_freed(progress: FakeProgress) -> None:
    """What is gone is forgotten, so that its user starts anew; homes that are kept are only saved."""
    manager, found = FakeHost(answers={"DELETE /configs/c9": lambda _: None}), RosterHomes((ADA,), (LOST,), ("ada",))
    assert planned(found) == [
        f"stop ada's server on {MANAGER}",
        f"save and free the home of ada, 3.4 MB, to archives/x/ada.tar.gz on {WORKER1}",
        f"forget the home of zuse, which is gone on {MANAGER}",
    ]
    archive.plan(found, settings(), Path(), manager, None, keep=False).changes[-1].apply(manager, progress)
    assert manager.engine.asked() == ["DELETE /configs/c9"]
    assert planned(replace(found, working=()), keep=True) == [
        f"save the home of ada, 3.4 MB, to archives/x/ada.tar.gz on {WORKER1}"
    ]


def test_no_archive_is_written_over(tmp_path: Path) -> None:
    """Neither an earlier one, nor that of a second home."""
    (tmp_path / "ada.tar.gz").touch()
    done = planned(RosterHomes((ADA, replace(ADA, host=WORKER2)), (), ()), tmp_path)
    assert [sentence.partition(", to ")[2] for sentence in done] == [
        f"{tmp_path}/ada-2.tar.gz on {WORKER1}",
        f"{tmp_path}/ada-3.tar.gz on {WORKER2}",
    ]


def test_a_file_has_a_name_that_file_systems_take(tmp_path: Path) -> None:
    """JupyterHub's names may be longer, and each letter of some scripts is three bytes."""
    (home, file), (_, other) = archive.files([replace(ADA, user="伊" * 250), replace(ADA, user="伊" * 251)], tmp_path)
    assert (home.user, file != other) == ("伊" * 250, True)
    file.touch()


def test_the_question_names_what_is_lost() -> None:
    """Unsaved work, the only copy on the cluster, and what is gone already."""
    asked = archive.question(RosterHomes((ADA,), (LOST,), ("ada",)), keep=False)
    assert asked == (
        "Servers that stop: ada; what is not saved there is lost. Then 1 home will be on this machine only. "
        "Gone already, and forgotten: the homes of zuse. Go on?"
    )
    assert archive.question(RosterHomes((ADA,), (), ("ada",)), keep=True).endswith("is lost. Go on?")


@pytest.fixture
def saving(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Save homes in memory, and remember where."""
    saved: list[str] = []

    def save(host: Host, image: str, mount: Any, name: str, file: Path, say: Any) -> Content:
        saved.append(f"{name} of {host.name} in {file}")
        return CONTENT

    monkeypatch.setattr(files, "save", save)
    monkeypatch.setattr(files, "remove", lambda host, image, mount, name: saved.append(f"{name} removed"))
    return saved


def done(home: ArchivedHome, manager: FakeHost, to: Path, progress: FakeProgress, *, keep: bool = False) -> FakeHost:
    """Save a home, and return the node that had it."""
    (change,) = archive.plan(RosterHomes((home,), (), ()), settings(), to, manager, None, keep=keep).changes
    node = FakeHost(WORKER1)
    change.apply(node, progress)
    return node


def test_a_home_is_freed_when_it_is_saved(tmp_path: Path, progress: FakeProgress, saving: list[str]) -> None:
    """Its record first: who comes back in between starts anew, and is not sent where nothing is."""
    asked: list[str] = []
    manager = FakeHost(answers={"GET /services": [], "DELETE /configs/c1": lambda one: asked.append(str(one))})
    to = tmp_path / "archives" / "today"
    node = done(ADA, manager, to, progress)
    assert saving == [f"ada of {WORKER1} in {to}/ada.tar.gz"]
    assert (asked, node.engine.asked()) == (["DELETE /configs/c1"], [f"DELETE /volumes/{HUB}-home-ada"])
    assert (to.stat().st_mode & 0o777, "ada.tar.gz is whole: 12 files, 3.4 MB" in progress.lines[-1][1]) == (0o700, True)


def test_a_folder_is_removed_with_what_is_in_it(tmp_path: Path, progress: FakeProgress, saving: list[str]) -> None:
    """Where homes are no volumes."""
    done(replace(ADA, volume="", config=""), FakeHost(answers={"GET /services": []}), tmp_path, progress)
    assert saving[-1] == "ada removed"


def test_who_works_again_meanwhile_keeps_the_home(tmp_path: Path, progress: FakeProgress, saving: list[str]) -> None:
    """What they write now is in no archive."""
    manager = FakeHost(answers={"GET /services": [server_of("ada")], "GET /tasks": []})
    with pytest.raises(StepError, match="has started a server meanwhile; the home is saved, and not freed"):
        done(ADA, manager, tmp_path, progress)
    assert manager.engine.asked("DELETE") == []


@pytest.mark.parametrize("keep", [False, True])
def test_a_home_that_is_kept_or_not_saved_is_not_freed(
    tmp_path: Path, progress: FakeProgress, saving: list[str], monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    """Whatever the reason; nothing is removed anywhere."""
    manager = FakeHost()
    if keep:
        assert (done(ADA, manager, tmp_path, progress, keep=True).engine.asked(), len(saving)) == ([], 1)
    else:
        error = StepError(WORKER1, "the connection broke", "Again")
        monkeypatch.setattr(files, "save", lambda *_: (_ for _ in ()).throw(error))
        with pytest.raises(StepError, match="the connection broke"):
            done(ADA, manager, tmp_path, progress)
    assert manager.engine.asked() == []
