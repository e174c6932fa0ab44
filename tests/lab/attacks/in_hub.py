"""Run in the hub's container: send each of the requests in the first argument, packed, to the filter; print the answers.

Whoever has broken into the hub has its code and its settings, and so the request by which a server is made.
"""

import base64
import copy
import json
import os
import re
import socket
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from docker.types import EndpointSpec

from hub.engine import ensure_configs
from hub.shared import settings
from hub.shared.people.names import Names
from hub.shared.servers import mounts, spec
from hub.shared.servers.choice import server_for

SOCKET, VERSION, SECONDS = "/run/engine/docker.sock", "/v1.44", 3
USER, SERVICE = "mallory", os.environ["DOCKER_SERVICE_NAME"]
TABLES = settings.load(settings.FILE)


def service() -> dict[str, Any]:
    """Return the request for a server that is never placed: its node is none."""
    profile = TABLES["profiles"][0]
    names = Names(USER, "", profile["name"])
    server, home = server_for(TABLES, USER, (), profile), mounts.home(TABLES, SERVICE, names)
    assert home
    container = {"args": None, "env": {"TOKEN": "none"}, "mounts": [home.mount], "configs": ensure_configs(SERVICE)}
    constraints = [*spec.constraints(server), "node.id==none"]
    # How a server's log is kept.
    extra = spec.Extra(task=TABLES["jupyterhub"].get("SwarmSpawner", {}).get("extra_task_spec", {}))
    made = {
        "Name": f"{SERVICE}-{USER}",
        "Labels": dict(zip(spec.LABELS, (SERVICE, USER, profile["name"], ""), strict=True)),
        "TaskTemplate": spec.task_template(server, container, constraints, os.environ["DOCKER_NETWORK_NAME"], extra),
        "EndpointSpec": EndpointSpec(mode=os.environ["DOCKER_ENDPOINT_MODE"]),
    }
    return dict(json.loads(json.dumps(made)))


def edited(body: Any, edit: list[Any]) -> Any:
    """Return a request with another value at a place, or without one."""
    made = copy.deepcopy(body)
    *path, last = edit[0]
    at = made
    for key in path:
        at = at[key]
    if len(edit) == 1:
        del at[last]
    elif isinstance(at, list) and last == len(at):
        at.append(edit[1])
    else:
        at[last] = edit[1]
    return made


def text(one: dict[str, Any], body: Any) -> bytes:
    """Return the bytes of an attempt."""
    if "raw" in one:
        return base64.b64decode(one["raw"])
    sent = b""
    if "edit" in one:
        sent = json.dumps(edited(body, one["edit"])).encode()
    elif "text" in one:
        sent = json.dumps(body).replace(*one["text"]).encode()
    elif "fill" in one:
        sent = one["fill"][0].encode() * one["fill"][1]
    elif one.get("body") is not None:
        sent = json.dumps(one["body"]).encode()
    method, path = one.get("line") or ("POST", f"{VERSION}/services/create")
    head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent


def answer(sent: bytes) -> list[Any]:
    """Return the statuses of all answers to these bytes, and what the last one says."""
    got = b""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(SECONDS)
        one.connect(SOCKET)
        try:
            one.sendall(sent)
            while part := one.recv(65536):
                got += part
        except OSError:
            pass  # it hung up, or waits for more
    said = got.decode(errors="replace")
    return [[int(status) for status in re.findall(r"HTTP/\d\.\d (\d{3})", said)], said.rpartition("\r\n\r\n")[2][:400]]


def main() -> None:
    """Try all; those that are in order one after another, as the later ones of them need the first."""
    body, tries = service(), json.loads(zlib.decompress(base64.b64decode(sys.argv[1])))
    with ThreadPoolExecutor(8) as threads:
        attacks = {name: one for name, one in tries.items() if not one.get("is_allowed")}
        found = dict(zip(attacks, threads.map(lambda one: answer(text(one, body)), attacks.values()), strict=True))
    found |= {name: answer(text(one, body)) for name, one in tries.items() if one.get("is_allowed")}
    print(json.dumps(found))


main()
