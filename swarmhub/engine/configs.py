"""Keep small facts on the cluster itself, as Swarm configs: they outlive every operator's machine."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from swarmhub.host import Host, Json


@dataclass(frozen=True)
class Record:
    """A Swarm config that holds JSON. Its data never changes; its labels may."""

    id: str
    name: str
    updated: str
    labels: Mapping[str, str]
    data: Json


def known(kind: type[Any], data: Json) -> Json:
    """Return the fields of `data` that a dataclass has: another version of swarmhub may have written more."""
    return {field.name: data[field.name] for field in fields(kind) if field.name in data}


def create(manager: Host, name: str, labels: Mapping[str, str], data: Json) -> str:
    """Make a record and return its id.

    Raises:
        EngineError: with status 409, there is one of that name: of several who try at once, one succeeds.

    """
    return create_file(manager, name, labels, json.dumps(data).encode())


def create_file(manager: Host, name: str, labels: Mapping[str, str], content: bytes) -> str:
    """Make a config of any content and return its id.

    Raises:
        EngineError: with status 409, there is one of that name.

    """
    body = {"Name": name, "Labels": dict(labels), "Data": base64.b64encode(content).decode()}
    return str(manager.engine.post("/configs/create", body)["ID"])


def ids(manager: Host) -> dict[str, str]:
    """Map the names of all configs to their ids."""
    return {one["Spec"]["Name"]: one["ID"] for one in manager.engine.get("/configs")}


def listed(manager: Host, label: str) -> tuple[Record, ...]:
    """Return the records with a label, by name."""
    found = manager.engine.get("/configs", filters={"label": [label]})
    return tuple(sorted((_record(one) for one in found), key=lambda record: record.name))


def relabel(manager: Host, id_: str, labels: Mapping[str, str]) -> None:
    """Change the labels of a record.

    Raises:
        EngineError: it is gone (404), or somebody else has changed it since.

    """
    found = manager.engine.get(f"/configs/{id_}")
    body = {**found["Spec"], "Labels": dict(labels)}
    manager.engine.post(f"/configs/{id_}/update", body, version=found["Version"]["Index"])


def _record(answer: Json) -> Record:
    spec = answer["Spec"]
    data = json.loads(base64.b64decode(spec["Data"]))
    return Record(answer["ID"], spec["Name"], answer["UpdatedAt"], spec["Labels"], data)
