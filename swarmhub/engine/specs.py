"""Compare the specs of two services, whatever an engine fills in by itself."""

import copy
from typing import Any

from swarmhub.host import Json
from swarmhub.plan.differences import Difference, differences
from swarmhub.settings import handed

# Younger than the rest: an engine that does not know one keeps the table without it.
YOUNGER = {"Privileges": "NoNewPrivileges", "Healthcheck": "StartInterval"}


def compare(wanted: dict[str, Any], spec: Json) -> tuple[Difference, ...]:
    """Compare two whole specs; what an engine fills in by itself is no difference."""
    wanted, found = _normal(wanted), _normal(spec)
    for table, field in YOUNGER.items():
        new, old = (one["TaskTemplate"]["ContainerSpec"].get(table) for one in (wanted, found))
        if new and old is not None and field not in old:
            new.pop(field, None)
    return differences(wanted, found)


def _normal(spec: Json) -> Json:
    spec = copy.deepcopy(spec)
    template = spec["TaskTemplate"]
    container = template["ContainerSpec"]
    values: dict[str, Any] = environment(container)
    if handed.VARIABLE in values:
        values[handed.VARIABLE] = handed.read(values[handed.VARIABLE])
    container["Env"] = values
    container["Secrets"] = sorted(
        ({"SecretName": one["SecretName"], "File": one["File"]} for one in container.get("Secrets") or []),
        key=lambda one: str(one["File"]["Name"]),
    )
    container["Configs"] = sorted(
        ({"ConfigName": one["ConfigName"], "File": one["File"]} for one in container.get("Configs") or []),
        key=lambda one: str(one["File"]["Name"]),
    )
    container["Mounts"] = sorted(container.get("Mounts") or [], key=lambda mount: str(mount["Target"]))
    filled_in = {"Runtime": "container", "ForceUpdate": template.get("ForceUpdate")}
    for key, value in filled_in.items():
        if template.get(key) == value:
            template.pop(key, None)
    if container.get("Isolation") == "default":
        del container["Isolation"]
    return spec


def environment(container: Json) -> dict[str, str]:
    """Return the variables of a container's part of a spec."""
    return dict(line.partition("=")[::2] for line in container.get("Env") or [])
