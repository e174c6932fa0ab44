"""Attacks by somebody whose name at the provider is made for them: each gets a server. About twenty seconds, no deploy."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.lab.support import HUB, STUB, Lab

NAMES = {
    "a template of Go's": "eve{{.Node.Hostname}}",
    "braces": "eve{{{}}}",
    "quotes": "eve\"'`",
    "a command": "$(cd; cd ..; cd tmp; touch canary);eve",
    "a tag": "<img src=x onerror=alert(1)>",
    "an encoded link out": "eve%2f..%2f..",
    "another direction": "\u202eeve",
    "what a terminal obeys": "eve\x1b[2J\x07",
    "lines": "eve\nadmin\rx",
    "no width": "a\u200bda",
    "another alphabet's a": "\u0430da",
    "255 letters": "e" * 255,
}
# JupyterHub itself takes no such name.
REFUSED = {"a link out": "../../eve", "nothing": " "}


def services(lab: Lab) -> dict[str, str]:
    """Return the services of people's servers, by their users."""
    ids = lab.docker("service", "ls", "-q", "--filter", f"label=swarmhub.notebooks={HUB}").split()
    found = json.loads(lab.docker("service", "inspect", *ids)) if ids else []
    return {one["Spec"]["Labels"]["swarmhub.user"]: one["Spec"]["Name"] for one in found}


@pytest.fixture(scope="module")
def named(settled: Lab) -> Iterator[dict[str, str]]:
    """Start a server for each name, and return the services by their users."""
    body = json.dumps({"user_options": {"profile": STUB}})
    for name in NAMES.values():
        settled.hub_api("POST", f"users/{quote(name, safe='')}")
        settled.hub_api("POST", f"users/{quote(name, safe='')}/server", body)
    try:
        settled.wait(lambda: {*services(settled)} >= {*NAMES.values()}, 60, "not everybody gets a server")
        yield services(settled)
    finally:
        for name in NAMES.values():
            settled.hub_api("DELETE", f"users/{quote(name, safe='')}")
        settled.wait(lambda: not {*services(settled)} & {*NAMES.values()}, 60, "servers stay")
        settled.forget_homes()


@pytest.mark.parametrize("kind", NAMES)
def test_somebody_called(settled: Lab, named: dict[str, str], kind: str) -> None:
    """Somebody's name has it: it is theirs letter by letter in their server, and nobody else's service has the name."""
    service = named[NAMES[kind]]
    assert list(named.values()).count(service) == 1
    spec = json.loads(settled.docker("service", "inspect", service))[0]["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert "JUPYTERHUB_USER=" + NAMES[kind].replace("{{", '{{"{{"}}') in spec["Env"]
    assert next(mount["Source"] for mount in spec["Mounts"] if mount["Type"] == "volume").startswith(f"{HUB}-home-")


@pytest.mark.parametrize("kind", REFUSED)
def test_nobody_is_called(settled: Lab, kind: str) -> None:
    """Somebody's name would lead elsewhere in an address: there is no account."""
    assert '"status": 400' in settled.hub_api("POST", "users", json.dumps({"usernames": [REFUSED[kind]]}))


@pytest.mark.parametrize("command", ["users", "status"])
@pytest.mark.usefixtures("named")
def test_an_operator_reads(settled: Lab, command: str) -> None:
    """Somebody's name is to act on the operator's terminal, or to be read as another's: it is written out."""
    done = settled.fab(command)
    assert done.code == 0, done.text
    assert not {"\x1b", "\x07", "\u202e", "\u200b", "\r"} & {*done.text}
    assert "\\u202eeve" in done.out


@pytest.mark.usefixtures("named")
def test_no_name_is_a_command(settled: Lab) -> None:
    """Nothing ran that a name says, neither on a node nor in the hub."""
    assert settled.execute(HUB, "sh", "-c", "ls /tmp/canary 2>&1 || true").startswith("ls: cannot access")
    for node in ("swarm-manager1", "swarm-worker1", "swarm-worker2"):
        assert settled.on(node, "sh", "-c", "ls /tmp/canary 2>&1 || true").startswith("ls: cannot access")
