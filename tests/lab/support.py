"""What the tests on the lab share: the real `fab`, and a look at the engines that is not swarmhub's own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker

from lab import containers, machine, topology

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
HUB = "jupyterhub"


@dataclass(frozen=True)
class Done:
    """A finished `fab`: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Return all that it said."""
        return self.out + self.err


@dataclass(frozen=True)
class Lab:
    """The lab as a test uses it: `fab` from outside, and the nodes' own docker from inside."""

    client: docker.APIClient

    def fab(self, *arguments: str, hosts: Path | str = "lab/hosts.toml", tool: str = "fab", **environ: str) -> Done:
        """Run the real `fab` as an operator would, and wait for it."""
        environment = {**os.environ, "SWARMHUB_HOSTS": str(hosts), **environ}
        command = [str(BIN / tool), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=550)
        return Done(done.returncode, done.stdout, done.stderr)

    def on(self, node: str, *command: str) -> str:
        """Run a command inside a node, past SSH and past swarmhub."""
        return containers.run(self.client, node, *command)

    def docker(self, *arguments: str, node: str = topology.MANAGER.name) -> str:
        """Run docker inside a node."""
        return self.on(node, "docker", *arguments)

    def service_version(self, name: str = HUB) -> str:
        """Return the id and the version of a service, as its engine has them."""
        return self.docker("service", "inspect", name, "--format", "{{.ID}} {{.Version.Index}}")

    def fingerprint(self) -> dict[str, str]:
        """Return what tells every object of a deployment from one that was made anew."""
        objects = {
            "service": self.service_version(),
            "network": self.docker("network", "inspect", "jupyter", "--format", "{{.ID}}"),
            "volume": self.docker("volume", "inspect", "jupyterhub-data", "--format", "{{.CreatedAt}}"),
            "secrets": self.docker("secret", "ls", "--format", "{{.ID}} {{.Name}}"),
            "task": self.docker("service", "ps", HUB, "--format", "{{.ID}}", "--filter", "desired-state=running"),
            "certificate": self.on(topology.MANAGER.name, "cat", f"/etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem"),
            "hub image": self.docker("image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Tag}}", HUB),
        }
        for node in topology.NODES:
            image = self.docker(
                "image", "ls", "--no-trunc", "--format", "{{.ID}}", "registry.lab:5000/notebook", node=node.name
            )
            objects[f"notebook image on {node.name}"] = image
        return objects

    def wait(self, holds: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until something holds; fail with `what` when it does not."""
        machine.wait_for(holds, seconds, what)


Settings = Callable[..., Path]


def variant(folder: Path, *replaced: tuple[str, str], ssh: Callable[[str], str] | None = None) -> Path:
    """Write a variant of lab/hosts.toml into a folder: each pair of texts is replaced, which must be there."""
    text = (ROOT / "lab" / "hosts.toml").read_text()
    for old, new in replaced:
        assert old in text, old
        text = text.replace(old, new)
    if ssh is not None:
        config = folder / "ssh_config"
        config.write_text(ssh((topology.STATE / "ssh_config").read_text()))
        text = text.replace('"state/ssh_config"', f'"{config}"')
    text = text.replace('"state/', f'"{topology.STATE}/').replace('"userlist"', f'"{ROOT / "lab" / "userlist"}"')
    file = folder / "hosts.toml"
    file.write_text(text)
    return file


def interrupt(*arguments: str, when: str) -> Done:
    """Run `fab`, press Ctrl-C as soon as it has said `when`, and return what came of it within 10 s."""
    environment = {**os.environ, "SWARMHUB_HOSTS": "lab/hosts.toml", "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [str(BIN / "fab"), *arguments], cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True
    ) as fab:
        assert fab.stdout is not None
        said = ""
        for line in fab.stdout:
            said += line
            if when in line:
                fab.send_signal(signal.SIGINT)
                break
        out, err = fab.communicate(timeout=10)
    return Done(fab.returncode, said + out, err)
