"""As whom the hub and what stands beside it run: without root, capabilities and new privileges, to and fro on one volume."""

import json
from typing import Any

import pytest

from lab import machine, topology
from tests.lab.going_back import USERS, in_hub, releases
from tests.lab.support import HUB, PROXY, Lab

MANAGER = topology.MANAGER.name
DATA = "/var/lib/docker/volumes/jupyterhub-data/_data"
USER = "61081"
# Of each process: its program, its user, its group, whether it can gain privileges, and its capabilities.
PROCESSES = """
import json, pathlib
found = []
for file in pathlib.Path("/proc").glob("[0-9]*/status"):
    lines = dict(line.split(":", 1) for line in file.read_text().splitlines())
    held = [int(lines[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    found.append([lines["Name"].strip(), lines["Uid"].split()[0], lines["Gid"].split()[0], lines["NoNewPrivs"].strip(), held])
print(json.dumps(found))
"""
# Not what is in /data, nor in what else is mounted.
WRITABLE = ("find", "/", "-xdev", "-writable", "-not", "-type", "l", "-not", "-path", "/tmp/*", "-print")
STRANGER = "65534:65534"


def processes(lab: Lab, service: str) -> list[list[Any]]:
    """Return the processes of a service's container."""
    found: list[list[Any]] = json.loads(lab.docker("exec", lab.container(service), "python3", "-c", PROCESSES))
    return found


def user(lab: Lab) -> str:
    """Return the number of the hub's user."""
    container = lab.container()
    return lab.docker("exec", container, "id", "-u")


def test_the_hub_is_a_user_without_capabilities(settled: Lab) -> None:
    """So is all that it has started; none of it can gain any."""
    found = processes(settled, HUB)
    assert {"tini", "python3"} <= {name for name, *_ in found}
    assert {tuple(map(str, rest)) for _, *rest in found} == {(USER, "0", "1", "[0, 0, 0, 0, 0]")}


def test_the_hub_writes_its_data_and_nothing_else(settled: Lab) -> None:
    """Neither its own program nor its configuration; beside the data, what lasts no longer than the container."""
    container = settled.container()
    found = settled.docker("exec", container, "sh", "-c", " ".join(WRITABLE) + " 2>/dev/null || true").split()
    own = {f"/run/swarmhub/{file}" for file in ("token", "servers.json", "servers.new")}
    assert set(found) <= {"/data", "/tmp", "/var/tmp", "/run/lock", "/run/swarmhub", *own}
    settled.docker("exec", container, "sh", "-c", "touch /data/probe && rm /data/probe")


@pytest.mark.parametrize(
    "command",
    [
        "cat /run/secrets/GITHUB_CLIENT_SECRET",
        "cat /run/secrets/PROXY_TOKEN",
        "cat /run/swarmhub/token",
        "ls /data",
        "curl -sS --unix-socket /run/engine/docker.sock http://engine/version",
    ],
)
def test_only_the_hub_reads_its_secrets_and_asks_the_filter(settled: Lab, command: str) -> None:
    """Not another user in its container."""
    container = settled.container()
    settled.docker("exec", container, "sh", "-c", command)
    with pytest.raises(machine.LabError, match=r"(?i)permission denied|couldn't connect|failed to connect"):
        settled.docker("exec", "--user", STRANGER, container, "sh", "-c", command)


def test_only_nginxs_first_process_is_root_in_the_proxy(settled: Lab) -> None:
    """Together with what starts it; JupyterHub's proxy has a user of its own, and no capability."""
    found = processes(settled, PROXY)
    (routes,) = [one for one in found if one[0] == "node" or one[1] == "13"]
    assert (routes[1], routes[4][1:3]) == ("13", [0, 0])
    workers = [one for one in found if one[0] == "nginx" and one[1] != "0"]
    assert workers
    assert not any(one[4][1] or one[4][2] for one in workers)
    assert {one[3] for one in found} == {"1"}


def as_before(lab: Lab) -> None:
    """Leave the deployment as an older swarmhub did: with a hub that is root, and a volume of root's."""
    lab.docker("service", "scale", f"{HUB}=0")
    lab.on(MANAGER, "chown", "-R", "0:0", DATA)
    lab.on(MANAGER, "find", DATA, "-type", "f", "-exec", "chmod", "644", "{}", "+")
    lab.on(MANAGER, "chmod", "600", f"{DATA}/jupyterhub_cookie_secret")
    lab.on(MANAGER, "chmod", "755", DATA)
    lab.on(MANAGER, "chmod", "700", f"{DATA}/access")
    lab.docker("service", "update", "--user", "", "--replicas", "1", HUB)
    *_, last = releases(lab)
    data = {key: value for key, value in last.items() if key != "id"}
    del data["spec"]["TaskTemplate"]["ContainerSpec"]["User"]
    name = f"{HUB}-release-{last['number']}"
    lab.docker("config", "rm", name)
    script = f'printf %s "$0" | docker config create --label swarmhub.release={HUB} {name} -'
    lab.on(MANAGER, "sh", "-c", script, json.dumps(data))


def test_a_hub_of_roots_becomes_one_of_a_user_and_root_again(deployed: Lab) -> None:
    """By a deploy and by a rollback: the users are there, new ones can be made, and who works goes on working."""
    deployed.start_server("ada")
    as_before(deployed)
    deployed.wait(deployed.hub_answers, 60, "the hub of root's does not answer")
    known = in_hub(deployed, USERS)
    cookies = deployed.on(MANAGER, "cat", f"{DATA}/jupyterhub_cookie_secret")
    assert (user(deployed), "ada" in known) == ("0", True)

    done = deployed.fab("deploy")
    assert done.code == 0, done.text
    assert "open jupyterhub-data to the hub's user on swarm-manager1" in done.out
    assert (user(deployed), in_hub(deployed, USERS)) == (USER, known)
    assert '"name": "later"' in deployed.hub_api("POST", "users/later")
    assert deployed.in_server("ada", "echo here") == "here"

    done = deployed.fab("rollback")
    assert done.code == 0, done.text
    assert (user(deployed), in_hub(deployed, USERS).split()) == ("0", sorted([*known.split(), "later"]))
    deployed.hub_api("DELETE", "users/later")
    assert in_hub(deployed, USERS) == known

    done = deployed.fab("deploy")
    assert done.code == 0, done.text
    assert (user(deployed), in_hub(deployed, USERS)) == (USER, known)
    assert deployed.on(MANAGER, "cat", f"{DATA}/jupyterhub_cookie_secret") == cookies
    assert deployed.in_server("ada", "echo here") == "here"
    deployed.stop_server("ada")
    deployed.forget_homes()
