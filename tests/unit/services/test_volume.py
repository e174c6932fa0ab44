"""The hub's data volume: made once, and never replaced."""

from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.services import volume
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, settings

ANSWER: dict[str, Any] = {
    "CreatedAt": "2026-11-15T10:00:00Z",
    "Driver": "local",
    "Labels": None,
    "Mountpoint": "/var/lib/docker/volumes/jupyterhub-data/_data",
    "Name": "jupyterhub-data",
    "Options": None,
    "Scope": "local",
}
NFS = {"type": "nfs", "o": "addr=10.0.0.9,rw", "device": "nas:/export/hub"}


def test_settings_reach_the_request() -> None:
    """Name, driver and options of the volume are those of hosts.toml."""
    wanted = volume.desired(settings(volume={"name": "data", "driver": "local", "options": NFS}))
    assert wanted == {"Name": "data", "Driver": "local", "DriverOpts": NFS}


def test_a_missing_volume_is_created_on_the_manager() -> None:
    """The plan shows its fields and docker's own command, and applying it sends the wanted body."""
    host, wanted = FakeHost(), volume.desired(settings(volume={"options": NFS}))
    (change,) = volume.plan(wanted, volume.observe(host, "jupyterhub-data"), MANAGER).changes
    assert [item.path for item in change.differences] == ["Name", "Driver", *(f"DriverOpts.{name}" for name in NFS)]
    assert change.command.startswith("docker volume create --driver local --opt type=nfs")
    change.apply(host, FakeProgress())
    assert (change.host, host.engine.sent("POST /volumes/create").body) == (MANAGER, wanted)


@pytest.mark.parametrize("options", [None, {}])
def test_a_volume_as_wanted_is_left_alone(options: object) -> None:
    """An engine answers no options as null or as an empty map; both are as wanted."""
    host = FakeHost(answers={"GET /volumes/jupyterhub-data": ANSWER | {"Options": options}})
    assert volume.plan(volume.desired(settings()), volume.observe(host, "jupyterhub-data"), MANAGER).changes == ()


@pytest.mark.parametrize(
    ("table", "drift", "said"),
    [
        ({}, {"Driver": "rexray"}, "Driver is 'rexray', wanted 'local'"),
        ({"options": NFS}, {}, "DriverOpts is None, wanted"),
        (
            {"options": NFS},
            {"Options": NFS | {"device": "nas:/else"}},
            "DriverOpts.device is 'nas:/else', wanted 'nas:/export/hub'",
        ),
        ({}, {"Options": {"type": "tmpfs"}}, "DriverOpts.type is 'tmpfs', wanted None"),
    ],
)
def test_a_volume_that_differs_is_never_replaced(table: dict[str, Any], drift: dict[str, Any], said: str) -> None:
    """A volume with another driver or other options is refused: it holds the hub's data."""
    with pytest.raises(StepError) as refused:
        volume.plan(volume.desired(settings(volume=table)), ANSWER | drift, MANAGER)
    assert said in refused.value.cause
    assert "holds the hub's data and is not replaced: change hosts.toml, or move the data" in str(refused.value)
