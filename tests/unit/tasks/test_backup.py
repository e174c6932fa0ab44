"""Backups and the way back as they are typed, on a cluster in memory."""

import json
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from swarmhub.errors import StepError
from swarmhub.images import restic
from swarmhub.notebooks import leaving, places
from swarmhub.notebooks.leaving import LeavingHomes
from swarmhub.settings import load
from tests.unit.backup.answers import answering, files, jobs
from tests.unit.support.cluster import NODES, Hosts, Type
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, home_volume

SAVED = {"snapshot": "s", "files": 3, "bytes": 2000, "added": 500, "seconds": 1.5, "unread": []}
RUN = "20261129-210000"


def listed(part: str, host: str) -> dict[str, Any]:
    """Return a snapshot as restic lists it."""
    tags = ["swarmhub:jupyterhub", f"run:{RUN}", f"part:{part}"]
    return {"id": part, "time": "2026-11-29T21:00:00Z", "hostname": host, "tags": tags, "paths": [], "summary": {}}


LISTED = {"answer": {"snapshots": [listed("hub", MANAGER), listed("homes", WORKER1)], "damaged": 0}}
CLUSTER = json.dumps({"homes": [{"name": "jupyterhub-home-ada", "user": "ada", "host": WORKER1}]})
READ = {"answer": {"cluster.json": CLUSTER}}


@pytest.fixture
def backed(hosts: Hosts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Name a repository; every host holds the image, and Ada has a home on the first worker."""
    file = folder / "hosts.toml"
    file.write_text(f'{file.read_text()}\n[backup]\nrepository = "/mnt/backup"\n')
    monkeypatch.setenv("BACKUP_PASSWORD", "hush-hush")
    tag = restic.recipe(load(file)).tag
    for host in hosts.values():
        host.engine.answers |= {f"GET /images/{tag}/json": {"Id": "sha256:restic"}, "GET /containers/json": []}
    hosts[WORKER1].engine.answers["GET /volumes"] = {"Volumes": [home_volume("ada")]}
    hosts[WORKER1].engine.answers |= answering({"answer": SAVED})
    return hosts


def test_a_backup_saves_the_hub_and_all_homes(type_: Type, backed: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """The repository is opened first; a line tells how much was saved and sent."""
    backed[MANAGER].engine.answers |= answering({"answer": {"made": False}}, {"answer": SAVED})
    type_("backup")
    said = capsys.readouterr().out
    assert [job["action"] for job in jobs(backed[MANAGER])] == ["open", "save"]
    assert [job["node"] for job in jobs(backed[WORKER1])] == [WORKER1]
    assert f"save 1 home on {WORKER1}" in said
    assert "the hub and the homes of 1 node, 6 files, 4.0 kB; 1.0 kB sent" in said
    assert "hush-hush" not in said
    sent = [one.body for one in backed[MANAGER].engine.requests if str(one) == "PUT /containers/once/archive"]
    saved = files(sent[1])
    assert (saved["backup/hub/userlist"], b"[backup]" in saved["backup/settings/hosts.toml"]) == (b"ada admin\n", True)
    assert json.loads(saved["backup/cluster.json"])["homes"][0]["host"] == WORKER1


def test_a_backup_without_a_host_that_does_not_answer_fails_in_the_end(
    type_: Type, backed: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    """All others are saved, and who has it run by itself is told."""
    backed[MANAGER].engine.answers |= answering({"answer": {"made": False}}, {"answer": SAVED})
    backed[WORKER2].engine.answers["GET /info"] = StepError(WORKER2, "no route to host", "Is it up?")
    with pytest.raises(Exit, match=f"{WORKER2}: backup: does not answer: homes there are not in this backup"):
        type_("backup")
    assert "the hub and the homes of 1 node" in capsys.readouterr().out


def test_a_ctrl_c_leaves_no_container(type_: Type, backed: Hosts) -> None:
    """On no node, though each is waited for by a thread of its own."""
    backed[MANAGER].engine.answers |= answering({"answer": {"made": False}}, {"answer": SAVED})
    backed[WORKER1].engine.answers |= {
        "POST /containers/once/start": KeyboardInterrupt(),
        "GET /containers/json": [{"Id": "left", "Labels": {}, "Created": 0}],
    }
    with pytest.raises(Exit, match="interrupted"):
        type_("backup")
    asked = next(one for one in backed[WORKER1].engine.requests if "swarmhub.restic=jupyterhub" in str(one.params))
    assert asked.path == "/containers/json"
    assert "DELETE /containers/left" in backed[WORKER1].engine.asked()


def test_without_a_repository_nothing_is_asked(type_: Type, hosts: Hosts, folder: Path) -> None:
    """The message says where to put backups."""
    with pytest.raises(Exit, match=r"backup\.repository: is missing: where backups go") as wrong:
        type_("backups")
    assert (wrong.value.code, jobs(hosts[MANAGER])) == (2, [])


def test_the_backups_are_listed(type_: Type, backed: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """By the manager, as a table or as JSON."""
    backed[MANAGER].engine.answers |= answering(LISTED)
    type_("backups")
    assert f"{RUN}  2026-11-29 21:00:00  yes" in capsys.readouterr().out
    type_("backups", json=True)
    assert json.loads(capsys.readouterr().out)[0]["run"] == RUN


def test_a_way_back_is_shown_and_asked_for(type_: Type, backed: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an answer, nothing changes."""
    backed[MANAGER].engine.answers |= answering(LISTED, READ)
    with pytest.raises(Exit, match="There is no terminal to ask on"):
        type_("restore")
    said = capsys.readouterr().out
    assert "stop service jupyterhub" in said
    assert f"restore the hub's data of {RUN} on {MANAGER} (the hub stops): what is there is set aside" in said
    assert "the home of ada" not in said  # it is there
    assert [job["action"] for job in jobs(backed[MANAGER])] == ["list", "read"]


def _pinned(backed: Hosts, node: str) -> None:
    """Let the hub's service be pinned to a node."""
    answers = backed[MANAGER].engine.answers
    hub = answers["GET /services/jupyterhub"]
    hub["Spec"]["TaskTemplate"]["Placement"]["Constraints"] = ["node.role==manager", f"node.id=={node}"]
    answers |= {"GET /services": [hub], **answering(LISTED, READ)}


def test_a_hub_whose_manager_is_lost_comes_back_on_another(
    type_: Type, backed: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its services wait for a node that will not come: they are removed, and a deploy makes them again."""
    _pinned(backed, "n9")
    with pytest.raises(Exit, match="There is no terminal to ask on"):
        type_("restore")
    said = capsys.readouterr().out
    assert f"remove service jupyterhub on {MANAGER} (the hub stops)" in said
    assert f"restore the hub's data of {RUN} on {MANAGER}: what is there" in said


def test_a_hub_that_runs_elsewhere_is_restored_there(type_: Type, backed: Hosts) -> None:
    """Two hubs on two copies would be the end of both."""
    _pinned(backed, NODES[WORKER1])
    with pytest.raises(Exit, match=f"the hub runs on {WORKER1}. Restore it there: fab -H {WORKER1} restore"):
        type_("restore")


def test_a_lost_cluster_gets_its_volume_and_its_homes(
    type_: Type, backed: Hosts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And then a deploy starts the hub."""
    monkeypatch.setattr(places, "wanted", lambda _: {})
    manager = backed[MANAGER].engine
    restored = {"users": 3, "aside": "", "kept": [], "certificate": True}
    manager.answers |= answering(LISTED, READ, {"answer": restored})
    for gone in ("GET /volumes/jupyterhub-data", "GET /services/jupyterhub"):
        manager.answers.pop(gone)
    manager.answers["GET /tasks"] = []
    backed[WORKER1].engine.answers |= {"GET /volumes": {"Volumes": []}, **answering({"answer": {"aside": "", "place": ""}})}
    type_("restore", yes=True)
    said = capsys.readouterr().out
    assert manager.sent("POST /volumes/create").body["Name"] == "jupyterhub-data"
    assert f"restore the home of ada on {WORKER1}: it is on no node" in said
    assert jobs(backed[WORKER1])[0]["path"] == "/homes/jupyterhub-home-ada"
    assert "Next: fab deploy" in said


def test_a_file_of_a_home_comes_back(type_: Type, backed: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """On the node that has the home."""
    backed[MANAGER].engine.answers |= answering(LISTED, READ)
    backed[WORKER1].engine.answers |= answering({"answer": {"aside": "", "place": "found/notes.txt"}})
    type_("restore", home="ada", path="notes.txt", to="found", yes=True)
    assert "it is in found/notes.txt in the home" in capsys.readouterr().out
    assert (jobs(backed[WORKER1])[0]["snapshot"], NODES[WORKER1]) == ("homes", "n2")
    for typed, wrong in (({"path": "notes.txt"}, "--path is about a home"), ({"home": ""}, "--home is empty")):
        with pytest.raises(Exit, match=wrong):
            type_("restore", yes=True, **typed)


@pytest.mark.parametrize("home", ["", '[home]\ntype = "path"\npath = "/mnt/homes"\n'], ids=["a volume", "a folder"])
def test_a_part_of_a_home_that_is_gone_does_not_come_alone(
    type_: Type, backed: Hosts, folder: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """The home would be root's, and its user could not write there: it comes back whole."""
    file = folder / "hosts.toml"
    file.write_text(file.read_text().replace("[backup]", f"{home}[backup]"))
    monkeypatch.setattr(leaving, "observe", lambda *_: LeavingHomes((), (), ()))
    backed[WORKER1].engine.answers["GET /volumes"] = {"Volumes": []}
    for more in ({"path": "notes.txt"}, {"to": "found"}):
        backed[MANAGER].engine.answers |= answering(LISTED, READ)
        with pytest.raises(Exit, match="the home of ada is gone: bring all of it back, without --path and --to") as wrong:
            type_("restore", home="ada", yes=True, **more)
        assert wrong.value.code == 2
    assert jobs(backed[WORKER1]) == []


def test_a_home_that_the_newest_backup_has_not_comes_from_the_one_before(
    type_: Type, backed: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its node has failed to save it, or is still at it: the hub's part is there, and says that there is such a home."""
    newest = {**listed("hub", MANAGER), "time": "2026-11-30T21:00:00Z"}
    newest["tags"] = ["swarmhub:jupyterhub", "run:20261130-210000", "part:hub"]
    found = [listed("hub", MANAGER), listed("homes", WORKER1), newest]
    backed[MANAGER].engine.answers |= answering({"answer": {"snapshots": found, "damaged": 0}}, READ)
    backed[WORKER1].engine.answers |= answering({"answer": {"aside": "", "place": "notes.txt"}})
    type_("restore", home="ada", path="notes.txt", yes=True)
    assert "of 20261130-210000" in (said := capsys.readouterr().out)
    assert "as it was at 2026-11-29 21:00 UTC" in said
    assert jobs(backed[WORKER1])[0]["snapshot"] == "homes"


def archived(run: str, day: int) -> dict[str, Any]:
    """Return the snapshot of Ada's archived home, as restic lists it."""
    tags = ["swarmhub:jupyterhub", f"run:{run}", "part:archive", "home:jupyterhub-home-ada", "user:ada"]
    made = f"2026-11-{day}T21:00:00Z"
    return {"id": f"archived-{day}", "time": made, "hostname": WORKER1, "tags": tags, "paths": [], "summary": {}}


@pytest.mark.parametrize(
    ("day", "homes", "typed", "snapshot"),
    [
        (28, CLUSTER, "", "homes"),
        (28, json.dumps({"homes": []}), "", "archived-28"),
        (30, CLUSTER, "", "archived-30"),
        (30, CLUSTER, RUN, "homes"),
        (28, CLUSTER, "20261128", "archived-28"),
    ],
    ids=["a newer backup has it", "no newer backup has it", "the archive is newer", "a backup is meant", "an archive is meant"],
)
def test_a_home_comes_back_as_it_was_saved_last(
    type_: Type, backed: Hosts, day: int, homes: str, typed: str, snapshot: str
) -> None:
    """By a backup or in the archive; on a node that has it no more, it is recorded, so that its user finds it there."""
    found = [listed("hub", MANAGER), listed("homes", WORKER1), archived(f"202611{day}-210000", day)]
    listing = {"answer": {"snapshots": found, "damaged": 0}}
    backed[MANAGER].engine.answers |= answering(listing, {"answer": {"cluster.json": homes}})
    backed[WORKER1].engine.answers |= {"GET /volumes": {"Volumes": []}, **answering({"answer": {"aside": "", "place": ""}})}
    type_("restore", home="ada", backup=typed or None, yes=True)
    assert jobs(backed[WORKER1])[0]["snapshot"] == snapshot
    (kept,) = (one for one in backed[MANAGER].engine.configs.kept.values() if one["Spec"]["Name"] == "jupyterhub-home-ada")
    assert kept["Spec"]["Labels"]["swarmhub.node"] == NODES[WORKER1]
