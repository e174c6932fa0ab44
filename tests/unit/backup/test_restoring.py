"""The plan of the way back."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hub.shared.people.names import Names
from hub.shared.servers import mounts
from swarmhub.backup import restoring
from swarmhub.backup.contents import SavedHome
from swarmhub.backup.restoring import Wanted
from swarmhub.backup.snapshots import ArchivedHome, Backup, Snapshot
from swarmhub.engine.swarm import replicated
from swarmhub.errors import StepError, UsageError
from swarmhub.host import Host
from swarmhub.notebooks import files
from swarmhub.settings import handed
from tests.unit.backup.answers import answering, jobs, repository
from tests.unit.support.fakes import DOMAIN, MANAGER, WORKER1, WORKER2, FakeHost, FakeProgress, settings

GONE = "swarm-worker9"
ADA, BOB, EVE = (
    SavedHome(f"jupyterhub-home-{user}", user, host) for user, host in (("ada", WORKER1), ("bob", WORKER2), ("eve", GONE))
)


def snapshot(id_: str, host: str) -> Snapshot:
    """Return what is in a backup of one host."""
    return Snapshot(id_, host, datetime(2026, 11, 29), 1, 1, 1)


BACKUP = Backup("RUN", snapshot("hub", MANAGER), {one.host: snapshot(f"of-{one.user}", one.host) for one in (ADA, BOB, EVE)})
WANTED = Wanted(BACKUP, (ADA, BOB, EVE))
SERVICE: dict[str, Any] = {
    "ID": "s",
    "Version": {"Index": 1},
    "Spec": {"Name": "jupyterhub", "Mode": {"Replicated": {"Replicas": 1}}},
}


def test_a_backup_says_which_homes_it_has() -> None:
    """In a file of the hub's snapshot."""
    text = json.dumps({"homes": [{"name": ADA.name, "user": "ada", "host": WORKER1}]})
    host = FakeHost(MANAGER, answering({"answer": {"cluster.json": text}}))
    assert restoring.observe(host, repository(), settings(), BACKUP).homes == (ADA,)
    assert jobs(host)[0]["snapshot"] == "hub"


def test_a_home_whose_record_has_a_shorter_name_is_found_by_its_volumes() -> None:
    """A schedule knows the homes of other nodes by their records, which Swarm takes no long name for."""
    given, user = settings(home={"name": "jupyterhub-user-{username}"}), "someone.with.a.long.name@students.example.org"
    volume = mounts.home(handed.tables(given), "jupyterhub", Names(user)).mount["Source"]  # type: ignore[union-attr]
    assert len(volume) > mounts.LONGEST
    saved = [{"name": mounts.formerly(one), "user": user, "host": WORKER1} for one in (volume, f"{volume}-of-old")]
    host = FakeHost(MANAGER, answering({"answer": {"cluster.json": json.dumps({"homes": saved})}}))
    found = restoring.observe(host, repository(), given, BACKUP).homes
    assert [one.name for one in found] == [volume, saved[1]["name"]]


def test_homes_that_are_gone_go_where_they_were() -> None:
    """To the others in turn, where the host is no more; those that are there stay, and those of a host that is away."""
    found = restoring.missing(settings(), WANTED, {ADA.name}, [MANAGER, WORKER1, WORKER2])
    assert [(one.user, one.host, one.snapshot) for one in found] == [("bob", WORKER2, "of-bob"), ("eve", MANAGER, "of-eve")]
    assert [one.user for one in restoring.missing(settings(), WANTED, {ADA.name}, [MANAGER, WORKER1])] == ["eve"]


def test_a_home_whose_host_is_gone_goes_where_servers_may_run() -> None:
    """Its user is bound to the node of the home, and would never get a server on a manager that takes none."""
    given = settings(notebook={"nodes": "workers"})
    found = restoring.missing(given, WANTED, {ADA.name, BOB.name}, [MANAGER, WORKER2])
    assert [(one.user, one.host) for one in found] == [("eve", WORKER2)]
    found = restoring.missing(given, WANTED, {ADA.name, BOB.name}, [MANAGER])
    assert [one.host for one in found] == [MANAGER]  # there is no other


def test_a_home_of_an_earlier_backup_says_so() -> None:
    """Its node was away when the chosen one was made."""
    earlier = replace(WANTED, backup=replace(BACKUP, earlier=frozenset({WORKER1})))
    lost = restoring.missing(settings(), earlier, {BOB.name}, [WORKER1])
    plan = restoring.plan(settings(), repository(), earlier, SERVICE, lost, MANAGER, "T", "ada admin\n")
    gists = {one.what: one.gist for one in plan.changes}
    made = f"{BACKUP.homes[WORKER1].made:%Y-%m-%d %H:%M}"
    assert gists["the home of ada"] == f"it is on no node; as it was at {made} UTC"


def test_a_home_is_made_as_the_hub_would_make_it() -> None:
    """With the labels by which a deploy records where it is."""
    (home, *_) = restoring.missing(settings(home={"quota": "1G"}), WANTED, (), [WORKER1])
    options = home.mount["VolumeOptions"]
    assert options["Labels"] == {"swarmhub.home": "jupyterhub", "swarmhub.user": "ada"}
    assert options["DriverConfig"] == {"Name": "local", "Options": {"size": str(2**30)}}


def test_a_hub_that_runs_stops_first() -> None:
    """And that is its price; on an empty cluster there is none."""
    lost = restoring.missing(settings(), WANTED, {ADA.name, BOB.name}, [WORKER1])
    plan = restoring.plan(settings(), repository(), WANTED, SERVICE, lost, MANAGER, "T", "ada admin\n")
    assert [change.sentence for change in plan.changes] == [
        f"stop service jupyterhub on {MANAGER}",
        f"restore the hub's data of RUN on {MANAGER}",
        f"restore the home of eve on {WORKER1}",
    ]
    assert plan.changes[1].price == "the hub stops"
    empty = restoring.plan(settings(), repository(), WANTED, None, [], MANAGER, "T", "ada admin\n")
    assert [change.price for change in empty.changes] == [""]
    stopped = {**SERVICE, "Spec": {"Name": "jupyterhub", "Mode": {"Replicated": {"Replicas": 0}}}}
    assert len(restoring.plan(settings(), repository(), WANTED, stopped, [], MANAGER, "T", "ada admin\n").changes) == 1


def test_a_hub_whose_restore_fails_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data are as they were. Not where a home fails later: people would start with empty ones."""
    started: list[str] = []
    monkeypatch.setattr(replicated, "_start_again", lambda found, host, progress: started.append(host.name))
    lost = restoring.missing(settings(), WANTED, {ADA.name, BOB.name}, [WORKER1])
    _, hub, home = restoring.plan(settings(), repository(), WANTED, SERVICE, lost, MANAGER, "T", "ada admin\n").changes
    assert {hub.undo, home.undo} == {None}
    for change, on in ((home, WORKER1), (hub, MANAGER)):
        assert started == []
        with pytest.raises(StepError, match="damaged"):
            change.apply(FakeHost(on, answering({"failed": "damaged", "kind": "damaged"})), FakeProgress())
    assert started == [MANAGER]


def test_what_was_restored_is_told() -> None:
    """Where what was there is now, what has stayed, and that a certificate came."""
    answer = {"users": 3, "aside": "before-restore-T", "kept": ["access"], "certificate": True}
    host, progress = FakeHost(MANAGER, answering({"answer": answer})), FakeProgress()
    restoring.plan(settings(), repository(), WANTED, None, [], MANAGER, "T", "ada admin\n").changes[0].apply(host, progress)
    assert jobs(host)[0]["chain"] == f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem"
    assert [line for _, line in progress.lines] == [
        "3 users; what was there is in before-restore-T",
        "the userlist in force here stays, and with it who was removed since",
        "the certificate came back, as there was none",
    ]


def test_half_a_home_does_not_stay() -> None:
    """The next restore would take it for a whole one; one that was there before stays, whatever happens."""
    new, old = (restoring.place(settings(), WANTED, "ada", there, [WORKER1], MANAGER) for there in ({}, {WORKER1: [ADA.name]}))
    for home, is_removed in ((new, True), (old, False)):
        host = FakeHost(WORKER1, answering({"failed": "no", "kind": "restic"}))
        with pytest.raises(StepError):
            restoring.home_plan(settings(), repository(), home, "RUN", "", "", "T").changes[0].apply(host, FakeProgress())
        assert (f"DELETE /volumes/{ADA.name}" in host.engine.asked()) == is_removed


def test_a_home_comes_back_where_it_is_now() -> None:
    """By its user, or by its volume; it may have moved since."""
    for name in ("ada", ADA.name):
        home = restoring.place(settings(), WANTED, name, {WORKER2: [ADA.name]}, [WORKER1, WORKER2], MANAGER)
        assert (home.host, home.snapshot, home.path, home.is_new) == (WORKER2, "of-ada", f"/homes/{ADA.name}", False)
    answer = {"aside": "notes.txt.before-restore-T", "place": "notes.txt"}
    host, progress = FakeHost(WORKER2, answering({"answer": answer})), FakeProgress()
    plan = restoring.home_plan(settings(), repository(), home, "RUN", "notes.txt", "", "T")
    assert plan.changes[0].sentence == f"restore notes.txt of the home of ada of RUN on {WORKER2}"
    plan.changes[0].apply(host, progress)
    assert (jobs(host)[0]["part"], jobs(host)[0]["target"]) == ("notes.txt", "/home")
    assert len(progress.lines) == 2


def test_a_home_of_a_node_whose_homes_are_in_an_earlier_backup_says_so() -> None:
    """They were not saved by the newest one, or not yet; where no backup has them, that is told."""
    earlier = replace(WANTED, backup=replace(BACKUP, earlier=frozenset({WORKER1})))
    home = restoring.place(settings(), earlier, "ada", {WORKER1: [ADA.name]}, [WORKER1], MANAGER)
    plan = restoring.home_plan(settings(), repository(), home, "RUN", "", "", "T")
    assert plan.changes[0].gist == "what is there is set aside; as it was at 2026-11-29 00:00 UTC"
    for there in ({WORKER1: [ADA.name]}, {}):
        with pytest.raises(UsageError, match=f"neither it nor one before has the homes of {WORKER1}"):
            restoring.place(settings(), Wanted(replace(BACKUP, homes={}), (ADA,)), "ada", there, [WORKER1], MANAGER)


def test_of_homes_in_a_folder_the_newest_are_meant() -> None:
    """An earlier backup may be of another manager."""
    older = replace(snapshot("older", GONE), made=datetime(2026, 11, 28))
    backup = Backup("RUN", snapshot("hub", MANAGER), {GONE: older, MANAGER: snapshot("homes", MANAGER)})
    given = settings(home={"type": "path", "path": "/mnt/homes"})
    assert restoring.place(given, Wanted(backup, ()), "ada", {}, [MANAGER], MANAGER).snapshot == "homes"


def test_of_homes_in_a_folder_only_the_one_is_mounted() -> None:
    """A link in it that leads to somebody else's would be followed otherwise."""
    backup = Backup("RUN", snapshot("hub", MANAGER), {MANAGER: snapshot("homes", MANAGER)})
    given = settings(home={"type": "path", "path": "/mnt/homes"})
    home = restoring.place(given, Wanted(backup, ()), "ada", {}, [MANAGER], MANAGER)
    assert (home.path, home.mount) == ("/homes/ada", {"Type": "bind", "Source": "/mnt/homes/ada", "Target": "/home"})


def test_a_home_in_a_folder_that_is_not_mounted_does_not_come_back() -> None:
    """The engine finds no marker, and starts nothing: it would be on the host's own disk, where nobody sees it."""
    backup = Backup("RUN", snapshot("hub", MANAGER), {MANAGER: snapshot("homes", MANAGER)})
    given, host = (
        settings(home={"type": "path", "path": "/mnt/homes"}),
        FakeHost(MANAGER, answering({"answer": {"aside": "", "place": "x"}})),
    )
    home = restoring.place(given, Wanted(backup, ()), "ada", {}, [MANAGER], MANAGER)
    plan = restoring.home_plan(given, repository(), replace(home, above=None), "RUN", "x", "", "T")
    plan.changes[0].apply(host, FakeProgress())
    mounts = host.engine.sent("POST /containers/create").body["HostConfig"]["Mounts"]
    assert [one["Source"] for one in mounts[1:]] == ["/mnt/homes/ada", "/mnt/homes/.swarmhub"]


@pytest.mark.parametrize("is_missing", [True, False])
def test_a_folder_that_is_gone_is_made(monkeypatch: pytest.MonkeyPatch, is_missing: bool) -> None:
    """There is nothing to mount without it; where the restore then fails, it goes again, as nobody has a home there."""
    done: list[str] = []

    def make(host: Host, image: str, mount: Any, name: str) -> bool:
        done.append(f"make {name}")
        return is_missing

    monkeypatch.setattr(files, "make", make)
    monkeypatch.setattr(files, "remove", lambda host, image, mount, name: done.append(f"remove {name}"))
    archived = ArchivedHome("ada", "ada", snapshot("s", MANAGER))
    home = restoring.archived_place(settings(home={"type": "path", "path": "/mnt/homes"}), archived, {}, [MANAGER], MANAGER)
    assert (home.snapshot, home.path, home.mount["Source"]) == ("s", "/homes/ada", "/mnt/homes/ada")
    plan = restoring.home_plan(settings(), repository(), home, "RUN", "", "", "T")
    with pytest.raises(StepError):
        plan.changes[0].apply(FakeHost(MANAGER, answering({"failed": "no", "kind": "restic"})), FakeProgress())
    assert done == ["make ada", *(["remove ada"] if is_missing else [])]


def test_an_archived_home_goes_where_its_user_has_one_now() -> None:
    """Else where it was, and elsewhere if that is no more; one of a node that is away may still be there."""
    archived = ArchivedHome(ADA.name, "ada", snapshot("s", WORKER1))
    hosts = {}
    for there, present in (({WORKER2: [ADA.name]}, [WORKER1, WORKER2]), ({}, [WORKER1, WORKER2])):
        found = restoring.archived_place(settings(), archived, there, present, MANAGER)
        hosts[found.host] = found.is_new
    assert hosts == {WORKER2: False, WORKER1: True}
    as_folder = restoring.archived_place(settings(), replace(archived, name="ada"), {}, [WORKER1], MANAGER)
    assert (as_folder.path, as_folder.mount["Source"]) == ("/homes/ada", ADA.name)
    gone = replace(archived, snapshot=snapshot("s", GONE))
    assert restoring.archived_place(settings(), gone, {}, [WORKER2], MANAGER).host == WORKER2
    with pytest.raises(StepError, match=f"{WORKER1}: does not answer, and had the home of ada"):
        restoring.archived_place(settings(), archived, {}, [WORKER2], MANAGER)


def test_a_home_that_is_in_no_backup_is_told() -> None:
    """Or of which there are several."""
    with pytest.raises(UsageError, match="backup RUN: it has no home of linus"):
        restoring.place(settings(), WANTED, "linus", {}, [WORKER1], MANAGER)
    twice = Wanted(BACKUP, (ADA, SavedHome("jupyterhub-home-ada-gpu", "ada", WORKER1)))
    with pytest.raises(UsageError, match="ada has several homes in it: jupyterhub-home-ada, jupyterhub-home-ada-gpu"):
        restoring.place(settings(), twice, "ada", {}, [WORKER1], MANAGER)


@pytest.mark.parametrize(
    ("home", "path", "to", "wrong"),
    [
        (None, "x", None, "--path is about a home"),
        ("ada", "/etc/passwd", None, "--path /etc/passwd: that is no path inside a home"),
        ("ada", "../bob/x", None, "that is no path inside a home"),
        ("ada", "x", "a/../../b", "--to a/../../b: that is no path"),
    ],
)
def test_a_path_leads_nowhere_else(home: str | None, path: str, to: str | None, wrong: str) -> None:
    """It is checked before anything is asked."""
    with pytest.raises(UsageError, match=wrong):
        restoring.check(None, home, path, to)


def test_what_is_empty_is_not_taken_for_what_was_not_typed() -> None:
    """As of a variable of a script that is not set: the hub would be restored for a home, and a home for a file."""
    for number, flag in enumerate(("--backup", "--home", "--path", "--to")):
        typed = ["2026", "ada", "x", "y"]
        typed[number] = ""
        with pytest.raises(UsageError, match=f"{flag} is empty"):
            restoring.check(*typed)
    restoring.check(None, None, None, None)


def test_a_home_in_use_is_not_replaced() -> None:
    """A file of it may be."""
    with pytest.raises(StepError, match="ada has a server that runs"):
        restoring.require_stopped({"ada"}, "ada", MANAGER)
    restoring.require_stopped({"bob"}, "ada", MANAGER)
