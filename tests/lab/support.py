"""What the tests on the lab share: the real `fab`, and a look at the engines that is not swarmhub's own."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import docker

from lab import containers, machine, topology
from tests.lab import looks
from tests.lab.forks import Run
from tests.lab.ledger import LEDGER
from tests.lab.scripts import EXECUTE, HUB_API, REMOVE_HOME, SERVICE_LOG, START_SERVER

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
HUB = "jupyterhub"
PROXY, FILTER = f"{HUB}-proxy", f"{HUB}-engine"
# The profiles of lab/hosts.toml: the first one's servers have JupyterLab, the other's what the hub asks of a server.
REAL, STUB = "Small", "Without JupyterLab"
ROWS, COLUMNS = 30, 200
FAB_SECONDS = 550
# What has been told to end: it takes a second, and several where the machine is busy.
END_SECONDS = 60
# What may replace the hub, and what it says then.
UPDATING = {"fab deploy", "fab service", "fab rollback"}
HUB_UPDATE = f"update service {HUB} on"
# Once in some ten thousand times runc, in a container in a container, ends before it has read what to run: nothing has run.
RUNC_GAVE_UP = "waiting for init preliminary setup: read init-p: connection reset by peer"


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
    run: Run
    _as_planned: set[str] = field(default_factory=set, compare=False)

    def fab(self, *arguments: str, hosts: Path | str = topology.HOSTS, tool: str = "fab", **environ: str) -> Done:
        """Run the real `fab` as an operator would, and wait for it; right after a deploy, a plan is empty."""
        command, environment = [str(BIN / tool), *arguments], {**os.environ, "SWARMHUB_HOSTS": str(hosts), **environ}
        with LEDGER.counting(f"fab {_task(arguments)}") as entry:
            done = Done(*self.run(command, ROOT, environment, FAB_SECONDS))
            entry.name += ", with a hub update" if entry.name in UPDATING and HUB_UPDATE in done.out else ""
        if "deploy" in arguments and done.code == 0:
            left = self.left_to_change(hosts, **environ)
            assert not left, f"not empty after a deploy: {left}"
        return done

    def left_to_change(self, hosts: Path | str = topology.HOSTS, **environ: str) -> str:
        """Return what a plan says, nothing if it is empty; it is not asked where it was empty and nothing has changed since."""
        before = self.seen(hosts, **environ)
        if before and before in self._as_planned:
            return ""
        plan = self.fab("plan", "--exit-code", hosts=hosts, **environ)
        if plan.code:
            return plan.text or f"exit code {plan.code}"
        # What changed while it was planned may have been planned upon or not.
        if before and before == self.seen(hosts, **environ):
            self._as_planned.add(before)
        return ""

    def seen(self, hosts: Path | str = topology.HOSTS, **environ: str) -> str:
        """Return a digest of all that a plan looks at; nothing where an engine does not answer."""
        with LEDGER.counting("look at all that a plan looks at"), contextlib.suppress(machine.LabError):
            return looks.planned_on(self.client, ROOT / hosts, environ)
        return ""

    def let_stand(self, hosts: Path | str = topology.HOSTS, **environ: str) -> None:
        """Deploy what hosts.toml says, if a plan is not empty."""
        left = self.left_to_change(hosts, **environ)
        if left:
            done = self.fab("deploy", "--yes", hosts=hosts, **environ)
            assert done.code == 0, left + done.text

    def started(self, *arguments: str, until: str, hosts: Path | str = topology.HOSTS) -> "Started":
        """Start `fab` and return when it has said `until`; it goes on."""
        return Started.begin(*arguments, until=until, hosts=hosts)

    def on(self, node: str, *command: str) -> str:
        """Run a command inside a node, past SSH and past swarmhub."""
        with LEDGER.counting("docker and others inside the nodes"):
            return containers.run(self.client, node, *command)

    def docker(self, *arguments: str, node: str = topology.MANAGER.name) -> str:
        """Run docker inside a node."""
        return self._patiently(node, "docker", *arguments)

    def execute(self, service: str, *command: str, node: str = topology.MANAGER.name) -> str:
        """Run a command in the container that a service has on a node; the newest, if another is still ending."""
        return self._patiently(node, "sh", "-c", EXECUTE, service, *command)

    def log_of(self, service: str = HUB, tail: str = "all") -> str:
        """Return the logs of a service's tasks, of each its last lines."""
        return self.on(topology.MANAGER.name, "sh", "-c", SERVICE_LOG, service, tail)

    def _patiently(self, node: str, *command: str) -> str:
        try:
            return self.on(node, *command)
        except machine.LabError as error:
            if RUNC_GAVE_UP not in str(error):
                raise
            return self.on(node, *command)

    def service_version(self, name: str = HUB) -> str:
        """Return the id and the version of a service, as its engine has them."""
        return self.docker("service", "inspect", name, "--format", "{{.ID}} {{.Version.Index}}")

    def fingerprint(self) -> dict[str, str]:
        """Return what tells every object of a deployment from one that was made anew."""
        with LEDGER.counting("look at all objects"):
            return looks.objects(self.client)

    def start_server(self, user: str, *, profile: str = STUB, **options: str) -> str:
        """Start a user's server as an admin does through the hub's API; return its service when it is ready.

        It has no JupyterLab, unless a profile is named that has.
        """
        with LEDGER.counting("start a server" + ("" if profile == STUB else f", {profile}")):
            return self._started_server(user, {**options, "profile": profile})

    def _started_server(self, user: str, options: dict[str, str]) -> str:
        body = json.dumps({"user_options": self._on_its_node(options)})
        said = self.execute(HUB, "sh", "-c", START_SERVER, "sh", user, body)
        if '"ready": true' not in said:
            raise machine.LabError(f"{user}'s server does not start: {said}\n{self.log_of(tail='30')}")
        return f"{HUB}-{user}"

    def ask_for_server(self, user: str, **options: str) -> str:
        """Ask for a user's server, with what the page of choices would send, and `on` a node; return what the hub says."""
        self.hub_api("POST", f"users/{user}")
        body = json.dumps({"user_options": self._on_its_node(options)})
        answer = self.hub_api("POST", f"users/{user}/server", body)
        return str(json.loads(answer)["message"]) if answer else ""

    def _on_its_node(self, options: dict[str, str]) -> dict[str, str]:
        """Return what the hub is asked for, with the id of the node that `on` names."""
        wish = {"node": self.docker("node", "inspect", options["on"], "--format", "{{.ID}}")} if "on" in options else {}
        return {name: value for name, value in options.items() if name != "on"} | wish

    def node_of(self, user: str) -> str:
        """Return the node on which a user's server runs."""
        return self.docker("service", "ps", f"{HUB}-{user}", "--filter", "desired-state=running", "--format", "{{.Node}}")

    def in_server(self, user: str, command: str) -> str:
        """Run a shell command in a user's server, as the user, and return its output."""
        return self.execute(f"{HUB}-{user}", "sh", "-c", command, node=self.node_of(user))

    def stop_server(self, user: str) -> None:
        """Stop a user's server through the hub's API; return when its service is gone."""
        listed = ("service", "ls", "-q", "--filter", f"name={HUB}-{user}")
        with LEDGER.counting("stop a server"):
            self.hub_api("DELETE", f"users/{user}/server")
            self.wait(lambda: not self.docker(*listed), 60, f"{user}'s server does not stop")

    def hub_answers(self) -> bool:
        """Tell whether the hub answers in its container."""
        with contextlib.suppress(machine.LabError):
            return '"version"' in self.hub_api("GET", "")
        return False

    def leave_swarm(self, node: str) -> None:
        """Let a node leave its swarm by force.

        An engine whose farewell the others have not heard within a second (memberlist's "timeout waiting for leave
        broadcast", Docker 26) keeps its gossip port, and has no overlay in the next swarm before it is restarted.
        """
        self.docker("swarm", "leave", "--force", node=node)
        try:
            self.wait(lambda: not self.on(node, "ss", "-Hltn", "sport = :7946"), 10, "the gossip port stays taken")
        except machine.LabError:
            self.on(node, "sv", "-w", "60", "restart", "docker")
            self.wait(lambda: self._engine_answers(node), 30, f"the engine of {node} does not come back")

    def _engine_answers(self, node: str) -> bool:
        with contextlib.suppress(machine.LabError):
            return bool(self.docker("info", "--format", "{{.ID}}", node=node))
        return False

    def container(self, service: str = HUB) -> str:
        """Return the manager's running container of a service, or an empty text."""
        return self.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={service}")

    def forget_certificate(self) -> None:
        """Remove the certificate and leave its folder, which the proxy's container has mounted."""
        self.on(topology.MANAGER.name, "find", "/etc/letsencrypt", "-mindepth", "1", "-delete")

    def homes(self, node: str) -> list[str]:
        """Return the volumes of homes that a node has."""
        return self.docker("volume", "ls", "-q", "--filter", "label=swarmhub.home", node=node).split()

    def forget_homes(self) -> None:
        """Remove all homes that are volumes, and where they are; the containers of servers that were stopped may still go."""
        for config in self.docker("config", "ls", "-q", "--filter", "label=swarmhub.home").split():
            self.docker("config", "rm", config)
        for node in topology.NODES:
            self.wait(partial(self._without_homes, node.name), 30, f"homes on {node.name} cannot be removed")

    def _without_homes(self, node: str) -> bool:
        with contextlib.suppress(machine.LabError):
            for volume in self.homes(node):
                self._patiently(node, "sh", "-c", REMOVE_HOME, volume)
            return True
        return False

    def hub_api(self, method: str, path: str, body: str = "") -> str:
        """Ask the hub from inside its container, with a token of the lab's admin that is made there once."""
        return self.execute(HUB, "sh", "-c", HUB_API, "sh", method, path, body)

    def wait(self, holds: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until something holds; fail with `what` when it does not."""
        with LEDGER.counting(f"wait, else: {what}"):
            machine.wait_for(holds, seconds, what)


@dataclass(frozen=True)
class Started:
    """A `fab` that has been started, and what it has said so far."""

    process: "subprocess.Popen[str]"
    said: str

    @staticmethod
    def begin(*arguments: str, until: str, hosts: Path | str) -> "Started":
        """Start `fab` and return when it has said `until`."""
        environment = {**os.environ, "SWARMHUB_HOSTS": str(hosts), "PYTHONUNBUFFERED": "1"}
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [str(BIN / "fab"), *arguments], cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True
        )
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if until in line:
                break
        return Started(process, said)

    def end(self, seconds: float = END_SECONDS, kill: int | None = None) -> Done:
        """Send a signal, if one is given, and return what came of it."""
        with LEDGER.counting("fab that is started and watched"), self.process as fab:
            if kill is not None:
                fab.send_signal(kill)
            out, err = fab.communicate(timeout=seconds)
        return Done(fab.returncode, self.said + out, err)


def _task(arguments: Sequence[str]) -> str:
    """Return the first task of a command line."""
    words = arguments[2:] if arguments[0] == "-H" else arguments
    return next((word for word in words if not word.startswith("-")), "")


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
    text = topology.hosts_toml(text).replace(f'"{topology.STATE.name}/', f'"{topology.STATE}/')
    text = text.replace('"userlist"', f'"{ROOT / "lab" / "userlist"}"')
    file = folder / "hosts.toml"
    file.write_text(text)
    return file


def interrupt(*arguments: str, when: str, seconds: float = END_SECONDS) -> Done:
    """Run `fab`, press Ctrl-C as soon as it has said `when`, and return what came of it within some seconds."""
    return Started.begin(*arguments, until=when, hosts=topology.HOSTS).end(seconds, signal.SIGINT)


def piped(what: str, *arguments: str, hosts: Path | str = topology.HOSTS) -> Done:
    """Run `fab` with something piped in."""
    environment = {**os.environ, "SWARMHUB_HOSTS": str(hosts)}
    command = [str(BIN / "fab"), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input=what, capture_output=True, text=True, check=False, timeout=60
    )
    return Done(done.returncode, done.stdout, done.stderr)


def typed(*arguments: str, when: str, keys: bytes | int, hosts: Path | str = topology.HOSTS) -> Done:
    """Run `fab` on a terminal; type `keys`, or send a signal, as soon as it has said `when`."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(ROOT)
        os.environ["SWARMHUB_HOSTS"] = str(hosts)
        os.execv(str(BIN / "fab"), ["fab", *arguments])  # noqa: S606 - no shell is wanted
    termios.tcsetwinsize(terminal, (ROWS, COLUMNS))
    said, is_due = b"", True
    while True:
        try:
            said += os.read(terminal, 65536)
        except OSError:  # so a terminal says that nobody is there any more
            break
        if is_due and when.encode() in said:
            is_due = False
            os.kill(child, keys) if isinstance(keys, int) else os.write(terminal, keys)
    os.close(terminal)
    return Done(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.decode(errors="replace"), "")


Settings = Callable[..., Path]


@contextlib.contextmanager
def moved_away(lab: Lab, node: str, path: str) -> Iterator[None]:
    """Hide a file of a node for a while."""
    lab.on(node, "mv", path, f"{path}.away")
    try:
        yield
    finally:
        lab.on(node, "mv", f"{path}.away", path)
