"""Compare the specs of two services, whatever an engine fills in by itself."""

import copy
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from swarmhub.engine.swarm import configs
from swarmhub.host import Json
from swarmhub.plan.differences import Difference, differences
from swarmhub.settings import handed

# How a plan calls the files that it compares by content; a name with dots would look like several.
NAMES = {path: PurePosixPath(path).stem for path in handed.BEFORE.values()}
# A manager whose engine is older drops these fields of a container's tables.
YOUNGER = {"Privileges": "NoNewPrivileges", "Healthcheck": "StartInterval"}
KNOWN_FROM = 25
# Such an engine asks for the first time after the interval, and people wait for a hub until it has. Nanoseconds.
OLDER_INTERVAL = 5_000_000_000
# Before the id of a node, in a constraint.
PINNED = "node.id=="


def kept(wanted: dict[str, Any], engine: int) -> dict[str, Any]:
    """Return what a manager keeps of a spec, by its engine's major version."""
    spec = copy.deepcopy(wanted)
    container = spec["TaskTemplate"]["ContainerSpec"]
    for table, field in YOUNGER.items() if engine < KNOWN_FROM else ():
        if container.get(table, {}).pop(field, None) and table == "Healthcheck":
            container[table]["Interval"] = min(container[table]["Interval"], OLDER_INTERVAL)
    return spec


def compare(wanted: dict[str, Any], spec: Json) -> tuple[Difference, ...]:
    """Compare two whole specs; what an engine fills in by itself is no difference.

    A file whose content is known in both is compared by it, field by field, wherever an earlier release had it.
    """
    wanted, found = _normal(wanted), _normal(spec)
    _show_content(*(one["TaskTemplate"]["ContainerSpec"]["Configs"] for one in (wanted, found)))
    return differences(wanted, found)


def gist(spec: Json, networks: Sequence[str] = ()) -> str:
    """Return in a line what matters of a service's spec; `networks` are the names of those that it has by their ids."""
    template, container = spec["TaskTemplate"], spec["TaskTemplate"]["ContainerSpec"]
    constraints = (template.get("Placement") or {}).get("Constraints") or []
    parts = {
        "image": [container["Image"]],
        "ports": [_port(port) for port in (spec.get("EndpointSpec") or {}).get("Ports") or []],
        "networks": networks or [one["Target"] for one in template.get("Networks") or []],
        "mounts": [_mount(mount) for mount in container.get("Mounts") or []],
        "secrets": [one["File"]["Name"] for one in container.get("Secrets") or []],
        "placed": ["on every node"] if "Global" in (spec.get("Mode") or {}) else constraints,
    }
    return "; ".join(f"{name} {', '.join(values)}" for name, values in parts.items() if values)


def places(spec: Json) -> list[str]:
    """Return the constraints of a service: where it may run."""
    found: list[str] = (spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or []
    return found


def pinned(spec: Json) -> str:
    """Return the id of the node that a service is pinned to, or nothing."""
    return next((one.removeprefix(PINNED) for one in places(spec) if one.startswith(PINNED)), "")


def _port(port: Json) -> str:
    outside, inside = port["PublishedPort"], port["TargetPort"]
    return str(outside) if outside == inside else f"{outside}:{inside}"


def _mount(mount: Json) -> str:
    return str(mount["Target"]) if mount["Source"] == mount["Target"] else f"{mount['Source']}:{mount['Target']}"


def _normal(spec: Json) -> Json:
    spec = copy.deepcopy(spec)
    template = spec["TaskTemplate"]
    container = template["ContainerSpec"]
    values = environment(container)
    files = {one["File"]["Name"]: one for one in configs.references(spec)}
    container["Configs"] = {
        NAMES.get(path, path): {"File": _file(one["File"]), **{key: one.get(key) for key in ("ConfigName", configs.CONTENT)}}
        for path, one in files.items()
    } | {NAMES[path]: {configs.CONTENT: values.pop(name)} for name, path in handed.BEFORE.items() if name in values}
    container["Env"] = values
    container["Secrets"] = sorted(
        ({"SecretName": one["SecretName"], "File": one["File"]} for one in container.get("Secrets") or []),
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


def _file(file: Json) -> str:
    """Return where a file is mounted, and who may read it, in a line."""
    return f"{file['Name']}, mode {file['Mode']:04o} of {file['UID']}:{file['GID']}"


def _show_content(wanted: Json, found: Json) -> None:
    """Leave of each file its content, if that is known on both sides and not the same, else its config's name."""
    for name in {*wanted, *found}:
        pair = [one[name] for one in (wanted, found) if name in one]
        names = [one.get("ConfigName") for one in pair]
        is_told = all(one.get(configs.CONTENT) for one in pair) and (len(pair) == 1 or names[0] != names[1] or None in names)
        for one in pair:
            if is_told and (len(pair) == 2 or None in names):
                one[configs.CONTENT] = handed.read(one[configs.CONTENT])
                one.pop("ConfigName", None)
            else:
                one.pop(configs.CONTENT, None)


def environment(container: Json) -> dict[str, str]:
    """Return the variables of a container's part of a spec."""
    return dict(line.partition("=")[::2] for line in container.get("Env") or [])
