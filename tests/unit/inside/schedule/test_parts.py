"""What each node does of a schedule."""

from typing import Any

import pytest

from swarmhub.inside.backup.places import Failed
from swarmhub.inside.schedule.drill import DrillError
from swarmhub.inside.schedule.parts import Node
from tests.unit.inside.schedule.cluster import HUB, MANAGER, SECRETS, WORKER, FakeEngine, schedule, volume

SLOT = 20_000 * 86400.0
PROGRAM = {"swarmhub/inside/backup/__main__.py": b"code"}


def node(engine: FakeEngine, **more: Any) -> Node:
    """Return a node with a schedule."""
    return Node(schedule(**more), SECRETS, PROGRAM, engine, lambda _: None)


def test_each_node_has_its_parts() -> None:
    """The hub's all, others their homes; none where homes are on a file server, or are not saved."""
    manager, worker = FakeEngine(MANAGER), FakeEngine(WORKER)
    everything = {"keep": {"daily": 7}, "verify": 7 * 86400}
    assert [*node(manager, **everything).periods] == ["hub", "homes", "thin", "verify"]
    assert [*node(manager).periods] == ["hub", "homes"]
    assert node(worker, **everything).periods == {"homes": 86400}
    assert node(worker, volumes=False, shared=[{"Target": "/homes"}]).periods == {}
    assert [*node(manager, volumes=False).periods] == ["hub"]


def test_the_hub_is_saved_as_by_hand() -> None:
    """With the same tags, mounts and files; the repository is made before the first backup only."""
    engine = FakeEngine(MANAGER)
    told = node(engine).do("hub", SLOT, is_first=True)
    opened, saved = engine.jobs
    assert (opened["action"], opened["make"], saved["action"], saved["is_hub"]) == ("open", True, "save", True)
    assert (saved["tags"], saved["node"]) == ([f"swarmhub:{HUB}", "run:20241004-000000", "part:hub"], "swarm-manager1")
    assert (saved["paths"], saved["excludes"]) == (["/data", "/backup"], ["/data/jupyterhub.sqlite"])
    assert [one["Target"] for one in engine.bodies[1]["HostConfig"]["Mounts"]] == ["/cache", "/data"]
    assert {"backup/cluster.json", "backup/settings/hosts.toml", *PROGRAM} <= engine.files[1].keys()
    assert told == {"files": 3, "bytes": 2000, "added": 500, "seconds": 1.5, "unread": 0}
    node(engine).do("hub", SLOT, is_first=False)
    assert [one["action"] for one in engine.jobs] == ["open", "save", "save"]


def test_each_container_has_a_host_name_of_its_own() -> None:
    """By the node's own, restic would take another one's lock for that of a process which has ended, and remove it."""
    engine = FakeEngine(MANAGER)
    node(engine).do("hub", SLOT, is_first=True)
    assert len({one["Hostname"] for one in engine.bodies}) == len(engine.bodies) > 1


def test_secrets_are_in_the_job_alone() -> None:
    """Neither in a container's variables nor in its arguments."""
    engine = FakeEngine(MANAGER)
    node(engine).do("hub", SLOT, is_first=False)
    assert engine.jobs[0]["password"] == "hush"
    assert "hush" not in str(engine.bodies)


def test_a_database_on_a_server_is_read_for_the_hubs_backup_alone() -> None:
    """A drill that knew it would put an old state in the place of what people work with."""
    engine = FakeEngine(MANAGER)
    one = Node(schedule(verify=7 * 86400), {**SECRETS, "database": "postgresql://hub"}, PROGRAM, engine, lambda _: None)
    one.do("hub", SLOT, is_first=True)
    one.do("homes", SLOT, is_first=False)
    told = {job["action"]: job.get("database") for job in engine.jobs if job.get("is_hub") or job["action"] == "open"}
    assert told == {"open": None, "save": "postgresql://hub"}
    assert [job for job in engine.jobs if not job.get("is_hub") and "database" in job] == []


def test_a_node_saves_its_own_homes() -> None:
    """By their labels; those made by hand by their names. Neither another hub's, nor what is elsewhere and only mounted."""
    engine = FakeEngine(WORKER)
    engine.volumes = [
        volume("jupyterhub-home-ada", {"swarmhub.home": HUB}),
        volume("work-grace"),
        volume("work-eve", {"swarmhub.home": "other"}),
        volume("jupyterhub-home-far", {"swarmhub.home": HUB}, Options={"device": ":/export"}),
        volume("jupyterhub-home-driver", {"swarmhub.home": HUB}, Driver="rexray"),
        volume("jupyterhub-data"),
    ]
    node(engine, by_hand="work\\-[a-z]+").do("homes", SLOT, is_first=False)
    mounts = engine.bodies[0]["HostConfig"]["Mounts"][1:]
    assert [(one["Source"], one["ReadOnly"]) for one in mounts] == [("jupyterhub-home-ada", True), ("work-grace", True)]
    assert engine.jobs[0]["paths"] == ["/homes", "/backup"]


def test_a_node_without_homes_does_nothing() -> None:
    """That is no failure."""
    engine = FakeEngine(WORKER)
    assert (node(engine).do("homes", SLOT, is_first=True)["bytes"], engine.jobs) == (0, [])


def test_homes_on_a_file_server_are_saved_by_the_hubs_node() -> None:
    """All at once, from the folder that they are in."""
    engine, shared = FakeEngine(MANAGER), [{"Type": "bind", "Source": "/srv", "Target": "/homes"}, {"Target": "/marker"}]
    node(engine, volumes=False, shared=shared).do("homes", SLOT, is_first=False)
    assert engine.bodies[0]["HostConfig"]["Mounts"][1:] == shared


def test_what_a_container_says_is_wrong_is_told() -> None:
    """With its kind, by which remedies go; or the last thing that it said, where it has no answer."""
    engine = FakeEngine(MANAGER, {"save": {"failed": "wrong password", "kind": "password"}})
    with pytest.raises(Failed, match="wrong password") as failed:
        node(engine).do("homes" if engine.volumes else "hub", SLOT, is_first=False)
    assert failed.value.kind == "password"


def test_backups_are_thinned_out() -> None:
    """As backup.keep says, in restic's words."""
    engine = FakeEngine(MANAGER, {"forget": {"answer": {"removed": 2}}})
    assert node(engine, keep={"daily": 7}).do("thin", SLOT, is_first=False) == {"removed": 2}
    assert (engine.jobs[0]["tag"], engine.jobs[0]["keep"]) == (f"swarmhub:{HUB}", {"daily": 7})


def test_the_newest_backup_is_tried() -> None:
    """In the image of the hub that runs; the scratch volume is gone afterwards."""
    listed = [
        {"id": "h", "time": "2026-11-30T00:00:01Z", "hostname": "swarm-manager1", "tags": ["run:R", "part:hub"]},
        {"id": "w", "time": "2026-11-30T00:00:02Z", "hostname": "swarm-worker1", "tags": ["run:R", "part:homes"]},
    ]
    restored = {"rows": {"users": 3}, "made": "2026-11-30T00:00:00+00:00", "versions": {}}
    engine = FakeEngine(
        MANAGER,
        {
            "list": {"answer": {"snapshots": listed}},
            "restore-hub": {"answer": restored},
            "open-home": {"answer": {"opened": {"home": "ada", "bytes": 5, "sha256": "f00"}}},
            "keep-evidence": {"answer": {}},
        },
    )
    told = node(engine, verify=1).do("verify", SLOT, is_first=True)
    assert told["backup"] == "R"
    booted = next(body for body in engine.bodies if body["Image"] == "jupyterhub:1")
    assert (booted["HostConfig"]["NetworkMode"], booted["Labels"]) == ("none", {"swarmhub": "schedule"})
    kept = engine.jobs[-1]["evidence"]
    assert (kept["outcome"], kept["home"]["host"], kept["hub"]["user"]) == ("passed", "swarm-worker1", "ada")
    assert engine.gone == [f"/volumes/{HUB}_drill"] * 2


def test_a_drill_does_not_empty_somebody_elses_volume() -> None:
    """The volume `drill` of a stack called like the hub; one of a longer name is of no matter."""
    listed = [{"id": "h", "time": "2026-11-30T00:00:01Z", "hostname": "swarm-manager1", "tags": ["run:R", "part:hub"]}]
    engine = FakeEngine(MANAGER, {"list": {"answer": {"snapshots": listed}}})
    engine.volumes = [volume(f"{HUB}_drill-schedule"), volume(f"{HUB}_drill", {"com.docker.stack.namespace": HUB})]
    with pytest.raises(DrillError, match=f"somebody else has made the volume {HUB}_drill"):
        node(engine, verify=1).do("verify", SLOT, is_first=True)
    assert (engine.gone, [job["action"] for job in engine.jobs]) == ([], ["list"])


def test_what_an_earlier_container_has_left_goes() -> None:
    """One that was killed could not remove what worked for it."""
    engine = FakeEngine(MANAGER)
    engine.containers = [{"Id": "c1"}]
    node(engine).sweep()
    assert engine.gone == ["/containers/c1"]
