"""Shared folders on nodes' own volumes, for people to write to."""

from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.host import Output
from swarmhub.notebooks import shared
from swarmhub.notebooks.shared import SharedVolume
from tests.unit.support.fakes import WORKER1, FakeHost, settings

TEAM = {"name": "team", "mount": "/srv/team", "read_only": False, "per_node": True}
WHERE = "/var/lib/docker/volumes/team/_data"
STAT = f"stat -c %u:%g {WHERE}"
GIVE = f"sh -c {shared.OPEN} sh {WHERE} 1000:100 .swarmhub"


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({}, ["team"]),
        ({"read_only": True}, []),
        ({"name": "work-{username}"}, []),
        ({"driver": "glusterfs", "per_node": False}, []),
    ],
)
def test_what_people_write_to_on_each_node_is_made(more: dict[str, Any], names: list[str]) -> None:
    """What is read only need not be theirs; one for each person is made when somebody comes."""
    assert list(shared.wanted(settings(folders=[TEAM | more]))) == names


@pytest.mark.parametrize(
    ("found", "planned"),
    [
        (SharedVolume("team"), ["create volume team, which people write to, on swarm-worker1"]),
        (SharedVolume("team", WHERE, "0:0"), ["open volume team, which people write to, on swarm-worker1"]),
        (SharedVolume("team", WHERE, "1000:100"), []),
    ],
)
def test_a_volume_is_given_to_the_people_once(found: SharedVolume, planned: list[str]) -> None:
    """What belongs to somebody else than root stays as it is."""
    changes = shared.plan(settings(folders=[TEAM]), WORKER1, [found])
    assert [one.sentence for one in changes] == planned


def test_a_volume_is_looked_at_and_made() -> None:
    """With the owner that new folders get; what fails names the command."""
    progress: Any = None  # nothing is said
    host = FakeHost(WORKER1, {"POST /volumes/create": {"Mountpoint": WHERE}})
    host.commands |= {STAT: Output(0, "0:0\n", ""), GIVE: Output(0, "", "")}
    assert shared.observe(host, ["team"]) == (SharedVolume("team"),)
    (change,) = shared.plan(settings(folders=[TEAM]), WORKER1, [SharedVolume("team")])
    change.apply(host, progress)
    host.engine.answers["GET /volumes/team"] = {"Mountpoint": WHERE}
    assert shared.observe(host, ["team"]) == (SharedVolume("team", WHERE, "0:0"),)
    host.commands[GIVE] = Output(1, "", "chown: no")
    with pytest.raises(StepError, match="cannot change the owner of volume team: chown: no"):
        change.apply(host, progress)
