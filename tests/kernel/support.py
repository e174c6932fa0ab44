"""What the tests on Debian's kernel share: the two machines, `fab` against them, and a note of what was seen."""

import contextlib
import http.client
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from hub.shared.operator_token import FILE
from lab import topology
from lab.keys import State
from lab.machine import LabError, wait_for
from lab.vm import disks, machines
from swarmhub.certificate import https
from swarmhub.people import starts
from swarmhub.people.api import HubApi

ROOT = Path(__file__).resolve().parents[2]
FAB = Path(sys.executable).parent / "fab"
HUB = "jupyterhub"
STUB = "Without JupyterLab"
CLIENTS = "10.214.0.0/24"  # the network between the machines, as their file server has it in its exports
MANAGER, WORKER = machines.MANAGER.name, machines.WORKER.name
PORTS = {machine.name: machine.node.ports[443] for machine in machines.MACHINES}
FAB_SECONDS, COMMAND_SECONDS = 1200, 180
HUB_CONTAINER = f'docker ps -q --filter "label=com.docker.swarm.service.name={HUB}" | head -n 1'


@dataclass(frozen=True)
class Done:
    """A finished `fab`: its exit code, what it said, and how long it took."""

    code: int
    text: str
    seconds: float

    @property
    def end(self) -> str:
        """Return the last line of what it said: there is why it failed."""
        return "".join(self.text.strip().splitlines()[-1:])


@dataclass(frozen=True)
class Cluster:
    """The two machines, which run."""

    state: State

    def on(self, name: str, script: str, seconds: float = COMMAND_SECONDS) -> str:
        """Run a script on a machine as root, and return what it says.

        Raises:
            LabError: it failed, or took too long.

        """
        ssh = ["ssh", "-F", str(self.state / "ssh_config"), "-o", "ConnectTimeout=20", name, script]
        try:
            done = subprocess.run(ssh, capture_output=True, text=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise LabError(f"{name}: no end of: {script[:80]} within {seconds:.0f} s") from None
        if done.returncode:
            raise LabError(f"{name}: {script[:80]}: {(done.stdout + done.stderr).strip()[-400:]}")
        return done.stdout.strip()

    def fab(self, *arguments: str, hosts: Path = disks.HOSTS) -> Done:
        """Run the real `fab` against the machines."""
        began = time.monotonic()
        done = subprocess.run(
            [str(FAB), *arguments],
            cwd=ROOT,
            env={**os.environ, "SWARMHUB_HOSTS": str(hosts)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=FAB_SECONDS,
        )
        print(done.stdout, done.stderr)  # shown whole where a test fails
        return Done(done.returncode, done.stdout + done.stderr, time.monotonic() - began)

    @property
    def trust(self) -> ssl.SSLContext:
        """Return a context that trusts the hub's certificate, and no other."""
        return ssl.create_default_context(cafile=str(self.state / "ca.crt"))

    def get(self, name: str, path: str = "/hub/health") -> int:
        """Ask the hub at the public port of one of the machines; return HTTP's status."""
        with https.asked("GET", topology.DOMAIN, PORTS[name], path, self.trust, timeout=60) as answer:
            answer.read()
            return answer.status

    def api(self) -> HubApi:
        """Return the hub's API, as the operator's tools use it."""
        token = self.on(MANAGER, f'docker exec "$({HUB_CONTAINER})" cat {FILE}')
        return HubApi(machines.HUB_URL, self.trust, SecretStr(token))

    def start_server(self, user: str, on: str) -> float:
        """Start a server with nothing but a page in it on a node; return how many seconds that took.

        Raises:
            StepError: it does not start; the words are the hub's.

        """
        api, began = self.api(), time.monotonic()
        if api.find(f"users/{user}") is None:
            api.post(f"users/{user}")
        node = self.on(MANAGER, f"docker node inspect {on} --format '{{{{.ID}}}}'")
        starts.start(api, user, threading.Event(), {"profile": STUB, "node": node})
        return time.monotonic() - began

    def stop_server(self, user: str) -> None:
        """Stop a user's server, and return when its service is gone."""
        self.api().delete(f"users/{user}/server")
        listed = f"docker service ls -q --filter name={HUB}-{user}"
        wait_for(lambda: not self.on(MANAGER, listed), 120, f"{user}'s server does not stop", pause=2)

    def in_server(self, user: str, on: str, script: str) -> str:
        """Run a script in a user's server, as the user; not in the home, which may not be there."""
        container = f'docker ps -q --filter "label=com.docker.swarm.service.name={HUB}-{user}" | head -n 1'
        return self.on(on, f"docker exec --workdir / \"$({container})\" sh -c '{script}'")

    def answers(self, name: str) -> bool:
        """Tell whether the hub answers at the public port of a machine."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get(name) == 200
        return False

    def wait(self, holds: Callable[[], Any], seconds: float, what: str) -> Any:
        """Wait until something holds; fail with `what` when it does not."""
        return wait_for(holds, seconds, what, pause=2)


def variant(folder: Path, *added: tuple[str, str]) -> Path:
    """Write a variant of the machines' hosts.toml: each pair is a table's name and the lines that it has in addition."""
    text = disks.HOSTS.read_text().replace('"../', f'"{topology.ROOT}/')
    for table, lines in added:
        head = f"[{table}]\n"
        text = text.replace(head, head + lines) if head in text else f"{text}\n{head}{lines}"
    file = folder / "hosts.toml"
    file.write_text(text)
    return file
