"""The volume that keeps users, cookies and the hub's database over a restart."""

from typing import Any

from swarmhub.engine import containers as tools
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.plan import commands
from swarmhub.plan.differences import differences, flat
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.settings import Settings

STEP = "volume"


def desired(settings: Settings) -> dict[str, Any]:
    """Return the body of the request that makes the volume."""
    volume = settings.volume
    return {"Name": volume.name, "Driver": volume.driver, "DriverOpts": dict(volume.options)}


def observe(manager: Host, name: str) -> Json | None:
    """Ask for the volume."""
    return manager.engine.find(f"/volumes/{name}")


def containers(manager: Host, name: str) -> tuple[Json, ...]:
    """Ask for the containers that have the volume, running or not; not for those of services, nor for our tools."""
    listed = manager.engine.get("/containers/json", all=True, filters={"volume": [name]})
    return tuple(one for one in listed if tools.is_plain(one))


def mounted(spec: Json) -> set[str]:
    """Return the names of the volumes that a service has mounted."""
    mounts = spec["TaskTemplate"].get("ContainerSpec", {}).get("Mounts") or []
    return {mount["Source"] for mount in mounts if mount.get("Type") == "volume" and mount.get("Source")}


def plan(wanted: dict[str, Any], found: Json | None, manager: str) -> Plan:
    """Return what makes the volume, if it is missing.

    Raises:
        StepError: it is there with another driver or other options; it holds data and is never replaced.

    """
    name = wanted["Name"]
    if found is None:
        gist = ", ".join([wanted["Driver"], *(f"{option}={value}" for option, value in wanted["DriverOpts"].items())])
        command = commands.volume(wanted)
        create = Change("create", f"volume {name}", manager, _creator(wanted), flat(wanted), command=command, gist=gist)
        return Plan(STEP, "", (create,))
    differs = differences(wanted, {"Name": found["Name"], "Driver": found["Driver"], "DriverOpts": found["Options"]})
    if differs:
        fields = "; ".join(f"{item.path} is {item.found!r}, wanted {item.wanted!r}" for item in differs)
        remedy = (
            f"It holds the hub's data and is not replaced: change hosts.toml, or move the data and: docker volume rm {name}"
        )
        raise StepError(manager, f"volume {name} differs: {fields}", remedy)
    return Plan(STEP, f"{name}: {found['Driver']}, on {manager}")


def _creator(wanted: dict[str, Any]) -> Any:
    def create(host: Host, progress: Progress) -> None:
        host.engine.post("/volumes/create", wanted)

    return create
