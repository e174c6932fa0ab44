"""What the hub sends, and how the tests of the filter edit it at random."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from docker.types import ConfigReference, EndpointSpec
from hypothesis import strategies as some

from hub.shared.people.names import Names
from hub.shared.servers import mounts, spec
from hub.shared.servers.choice import server_for
from tests.unit.hub.asked import IMAGE, tables
from tests.unit.hub.filter.engines import ADA, VERSION

SETTINGS: dict[str, Any] = {
    "notebook": {"memory_limit": "1G", "shared_memory": "256M", "labels": {"team": "physics"}},
    "folders": [{"type": "path", "path": "/mnt/shared/course", "mount": "/course"}],
    "profiles": [{"name": "Big", "generic_resources": {"NVIDIA-GPU": 1}, "node_labels": {"gpu": "true"}}],
}
CREATE, CONFIG = f"{VERSION}/services/create", f"{VERSION}/configs/create"
RECORD = {
    "Name": "jupyterhub-home-ada",
    "Data": "e30=",
    "Labels": {"swarmhub.home": "jupyterhub", "swarmhub.user": "ada", "swarmhub.node": "n1"},
}


def service() -> dict[str, Any]:
    """Return the body by which the hub makes ada's server."""
    given, names = tables(**SETTINGS), Names("ada", "", "Big")
    server = server_for(given, "ada", (), given["profiles"][0])
    home = mounts.home(given, "jupyterhub", names)
    assert home
    container = {
        "args": None,
        "env": {"JUPYTERHUB_API_TOKEN": "hush"},
        "mounts": [home.mount, *mounts.folders(given, "jupyterhub", names, ())],
        "configs": [
            ConfigReference("cfg1", "jupyterhub-notebook-0123456789ab", filename="/etc/swarmhub/jupyter_server_config.py")
        ],
    }
    body = {
        "Name": ADA,
        "Labels": {"team": "physics", **dict(zip(spec.LABELS, ("jupyterhub", "ada", "Big", ""), strict=True))},
        "TaskTemplate": spec.task_template(server, container, spec.constraints(server), "jupyter", spec.Extra()),
        "EndpointSpec": EndpointSpec(mode="vip"),
    }
    made: dict[str, Any] = json.loads(json.dumps(body))
    return made


ASKED = [
    ("GET", "/version"),
    ("GET", f"{VERSION}/services"),
    ("GET", f'{VERSION}/services?filters={{"name":["jupyterhub-ada"]}}'),
    ("GET", f'{VERSION}/services?filters={{"label":["swarmhub.notebooks=jupyterhub"]}}'),
    ("GET", f"{VERSION}/services/{ADA}"),
    ("DELETE", f"{VERSION}/services/{ADA}"),
    (
        "GET",
        f"{VERSION}/services/{ADA}/logs?details=False&follow=False&stdout=True&stderr=True&since=0&timestamps=False&tail=10",
    ),
    ("GET", f"{VERSION}/tasks"),
    ("GET", f'{VERSION}/tasks?filters={{"service":["{ADA}"]}}'),
    ("GET", f'{VERSION}/tasks?filters={{"label":["swarmhub.notebooks=jupyterhub"]}}'),
    ("GET", f"{VERSION}/nodes"),
    ("GET", f"{VERSION}/nodes/n1"),
    ("GET", f"{VERSION}/networks/jupyter"),
    ("GET", f"{VERSION}/images/{IMAGE.replace('@', '%40')}/json"),
    ("GET", f'{VERSION}/configs?filters={{"name":["jupyterhub-home-ada"]}}'),
    ("DELETE", f"{VERSION}/configs/jupyterhub-home-ada"),
]

# What an edit puts in: no values, other types, and what an attacker wants.
HOSTILE: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**63, 1.0, "", " ", [], {}, [[]], [None]),
    *("host", "ingress", "{{.Node.ID}}", "{{", "/", "root", "any", "on-failure", "node.role==manager"),
    *("jupyterhub", "jupyterhub-proxy", "jupyterhub-data", "swarmhub-lock"),
    *([{"Target": "host"}], {"Target": "ingress"}, ["CAP_SYS_ADMIN"], {"NoNewPrivileges": False}, {"Privileged": True}),
    *({"Type": "bind", "Source": "/", "Target": "/host"}, {"Global": {}}, [{"PublishedPort": 22, "TargetPort": 22}]),
]
KEYS = [
    "Mode",
    "Networks",
    "UpdateConfig",
    "Ports",
    "VirtualIPs",
    "Runtime",
    "LogDriver",
    "ForceUpdate",
    "Preferences",
    "MaxReplicas",
    "Platforms",
    "Command",
    "Args",
    "User",
    "Groups",
    "Hostname",
    "TTY",
    "ReadOnly",
    "Secrets",
    "CapabilityAdd",
    "Sysctls",
    "Ulimits",
    "DNSConfig",
    "Hosts",
    "Isolation",
    "Init",
    "Labels",
    "BindOptions",
    "Subpath",
    "NoCopy",
    "Aliases",
    "DriverOpts",
    "Templating",
    "NanoCPUs",
    "Pids",
    "Name",
    "Target",
    "swarmhub.service",
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where all parts of a value are."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(value[key], (*at, key))


def found(value: Any, place: tuple[Any, ...]) -> Any:
    """Return what is at a place."""
    for key in place:
        value = value[key]
    return value


def _put(within: Any, key: Any, value: Any, word: str) -> None:
    within[key] = value


def _leave_out(within: Any, key: Any, value: Any, word: str) -> None:
    del within[key]


def _add(within: Any, key: Any, value: Any, word: str) -> None:
    if isinstance(within, list):
        within.append(value)
    else:
        within[word] = value


def _twice(within: Any, key: Any, value: Any, word: str) -> None:
    if isinstance(within, list):
        within.append(within[key])
    else:
        within[word] = within[key]


def _otherwise(within: Any, key: Any, value: Any, word: str) -> None:
    for other in (str(key).lower(), str(key).upper(), f"{key} ", str(key).replace("s", "\u017f")):
        if isinstance(within, dict):
            within.setdefault(other, value)


Edit = Callable[[Any, Any, Any, str], None]
EDITS: dict[str, Edit] = {
    "put another value there": _put,
    "leave it out": _leave_out,
    "nest it in a list": lambda within, key, value, word: _put(within, key, [within[key]], word),
    "nest it in an object": lambda within, key, value, word: _put(within, key, {word: within[key]}, word),
    "add something": _add,
    "have it twice": _twice,
    "spell it otherwise as well": _otherwise,
}


def edit(body: Any, place: tuple[Any, ...], how: str, value: Any, word: str) -> Any:
    """Return a request with one edit at a place."""
    made = copy.deepcopy(body)
    EDITS[how](found(made, place[:-1]), place[-1], copy.deepcopy(value), word)
    return made


def edits(body: Any) -> some.SearchStrategy[tuple[str, Any, str]]:
    """Draw what an edit does, and what it puts in: a hostile value, any part of the request, or anything."""
    parts = [found(body, place) for place in places(body)]
    values = some.sampled_from(HOSTILE) | some.sampled_from(parts) | some.text(max_size=5) | some.integers()
    return some.tuples(some.sampled_from([*EDITS]), values, some.sampled_from(KEYS))


@some.composite
def edited(draw: Callable[[Any], Any], body: Any) -> Any:
    """Draw a request that differs from another one by several edits."""
    for one in draw(some.lists(edits(body), min_size=2, max_size=4)):
        if there := [*places(body)]:
            body = edit(body, draw(some.sampled_from(there)), *one)
    return body
