"""Decide what becomes of a request: what the engine is asked for it, or why it is refused.

The rules are the whole of what the hub asks: the modules of hub/spawner/, and the parts of
dockerspawner that they use. Whoever lets the hub ask for more, adds it here.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from hub.filter import bodies, line
from hub.filter.bodies import Json
from hub.filter.fields import Refused, decode, shown
from hub.filter.line import Line
from hub.filter.policy import Policy
from hub.shared.servers import mounts

# Stands in a call for the id of what has been found to be the hub's.
OWN = "{id}"
# A tree of the keys that the hub is shown of an answer; {} is all that is there.
Shape = Mapping[str, Any]

ALL: Shape = {}
VERSION: Shape = {"ApiVersion": ALL, "MinAPIVersion": ALL, "Version": ALL}
NODE: Shape = {
    "ID": ALL,
    "Description": {"Hostname": ALL},
    "Status": {"State": ALL},
    "Spec": {"Availability": ALL, "Role": ALL},
}
NETWORK: Shape = {"Id": ALL, "Name": ALL, "IPAM": {"Config": ALL}}
IMAGE: Shape = {"Id": ALL, "Config": {"Cmd": ALL}}
SERVER: Shape = {"ID": ALL, "Spec": {"Name": ALL, "Labels": ALL}}
# Of what is not the hub's it counts the addresses.
SERVICE: Shape = {"ID": ALL, "Endpoint": {"VirtualIPs": {"NetworkID": ALL}}}
TASK: Shape = {"ID": ALL, "Status": {"State": ALL}, "NetworksAttachments": {"Network": {"ID": ALL}}}
CONFIG: Shape = {"ID": ALL, "Spec": {"Name": ALL, "Labels": ALL}}

UPGRADES = ("upgrade", "http2-settings", "content-encoding")
LOGS = {"details": "false", "follow": "false", "stdout": "true", "stderr": "true", "since": "0", "timestamps": "false"}
PARTS = re.compile(rf"/([a-z]+)(?:/({line.NAME}))?(/logs)?")


@dataclass(frozen=True)
class Request:
    """What the hub sends: the method, the target as it stands in the request's line, the headers' names, and the body."""

    method: str
    target: str
    headers: Collection[str] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Call:
    """What the engine is asked.

    `owned` is the path of what first has to be found to be the hub's, by `is_ours`; its id goes where the call says {id}.
    `image` is what a new service runs: the login to its registry goes with the call.
    `shape` is what is shown of the answer, and of a list only what `lists` says; without one, it is passed on as it comes.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    owned: str = ""
    is_ours: Callable[[Policy, Json], bool] | None = None
    shape: Shape | None = None
    lists: Callable[[Policy, Json], bool] | None = None
    image: str = ""

    @property
    def target(self) -> str:
        """Return the path with its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def of(self, id_: str) -> "Call":
        """Return the call with the id of what is the hub's."""
        query = {name: value.replace(OWN, id_) for name, value in self.query.items()}
        return replace(self, path=self.path.replace(OWN, id_), query=query)


@dataclass(frozen=True)
class Rules:
    """A policy, and what is made from it once: the paths of the images."""

    policy: Policy
    images: frozenset[str]

    def judge(self, request: Request) -> Call:
        """Return what the engine is to be asked.

        Raises:
            Refused: the hub needs no such thing.

        """
        asked = line.read(request.target, self.images)
        for name in request.headers:
            if name.lower() in UPGRADES:
                raise Refused(f"the header {name.lower()} is not allowed")
        if request.body and request.method != "POST":
            raise Refused(f"{request.method} has a body")
        return self._call(request.method, asked, request.body)

    def _call(self, method: str, asked: Line, body: bytes) -> Call:
        if (method, asked.version, asked.path) == ("GET", "", "/version"):
            _require_known(asked, ())
            return Call("GET", "/version", shape=VERSION)
        if not asked.version:
            raise Refused("the path has no API version from 1.41 on")
        if method == "GET" and asked.path in self.images:
            _require_known(asked, ())
            return Call("GET", asked.version + asked.path, shape=IMAGE)
        found = PARTS.fullmatch(asked.path)
        kind, name, logs = found.groups() if found else ("", None, None)
        route = f"{method} /{kind}{_place(method, name)}{logs or ''}"
        rule = RULES.get(route)
        if not found or not rule:
            raise Refused("the hub needs no such call")
        _require_known(asked, rule.parameters)
        return rule.make(self, asked, name or "", body)

    def show(self, call: Call, answer: Any) -> Any:
        """Return what the hub is shown of an answer."""
        if call.lists and isinstance(answer, list):
            answer = [one for one in answer if call.lists(self.policy, one)]
        return pick(answer, call.shape) if call.shape is not None else answer


def judge(rules: Sequence[Rules], request: Request) -> tuple[Rules, Call]:
    """Return what the engine is to be asked, and which of several rules allow it.

    Raises:
        Refused: none of them does; the reason is that of the first.

    """
    why = Refused("there are no rules")
    for one in reversed(rules):
        try:
            return one, one.judge(request)
        except Refused as error:
            why = error
    raise why


def made(policy: Policy) -> Rules:
    """Return the rules of a policy.

    Raises:
        TypeError: docker-py does not know an argument of [jupyterhub.SwarmSpawner].

    """
    images = frozenset(f"/images/{quote(image, safe='/:')}/json" for image in policy.images)
    # An argument that docker-py does not know is found out now, and not at the first start.
    bodies.written(policy, bodies.EXAMPLE)
    return Rules(policy, images)


def pick(value: Any, shape: Shape) -> Any:
    """Return the parts of a value that a shape names; a list's elements each have the shape."""
    if isinstance(value, list):
        return [pick(one, shape) for one in value]
    if not shape or not isinstance(value, dict):
        return value
    return {key: pick(value[key], below) for key, below in shape.items() if key in value}


def _place(method: str, name: str | None) -> str:
    """Return the rest of a route: a name that is the engine's own verb stands for itself."""
    if name is None:
        return ""
    return "/create" if (method, name) == ("POST", "create") else "/*"


def _require_known(asked: Line, parameters: Collection[str]) -> None:
    unknown = sorted({*asked.query} - {*parameters})
    if unknown:
        raise Refused(f"the parameter {shown(unknown[0])} is not allowed")


def _services(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    if own := _of_servers(rules, asked):
        return Call("GET", f"{asked.version}/services", own, shape=SERVER)
    return Call("GET", f"{asked.version}/services", _filter("name", _filtered(asked, "name")), shape=SERVICE)


def _service(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    return _of_service(asked, name, Call("GET", f"{asked.version}/services/{OWN}"))


def _logs(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    query = {key: value.lower() for key, value in asked.query.items()}
    tail = query.pop("tail", "")
    if query != LOGS or not re.fullmatch("[1-9][0-9]{0,3}", tail, re.ASCII):
        raise Refused("logs are read by their last lines, without follow, details, since and timestamps")
    return _of_service(asked, name, Call("GET", f"{asked.version}/services/{OWN}/logs", {**LOGS, "tail": tail}))


def _remove_service(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    return _of_service(asked, name, Call("DELETE", f"{asked.version}/services/{OWN}"))


def _of_service(asked: Line, name: str, call: Call) -> Call:
    return replace(call, owned=f"{asked.version}/services/{name}", is_ours=bodies.is_our_service)


def _create_service(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    made = bodies.service(rules.policy, decode(body, "the body"))
    return Call("POST", f"{asked.version}/services/create", body=made, image=made["TaskTemplate"]["ContainerSpec"]["Image"])


def _tasks(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    if own := _of_servers(rules, asked):
        return Call("GET", f"{asked.version}/tasks", own)
    service = _filtered(asked, "service")
    if not service:
        return Call("GET", f"{asked.version}/tasks", shape=TASK)
    return _of_service(asked, service, Call("GET", f"{asked.version}/tasks", _filter("service", OWN)))


def _nodes(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    return Call("GET", f"{asked.version}/nodes", shape=NODE)


def _node(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    return Call("GET", f"{asked.version}/nodes/{name}", shape=NODE)


def _network(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    if name not in rules.policy.networks:
        raise Refused(f"{shown(name)} is no network of the servers")
    return Call("GET", f"{asked.version}/networks/{name}", shape=NETWORK)


def _configs(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    wanted = _filtered(asked, "name")
    begins = (f"{rules.policy.service}-", mounts.beginning(rules.policy.home["name"], rules.policy.service))
    if not wanted.startswith(begins):
        raise Refused(f"configs are listed by a name that begins with {' or '.join(dict.fromkeys(begins))}")
    return Call("GET", f"{asked.version}/configs", _filter("name", wanted), shape=CONFIG, lists=bodies.is_our_config)


def _create_config(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    return Call("POST", f"{asked.version}/configs/create", body=bodies.config(rules.policy, decode(body, "the body")))


def _remove_config(rules: Rules, asked: Line, name: str, body: bytes) -> Call:
    owned = f"{asked.version}/configs/{name}"
    return Call("DELETE", f"{asked.version}/configs/{OWN}", owned=owned, is_ours=bodies.is_our_home)


def _of_servers(rules: Rules, asked: Line) -> dict[str, str]:
    """Return the query that asks for all of the hub's servers, if that is what is asked: by the label that they have."""
    own = {"label": [f"{bodies.NOTEBOOKS}={rules.policy.service}"]}
    is_own = "filters" in asked.query and decode(asked.query["filters"], "the parameter filters") == own
    return {"filters": json.dumps(own)} if is_own else {}


def _filter(key: str, value: str) -> dict[str, str]:
    return {"filters": json.dumps({key: [value]})} if value else {}


def _filtered(asked: Line, key: str) -> str:
    """Return the one value of the one filter that a list may have, or nothing where there is no filter."""
    if "filters" not in asked.query:
        return ""
    filters = decode(asked.query["filters"], "the parameter filters")
    values = filters.get(key) if isinstance(filters, dict) and len(filters) == 1 else None
    if not isinstance(values, list) or len(values) != 1 or not re.fullmatch(line.NAME, str(values[0]), re.ASCII):
        raise Refused(f"the only filter here is {key}, with one value")
    return str(values[0])


@dataclass(frozen=True)
class Rule:
    """What makes a call of a request, and the parameters that the request's query may have."""

    make: Callable[[Rules, Line, str, bytes], Call]
    parameters: Collection[str] = ()


RULES: Mapping[str, Rule] = {
    "GET /services": Rule(_services, ("filters",)),
    "GET /services/*": Rule(_service),
    "GET /services/*/logs": Rule(_logs, (*LOGS, "tail")),
    "POST /services/create": Rule(_create_service),
    "DELETE /services/*": Rule(_remove_service),
    "GET /tasks": Rule(_tasks, ("filters",)),
    "GET /nodes": Rule(_nodes),
    "GET /nodes/*": Rule(_node),
    "GET /networks/*": Rule(_network),
    "GET /configs": Rule(_configs, ("filters",)),
    "POST /configs/create": Rule(_create_config),
    "DELETE /configs/*": Rule(_remove_config),
}
