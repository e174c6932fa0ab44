"""What the hub may make: a request is read into a typed value, and the engine's request is written from that value alone.

A value holds only what the hub may choose. All the rest is written by the functions that the hub itself writes it by, from
the policy. What the hub has sent must be just that, or it is refused: no field is left out, added, or written otherwise.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docker.types import ConfigReference, EndpointSpec

from hub.filter.fields import Refused, difference, part, same, shown, texts, whole
from hub.filter.policy import Policy
from hub.shared import services
from hub.shared.people import owners
from hub.shared.people.names import Names, of_docker
from hub.shared.people.owners import Owner
from hub.shared.servers import mounts, spec
from hub.shared.servers.mounts import HOME, LONGEST, NODE, USER
from hub.shared.servers.spec import CONFIG_FILES, CONFIG_FOLDER, Extra

Json = dict[str, Any]

ID = "[A-Za-z0-9]{1,64}"
NOTEBOOKS, OWNER, PROFILE, SERVER = spec.LABELS
OF_SERVICE = "swarmhub.service"
# Docker-py's arguments for what the hub may ask of a node, and where they are in a spec.
AMOUNTS = {
    "cpu_limit": ("Limits", "NanoCPUs"),
    "mem_limit": ("Limits", "MemoryBytes"),
    "cpu_reservation": ("Reservations", "NanoCPUs"),
    "mem_reservation": ("Reservations", "MemoryBytes"),
}
# Swarm's default, said: one task, and not one on every node.
ONCE = {"Mode": {"Replicated": {"Replicas": 1}}}


@dataclass(frozen=True)
class Server:
    """What the hub chooses of a server: whose it is, and what of the settings it has."""

    name: str
    whose: Names
    labels: Mapping[str, str]
    image: str
    network: str
    mode: str
    args: tuple[str, ...] | None
    environment: tuple[str, ...]
    mounts: tuple[Json, ...]
    configs: tuple[tuple[str, str, str], ...]
    amounts: Mapping[str, int]
    processes: int
    generic_resources: Mapping[str, int]
    placed: tuple[str, ...]
    locked: bool
    owner: Owner | None = None


EXAMPLE = Server(
    name="",
    whose=Names(""),
    labels={},
    image="",
    network="",
    mode="vip",
    args=None,
    environment=(),
    mounts=(),
    configs=(),
    amounts={},
    processes=0,
    generic_resources={},
    placed=(),
    locked=True,
)


def service(policy: Policy, body: Any) -> Json:
    """Return the request by which the engine makes a server's service, written from what the hub may choose of it.

    Raises:
        Refused: the hub has sent anything else.

    """
    return _equal(written(policy, read(policy, body)), body) | ONCE


def read(policy: Policy, body: Any) -> Server:
    """Return what a request chooses; what it may not choose is as the settings have it, and makes a difference.

    Raises:
        Refused: a choice is none of this user's.

    """
    template, endpoint = part(body, "TaskTemplate"), part(body, "EndpointSpec")
    container, resources = part(template, "ContainerSpec"), part(template, "Resources")
    labels = part(body, "Labels")
    user, profile, server = (str(part(labels, name) or "") for name in (OWNER, PROFILE, SERVER))
    # Of very long names, it would take minutes to find out which mounts are theirs.
    if not user or max(len(user), len(server)) > 255 or profile not in (policy.profiles or ("",)):
        raise Refused("Labels name no user and profile of the settings")
    whose = Names(user, server, profile)
    return Server(
        name=_name(policy, whose, part(body, "Name")),
        whose=whose,
        labels={name: _one(part(labels, name), values) for name, values in policy.labels.items() if part(labels, name)},
        image=_one(part(container, "Image"), policy.images),
        network=_one(part(template, "Networks", 0, "Target"), policy.networks),
        mode=_one(part(endpoint, "Mode"), ("dnsrr", "vip")),
        args=texts(part(container, "Args")),
        environment=_environment(policy, part(container, "Env")),
        mounts=tuple(_mounts(policy, whose, _without(policy, "mounts", part(container, "Mounts")))),
        configs=tuple(_configs(policy, _without(policy, "configs", part(container, "Configs")))),
        amounts={name: found for name, place in AMOUNTS.items() if (found := whole(part(resources, *place))) is not None},
        processes=whole(part(resources, "Limits", "Pids")) or 0,
        generic_resources=dict(_generic(policy, part(resources, "Reservations", "GenericResources"))),
        placed=tuple(_placed(policy, part(template, "Placement", "Constraints"))),
        locked=policy.locked or part(container, "Privileges") is not None,
        owner=_owner(policy, user, part(container, "User"), part(container, "Groups")),
    )


def written(policy: Policy, chosen: Server) -> Json:
    """Return the request for a server, as the hub writes it."""
    server = {
        "image": chosen.image,
        "drop_capabilities": chosen.locked,
        "processes": chosen.processes,
    }
    container = {
        "args": None if chosen.args is None else list(chosen.args),
        "env": list(chosen.environment),
        "mounts": list(chosen.mounts),
        **(chosen.owner.container if chosen.owner else {}),
        "configs": [ConfigReference(id_, name, filename=file) for id_, name, file in chosen.configs],
    }
    given = {**chosen.amounts, **({"generic_resources": chosen.generic_resources} if chosen.generic_resources else {})}
    extra = {part: dict(arguments) for part, arguments in policy.extra.items()}
    endpoint = {"mode": chosen.mode, **extra.pop("endpoint", {})}
    extra["resources"] = {**given, **extra.get("resources", {})}
    whose = (policy.service, chosen.whose.user, chosen.whose.profile, chosen.whose.server)
    return {
        "Name": chosen.name,
        "Labels": {**chosen.labels, **dict(zip(spec.LABELS, whose, strict=True))},
        "TaskTemplate": spec.task_template(server, container, list(chosen.placed), chosen.network, Extra(**extra)),
        "EndpointSpec": EndpointSpec(**endpoint),
    }


def config(policy: Policy, body: Any) -> Json:
    """Return the request by which a Swarm config is made: the file that servers are given, or the record of a home.

    Raises:
        Refused: it is neither.

    """
    return _equal(_record(policy, body) if part(body, "Labels", HOME) is not None else _file(policy, body), body)


def is_our_service(policy: Policy, found: Json) -> bool:
    """Tell whether a service, as the engine shows it, is one of the hub's servers."""
    return (found["Spec"].get("Labels") or {}).get(NOTEBOOKS) == policy.service


def is_our_home(policy: Policy, found: Json) -> bool:
    """Tell whether a Swarm config records the home of one of the hub's users."""
    return (found["Spec"].get("Labels") or {}).get(HOME) == policy.service


def is_our_config(policy: Policy, found: Json) -> bool:
    """Tell whether a Swarm config is one that the hub makes."""
    is_given = bool(re.fullmatch(_notebook(policy), found["Spec"]["Name"]))
    return is_our_home(policy, found) or (is_given and found["Spec"].get("Labels") == {OF_SERVICE: policy.service})


def _equal(made: Json, sent: Any) -> Json:
    """Return what was made, if it is what was sent.

    Raises:
        Refused: it is not.

    """
    if not same(made, sent):
        raise Refused(difference(sent, made))
    return made


def _record(policy: Policy, body: Any) -> Json:
    name, user, node = part(body, "Name"), part(body, "Labels", USER), part(body, "Labels", NODE)
    begins = re.escape(mounts.beginning(policy.home["name"], policy.service))
    if not _fits(rf"(?=.{{1,{LONGEST}}}\Z){begins}[A-Za-z0-9_.-]*", name):
        raise Refused(f"Name may not be {shown(name)}")
    if not _fits(ID, node) or not isinstance(user, str):
        raise Refused("Labels name no user or no node")
    return {"Name": name, "Data": "e30=", "Labels": {HOME: policy.service, USER: user, NODE: node}}  # {}


def _file(policy: Policy, body: Any) -> Json:
    """Return the request for a file; its name is its content's: nobody can put another where servers look for the hub's."""
    data = part(body, "Data")
    try:
        content = base64.b64decode(data if isinstance(data, str) else "?", validate=True)
    except ValueError:
        raise Refused("Data is not base64") from None
    digests = [hashlib.sha256(content).hexdigest()[:length] for length in (spec.DIGITS, spec.FORMER_DIGITS)]
    name = _one(part(body, "Name"), [f"{policy.service}-notebook-{digest}" for digest in digests])
    return {"Name": name, "Data": data, "Labels": {OF_SERVICE: policy.service}}


def _one(value: Any, allowed: Any) -> Any:
    """Return a value if it is allowed, else one that is: it differs, and so the request is refused."""
    return value if isinstance(value, str) and value in allowed else next(iter(allowed), "")


def _fits(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(pattern, value, re.ASCII))


def _name(policy: Policy, whose: Names, asked: Any) -> str:
    """Return the name of a server: that of its user and its own, so that no other hub's, longer by a part, can be taken."""
    if policy.own_names:
        if not _fits(rf"(?=.{{1,{LONGEST}}}\Z){re.escape(policy.service)}-[A-Za-z0-9_-]*[A-Za-z0-9]", asked):
            raise Refused(f"Name may not be {shown(asked)}")
        if asked in services.names(policy.service):
            raise Refused(f"Name may not be {shown(asked)}, the name of one of the hub's own services")
        return str(asked)
    server = f"--{of_docker(whose.server.lower())}" if whose.server else ""
    name = services.server(f"{policy.service}-{of_docker(whose.user)}{server}", policy.service)
    return str(_one(asked, (mounts.short(name), mounts.formerly(name))))


def _without(policy: Policy, key: str, value: Any) -> Any:
    """Return a list without what the operator's own options add at its end, always."""
    count = len(policy.extra.get("container", {}).get(key) or ())
    return value[:-count] if count and isinstance(value, list) else value


def _environment(policy: Policy, value: Any) -> tuple[str, ...]:
    own = len(policy.extra.get("container", {}).get("env") or ())
    found = texts(value)
    if found is None:
        raise Refused("TaskTemplate.ContainerSpec.Env is no list of texts")
    found = found[own:]  # the operator's own come first
    for number, one in enumerate(found, own):
        if not mounts.is_literal(one):
            raise Refused(f"TaskTemplate.ContainerSpec.Env[{number}] is a Go template, which Swarm expands on the manager")
    return found


def _owner(policy: Policy, user: str, asked: Any, groups: Any) -> Owner | None:
    """Return as whom a user's server runs: as the list says, or of what the hub says as from the provider, what is in range."""
    table = policy.owners
    if not table:
        return None
    if not table["claims"]:
        try:
            return owners.listed(table, user)
        except owners.Unknown as error:
            raise Refused(str(error)) from None
    numbers = [*(asked.split(":") if isinstance(asked, str) else ()), *(texts(groups) or ())]
    if len(numbers) < 2 or not all(_fits("[1-9][0-9]{0,9}", one) for one in numbers):
        raise Refused("TaskTemplate.ContainerSpec.User is no UID:GID, or its Groups are no numbers")
    uid, gid, *more = map(int, numbers)
    default = int(policy.home["owner"].partition(":")[2])
    if not all(owners.is_within(table, one) for one in (uid, *more, *([] if gid == default else [gid]))):
        raise Refused(f"TaskTemplate.ContainerSpec.User: {shown(asked)} is not of the numbers {owners.between(table)}")
    return Owner(uid, gid, tuple(more))


def _mounts(policy: Policy, whose: Names, value: Any) -> Iterator[Json]:
    """Yield those mounts of a list that the settings give to the user and the profile."""
    places = policy.home_mounts or ("",)
    homes = [home for at in places if (home := mounts.home({"home": policy.home}, policy.service, whose, at))]
    shared = mounts.folders({"folders": [{**one, "groups": []} for one in policy.folders]}, policy.service, whose, ())
    makes = [*(one for home in homes for one in home.mounts), *shared, *map(mounts.memory, policy.shared_memory)]
    allowed = [one for one in makes if one.get("Source") not in policy.reserved]
    for number, asked in enumerate(value if isinstance(value, list) else ()):
        found = next((one for one in allowed if same(one, asked)), None)
        if found is None:
            source = shown(part(asked, "Source")) if isinstance(asked, dict) else "this"
            where = f"TaskTemplate.ContainerSpec.Mounts[{number}]"
            raise Refused(f"{where}: {source} is no mount that the settings give this user, or not with these options")
        yield found


def _configs(policy: Policy, value: Any) -> Iterator[tuple[str, str, str]]:
    places = [f"{CONFIG_FOLDER}/{file}" for file in CONFIG_FILES]
    for one in value if isinstance(value, list) else ():
        id_, name = part(one, "ConfigID"), part(one, "ConfigName")
        if _fits(ID, id_) and _fits(_notebook(policy), name):
            yield id_, name, _one(part(one, "File", "Name"), places)


def _generic(policy: Policy, value: Any) -> Iterator[tuple[str, int]]:
    for one in value if isinstance(value, list) else ():
        kind, count = (part(one, "DiscreteResourceSpec", key) for key in ("Kind", "Value"))
        if kind in policy.generic_resources and whole(count) is not None:
            yield kind, count


def _placed(policy: Policy, value: Any) -> Iterator[str]:
    """Yield those constraints of a list that the hub may choose; the operator's own come behind them, always."""
    sent = value if isinstance(value, list) else []
    count = len(policy.constraints)
    allowed = {*_held(policy)}
    for one in sent[: len(sent) - count]:
        if isinstance(one, str) and (one in allowed or _fits(f"node\\.id[!=]={ID}", one)):
            yield one


def _held(policy: Policy) -> Iterator[str]:
    """Yield the constraints that the settings' images and node labels make."""
    for image in policy.images:
        yield from spec.constraints({"image": image, "node_labels": {}})
    for name, values in policy.node_labels.items():
        yield from (f"node.labels.{name}=={value}" for value in values)


def _notebook(policy: Policy) -> str:
    return rf"{re.escape(policy.service)}-notebook-(?:[0-9a-f]{{{spec.DIGITS}}}|[0-9a-f]{{{spec.FORMER_DIGITS}}})"
