"""Measure, in a container of the hub's image, how long servers take until they answer; print JSON, a line a round.

Arguments: rounds, and how many servers at once. Each round takes the three kinds in turn, and gives their seconds: `bare`
is a `service create` of the same image and command, polled until its HTTP answers; `stock` is dockerspawner's SwarmSpawner;
`ours` is swarmhub's, through a filter if there are one's policies. Both of the latter count from the request to the
hub's API until it says "ready".
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import docker

PORTS = {"stock": 18000, "ours": 19000}
TOKEN = os.environ["BENCH_TOKEN"] = secrets.token_hex(16)
with open("/srv/jupyterhub/settings.json") as file:
    IMAGE = json.load(file)["notebook"]["image"]
PATIENCE_SECONDS = 180
# As often as swarmhub's spawner asks: who asks more often takes the processor from those that start.
TASK_SECONDS = 0.2
PAUSE_SECONDS = 0.1
HERE = os.path.dirname(os.path.abspath(__file__))


def main(rounds: int, at_once: int) -> None:
    """Start the two hubs, measure, and stop them."""
    # What is measured beside the spawner with its filter has the engine's own socket.
    filtered = os.environ.pop("DOCKER_HOST", "")
    hubs = [_filter()] if filtered else []
    hubs += [_hub(kind, port, filtered if kind == "ours" else "") for kind, port in PORTS.items()]
    try:
        for kind in PORTS:
            until(partial(_is_up, kind), f"the {kind} hub")
        client = docker.APIClient(version="auto")
        for number in range(rounds):
            taken = {}
            for kind in ("bare", "stock", "ours"):
                names = [f"b{kind}{number}x{at_once}x{one}" for one in range(at_once)]
                start, stop = (_bare, _remove) if kind == "bare" else (partial(_spawn, kind), partial(_stop, kind))
                with ThreadPoolExecutor(at_once) as pool:
                    taken[kind] = list(pool.map(partial(start, client), names))
                    list(pool.map(partial(stop, client), names))
                until(partial(_is_quiet, client), "tasks that end")
            print(json.dumps(taken), flush=True)
    finally:
        for process in hubs:
            process.terminate()
            process.wait(30)


def until(holds: Callable[[], object], what: str, pause: float = PAUSE_SECONDS) -> float:
    """Wait until something holds and return the seconds that it took."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > PATIENCE_SECONDS:
            sys.exit(f"{what}: not within {PATIENCE_SECONDS} s")
        time.sleep(pause)
    return time.monotonic() - started


def _filter() -> "subprocess.Popen[bytes]":
    with open(f"{HERE}/policies.json") as file:
        policies = [one | {"service": "bench"} for one in json.load(file)]
    with open("/srv/jupyterhub/policies.json", "w") as file:
        json.dump(policies, file)
    os.makedirs("/run/engine", exist_ok=True)
    return _started("filter", ["python3", "-m", "hub.filter"], {})


def _hub(kind: str, port: int, engine: str) -> "subprocess.Popen[bytes]":
    variables = {"BENCH_KIND": kind, "BENCH_PORT": str(port), **({"DOCKER_HOST": engine} if engine else {})}
    return _started(kind, ["jupyterhub", "-f", f"{HERE}/hub_config.py"], variables)


def _started(name: str, command: list[str], variables: dict[str, str]) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": HERE, **variables}
    with open(f"/tmp/bench-{name}.log", "wb") as log:  # noqa: S108
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _ask(kind: str, method: str, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{PORTS[kind] + 1}/hub/api/{path}"
    request = urllib.request.Request(url, method=method, headers={"Authorization": f"token {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError:
        return 0, ""


def _is_up(kind: str) -> bool:
    return _ask(kind, "GET", "")[0] == 200


def _spawn(kind: str, client: docker.APIClient, name: str) -> float:
    _ask(kind, "POST", f"users/{name}")
    started = time.monotonic()
    # The hub answers when the server is ready, or after 10 s; then its progress tells. Nobody has to ask again and again.
    code, said = _ask(kind, "POST", f"users/{name}/server")
    if code == 202:
        code, said = _ask(kind, "GET", f"users/{name}/server/progress")
    if code != 201 and "Server ready" not in str(said):
        sys.exit(f"{kind}: {code} {said}; see /tmp/bench-{kind}.log")
    return time.monotonic() - started


def _stop(kind: str, client: docker.APIClient, name: str) -> None:
    until(lambda: _ask(kind, "DELETE", f"users/{name}/server")[0] in (204, 404), f"{kind} {name} stops")


def _bare(client: docker.APIClient, name: str) -> float:
    started = time.monotonic()
    template = docker.types.TaskTemplate(
        docker.types.ContainerSpec(IMAGE, env=_environment(name), healthcheck=docker.types.Healthcheck(test=["NONE"])),
        networks=[os.environ["DOCKER_NETWORK_NAME"]],
        restart_policy=docker.types.RestartPolicy("none"),
    )
    mode = docker.types.EndpointSpec(mode=os.environ["DOCKER_ENDPOINT_MODE"])
    client.create_service(template, name=name, endpoint_spec=mode)
    until(partial(_addresses, client, name), name, TASK_SECONDS)
    (address,) = _addresses(client, name)
    until(partial(_answers, address, name), name, PAUSE_SECONDS)
    return time.monotonic() - started


def _addresses(client: docker.APIClient, name: str) -> list[str]:
    running = [task for task in client.tasks(filters={"service": name}) if task["Status"]["State"] == "running"]
    return [task["NetworksAttachments"][0]["Addresses"][0].partition("/")[0] for task in running]


def _answers(address: str, name: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}:8888/user/{name}/api", timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def _remove(client: docker.APIClient, name: str) -> None:
    client.remove_service(name)


def _is_quiet(client: docker.APIClient) -> bool:
    """Tell whether all tasks have ended but those of services that are still there."""
    there = {service["ID"] for service in client.services()}
    return all(task["ServiceID"] in there for task in client.tasks())


def _environment(name: str) -> list[str]:
    """Return what JupyterHub sets, but for a token that is worth something."""
    prefix, hub = f"/user/{name}/", f"http://{socket.gethostbyname(socket.gethostname())}:{PORTS['ours'] + 1}"
    values = {
        "JUPYTERHUB_API_TOKEN": "none",
        "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{name}",
        "JUPYTERHUB_API_URL": f"{hub}/hub/api",
        "JUPYTERHUB_ACTIVITY_URL": f"{hub}/hub/api/users/{name}/activity",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_USER": name,
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
        "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:8888{prefix}",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([f"access:servers!user={name}"]),
        "JUPYTERHUB_DEFAULT_URL": "/lab",
    }
    return [f"{name}={value}" for name, value in values.items()]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
