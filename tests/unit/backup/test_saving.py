"""The plan of a backup."""

from datetime import datetime

from swarmhub.backup import saving
from swarmhub.backup.contents import Contents
from swarmhub.backup.saving import Outcome
from swarmhub.notebooks.homes import HomeVolume
from tests.unit.backup.answers import answering, jobs, repository
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeProgress, settings

ADA = HomeVolume("jupyterhub-home-ada", "ada", datetime(2026, 11, 1))
SAVED = {"snapshot": "s", "files": 3, "bytes": 2000, "added": 500, "seconds": 1.5, "unread": []}


def test_the_hub_and_the_homes_of_each_node_are_saved_at_once() -> None:
    """Nobody is interrupted; a node without homes has nothing to do."""
    plan = saving.plan(settings(), repository(), Contents({WORKER1: (ADA,), WORKER2: ()}), {}, MANAGER, Outcome("RUN"))
    assert [change.sentence for change in plan.changes] == [f"save the hub's data on {MANAGER}", f"save 1 home on {WORKER1}"]
    assert (plan.at_once, {change.price for change in plan.changes}) == (True, {""})


def test_homes_on_a_file_server_are_read_by_the_manager() -> None:
    """Beside the hub, and not after it."""
    shared = ({"Type": "bind", "Source": "/mnt/homes", "Target": "/homes", "ReadOnly": True},)
    plan = saving.plan(settings(), repository(), Contents({}, shared=shared), {}, MANAGER, Outcome("RUN"))
    assert [change.place for change in plan.changes] == [f"{MANAGER} hub", f"{MANAGER} homes"]


def test_a_snapshot_says_whose_it_is_and_of_which_backup() -> None:
    """The database itself is not in it, but the copy that is made beside; homes are mounted read-only."""
    outcome, manager, worker = Outcome("RUN"), FakeHost(MANAGER, answering({"answer": SAVED})), FakeHost(WORKER1)
    worker.engine.answers = answering({"answer": SAVED | {"unread": [f"/homes/{n}: gone" for n in range(7)]}})
    plan = saving.plan(settings(), repository(), Contents({WORKER1: (ADA,)}), {"backup/x": b"1"}, MANAGER, outcome)
    progress = FakeProgress()
    for change, host in zip(plan.changes, (manager, worker), strict=True):
        change.apply(host, progress)
    (hub,), (homes,) = jobs(manager), jobs(worker)
    assert (hub["tags"], hub["node"]) == (["swarmhub:jupyterhub", "run:RUN", "part:hub"], MANAGER)
    assert (hub["is_hub"], hub["paths"]) == (True, ["/data", "/backup", "/etc/letsencrypt"])
    assert "/data/jupyterhub.sqlite" in hub["excludes"]
    assert (homes["tags"][2], homes["paths"], homes["is_hub"]) == ("part:homes", ["/homes", "/backup"], False)
    mounts = worker.engine.sent("POST /containers/create").body["HostConfig"]["Mounts"]
    assert [(one["Target"], one["ReadOnly"]) for one in mounts if one["Source"] == ADA.name] == [
        ("/homes/jupyterhub-home-ada", True)
    ]
    assert outcome.told(3.0) == "RUN: the hub and the homes of 1 node, 6 files, 4.0 kB; 1.0 kB sent, 3.0 s"
    lines = [line for _, line in progress.lines]
    assert lines[0] == "hub: 3 files, 2.0 kB; 500 bytes sent, 1.5 s"
    assert lines[-1] == "and 2 more"


def test_backups_are_thinned_out_where_the_settings_say_so() -> None:
    """By restic's own words; unasked, all stay."""
    host, progress = FakeHost(MANAGER, answering({"answer": {"removed": 3}})), FakeProgress()
    plan = saving.forgetting(settings(backup={"repository": "/mnt/b", "keep": "7d 4w 6m"}), repository(), MANAGER)
    plan.changes[0].apply(host, progress)
    assert jobs(host)[0]["keep"] == {"daily": 7, "weekly": 4, "monthly": 6}
    assert progress.lines == [(MANAGER, "3 snapshots removed; kept: 7d 4w 6m")]
    assert saving.forgetting(settings(), repository(), MANAGER).changes == ()
