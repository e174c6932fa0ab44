"""Keep small facts on the cluster itself, as Swarm configs: they outlive every operator's machine. So do files of services.

A service's file is a config that is named by its content. The spec of a service that is wanted carries the content, and so
does one that was `filled`: then two of them can be compared, and what is missing can be made.
"""

import base64
import copy
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from http import HTTPStatus
from typing import Any

from hub.shared.servers.mounts import FORMER_HASH, HASH
from swarmhub.host import EngineError, Host, Json
from swarmhub.plan import shown
from swarmhub.plan.differences import LATER
from swarmhub.plan.plans import Change, Progress

# On a config that is a file of a service; its value is the file's path in the container.
FILE = "swarmhub.file"
CONTENT = "Data"
# The file is the hub's user's to read, which has root's group; or everybody's.
GROUPS, EVERYBODYS = 0o440, 0o444
# Of a content's hash, in a config's name; an earlier release wrote fewer.
DIGITS, FORMER_DIGITS = HASH, FORMER_HASH
# A value of a file that only a later step can know: nor can then the file's name be known,
# but for what tells it from another such file, behind a #.
UNKNOWN = re.compile(rf'"({LATER}[a-z-]+)"')


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
    return _create(manager, name, labels, json.dumps(data, separators=(",", ":")))


def _create(manager: Host, name: str, labels: Mapping[str, str], content: str) -> str:
    body = {"Name": name, "Labels": dict(labels), "Data": base64.b64encode(content.encode()).decode()}
    return str(manager.engine.post("/configs/create", body)["ID"])


def ids(manager: Host, names: Sequence[str]) -> dict[str, str]:
    """Map the names of configs to their ids; an answer has the whole content of each, so only these are asked for."""
    return {one["Spec"]["Name"]: one["ID"] for one in manager.engine.get("/configs", filters={"name": [*names]})}


def listed(manager: Host, label: str) -> tuple[Record, ...]:
    """Return the records with a label, by name."""
    found = manager.engine.get("/configs", filters={"label": [label]})
    return tuple(sorted((record(one) for one in found), key=lambda record: record.name))


def relabel(manager: Host, id_: str, labels: Mapping[str, str]) -> None:
    """Change the labels of a record.

    Raises:
        EngineError: it is gone (404), or somebody else has changed it since.

    """
    found = manager.engine.get(f"/configs/{id_}")
    body = {**found["Spec"], "Labels": dict(labels)}
    manager.engine.post(f"/configs/{id_}/update", body, version=found["Version"]["Index"])


def record(answer: Json) -> Record:
    """Read a record as the swarm lists it."""
    spec = answer["Spec"]
    data = json.loads(_content(spec))
    return Record(answer["ID"], spec["Name"], answer["UpdatedAt"], spec["Labels"], data)


@dataclass(frozen=True)
class StoredFile:
    """A service's file as the swarm keeps it; `path` is where it is in the container."""

    id: str
    path: str
    content: str


def files(manager: Host, label: str = "") -> dict[str, StoredFile]:
    """Ask for the files of services by their configs' names; `label` tells whose."""
    return read_files(manager.engine.get("/configs", filters={"label": [FILE, *([label] if label else [])]}))


def read_files(listed: Sequence[Json]) -> dict[str, StoredFile]:
    """Return those of the configs that are files of services."""
    labels = ((one, (one["Spec"].get("Labels") or {}).get(FILE)) for one in listed)
    return {one["Spec"]["Name"]: StoredFile(one["ID"], path, _content(one["Spec"])) for one, path in labels if path}


def reference(path: str, prefix: str, content: str, mode: int = GROUPS) -> Json:
    """Return how a file is mounted; its config's name is the prefix with a digest of the content."""
    return {
        "ConfigName": _name(prefix, content, DIGITS),
        "File": {"Name": path, "UID": "0", "GID": "0", "Mode": mode},
        CONTENT: content,
    }


def _name(prefix: str, content: str, digits: int) -> str:
    digest = hashlib.sha256(content.encode()).hexdigest()[:digits]
    later = UNKNOWN.search(content)
    return f"{prefix}-{later[1]}#{digest}" if later else f"{prefix}-{digest}"


def keeping(wanted: Json, found: Json | None) -> Json:
    """Return a wanted spec with the configs of the one that was found, where an earlier release has named them by its content.

    Nothing is replaced for the sake of a longer name.
    """
    spec, there = copy.deepcopy(wanted), {one["File"]["Name"]: one for one in references(found)} if found else {}
    for one in references(spec):
        former = _name(one["ConfigName"].rpartition("-")[0], one[CONTENT], FORMER_DIGITS)
        held = there.get(one["File"]["Name"], {})
        if held.get("ConfigName") == former and held.get(CONTENT, one[CONTENT]) == one[CONTENT]:
            one["ConfigName"] = former
    return spec


def references(spec: Json) -> list[Json]:
    """Return the files of a service's spec."""
    return spec["TaskTemplate"]["ContainerSpec"].get("Configs") or []


def content(spec: Json, path: str) -> str:
    """Return what is in a file of a service, nothing where that is not known."""
    return next((one.get(CONTENT, "") for one in references(spec) if one["File"]["Name"] == path), "")


def filled(spec: Json, known: Mapping[str, StoredFile]) -> Json:
    """Return a service's spec with the content of those of its files that are known."""
    spec = copy.deepcopy(spec)
    for one in references(spec):
        if one["ConfigName"] in known:
            one[CONTENT] = known[one["ConfigName"]].content
    return spec


def bare(spec: Json) -> Json:
    """Return a service's spec without the content of its files, as an engine takes it."""
    spec = copy.deepcopy(spec)
    for one in references(spec):
        one.pop(CONTENT, None)
    return spec


def missing(spec: Json, known: Collection[str], labels: Mapping[str, str], manager: str) -> list[Change]:
    """Return what makes the files of a spec that are missing; what fails later takes one away that nobody uses."""
    return [
        Change(
            "create",
            f"config {one['ConfigName'].partition('#')[0]} ({shown.size(len(one[CONTENT].encode()))})",
            manager,
            partial(_make, one, labels),
            undo=partial(_forget, one["ConfigName"]),
        )
        for one in references(spec)
        if one["ConfigName"] not in known
    ]


def ensure(manager: Host, spec: Json, labels: Mapping[str, str]) -> dict[str, str]:
    """Make the files of a spec that are missing, and map the names of all to their ids."""
    wanted = {one["ConfigName"]: one for one in references(spec)}
    found = ids(manager, [*wanted]) if wanted else {}
    lacking = [one for name, one in wanted.items() if name not in found]
    return found | {
        one["ConfigName"]: _create(manager, one["ConfigName"], _labels(one, labels), one[CONTENT]) for one in lacking
    }


def tidy(manager: Host, spec: Json, label: str, *, is_gone: bool = False) -> None:
    """Remove what earlier specs of a service had in place of its files; those too, where the service is gone."""
    kept = {one["ConfigName"] for one in references(spec) if not is_gone}
    paths = {one["File"]["Name"] for one in references(spec)}
    for name, file in files(manager, label).items():
        if file.path in paths and name not in kept:
            remove(manager, file.id)


def remove(manager: Host, id_: str) -> None:
    """Remove a config, unless a service uses it."""
    try:
        manager.engine.delete(f"/configs/{id_}")
    except EngineError as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise


def _make(one: Json, labels: Mapping[str, str], manager: Host, _: Progress) -> None:
    try:
        _create(manager, one["ConfigName"], _labels(one, labels), one[CONTENT])
    except EngineError as error:
        if error.status != HTTPStatus.CONFLICT:  # of that name, so of that content
            raise


def _forget(name: str, manager: Host, _: Progress) -> None:
    for id_ in ids(manager, [name]).values():
        remove(manager, id_)


def _labels(one: Json, labels: Mapping[str, str]) -> dict[str, str]:
    return {**labels, FILE: one["File"]["Name"]}


def _content(spec: Json) -> str:
    return base64.b64decode(spec.get("Data") or "").decode()
