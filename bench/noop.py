"""Time a deploy that has nothing to do against what it cannot be faster than, and against others, on a deployed lab.

    python -m bench.noop [RUNS [MILLISECONDS …]]

All in one run, in turn; with MILLISECONDS, once more for each such round trip to every node. The others are pyinfra and
ansible-playbook (`bench/peers/`), which ask the nodes for the same objects and compare nothing; they are left out unless
installed in an environment of their own:

    python3 -m venv bench/peers/.venv && bench/peers/.venv/bin/pip install -r bench/peers/requirements.txt
"""

import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.delay import far_away
from lab import topology
from swarmhub import settings as settings_file
from swarmhub.certificate import certs
from swarmhub.services import network
from swarmhub.settings import Settings

PEERS = Path(__file__).with_name("peers")
PROGRAMS = PEERS / ".venv" / "bin"
FAB = Path(sys.executable).with_name("fab")
HOSTS_TOML = "lab/hosts.toml"
FLOOR, DEPLOY, IMPORT, LIST = "one ssh a node", "fab deploy", "import fabric", "fab --list"

Contenders = dict[str, Callable[[], object]]


def main(runs: int, round_trips: Sequence[int]) -> None:
    """Measure and print a table for each distance, then one for the start."""
    settings = settings_file.load(Path(HOSTS_TOML))
    print(f"load of this machine: {os.getloadavg()[0]:.1f}")
    for milliseconds in (0, *round_trips):
        with _reached(milliseconds / 1000) as config:
            print(f"\nnothing to change, {milliseconds or 'no'} ms of round trip, {runs} runs each, in turn")
            _print(_timed(_contenders(settings, config), runs), FLOOR)
    print(f"\nstart, {runs} runs each, in turn")
    start: Contenders = {
        IMPORT: lambda: _run([sys.executable, "-c", "import fabric"]),
        LIST: lambda: _run([str(FAB), "--list"]),
    }
    _print(_timed(start, runs), IMPORT)


def _timed(contenders: Contenders, runs: int) -> dict[str, list[float]]:
    """Return each one's seconds. The first round does not count: it writes bytecode and fills caches."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(runs + 1):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            if number:
                taken[name].append(time.perf_counter() - started)
    return taken


def _print(taken: Mapping[str, Sequence[float]], base: str) -> None:
    print(f"{'':<18} {'median':>8} {'fastest':>8} {'slowest':>8}  of {base}")
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        ratio = median / statistics.median(taken[base])
        print(f"{name:<18} {median:>7.2f}s {min(seconds):>7.2f}s {max(seconds):>7.2f}s  {ratio:.2f}")


def _contenders(settings: Settings, config: Path) -> Contenders:
    """Return what is compared, by name."""
    objects = _objects(settings)
    hosts = settings.hosts
    inventory = {"CONFIG": str(config), "MANAGER": hosts.managers[0], "HOSTS": " ".join(hosts.all)}
    environment = inventory | {name: shlex.join(words) for name, words in objects.items()}
    found: Contenders = {FLOOR: lambda: _floor(config, settings, objects), DEPLOY: lambda: _deploy(config)}
    if (PROGRAMS / "pyinfra").exists():
        found["pyinfra"] = lambda: _run([str(PROGRAMS / "pyinfra"), "-y", "inventory.py", "deploy.py"], PEERS, environment)
    if (PROGRAMS / "ansible-playbook").exists():
        found["ansible-playbook"] = lambda: _run([str(PROGRAMS / "ansible-playbook"), "playbook.yaml"], PEERS, environment)
    return found


def _objects(settings: Settings) -> dict[str, list[str]]:
    """Return what a deploy asks the manager for, by kind, and the images that it asks every node for."""
    hub = settings.hub.service
    return {
        "SERVICES": [hub, f"{hub}-proxy", f"{hub}-engine", f"{hub}-renewal", f"{hub}_firewall"],
        "NETWORKS": [settings.network.name, network.of_proxy(settings)["Name"]],
        "VOLUMES": [settings.volume.name],
        "IMAGES": [*settings.images],
        "FILES": [certs.place(settings, certs.CHAIN), f"/etc/letsencrypt/renewal/{settings.hub.domain}.conf"],
    }


def _floor(config: Path, settings: Settings, objects: Mapping[str, Sequence[str]]) -> None:
    """Ask every node at once, by one `ssh` and one `docker inspect` each."""
    of_manager = [*objects["SERVICES"], *objects["NETWORKS"], *objects["VOLUMES"], *objects["IMAGES"], *settings.hosts.all]
    asked = {host: [*objects["IMAGES"]] for host in settings.hosts.all} | {settings.hosts.managers[0]: of_manager}
    lines = {host: f"docker inspect {shlex.join(names)}" for host, names in asked.items()}
    lines[settings.hosts.managers[0]] += f" && cat {shlex.join(objects['FILES'])}"
    commands = [["ssh", "-F", str(config), host, line] for host, line in lines.items()]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for command in commands]
    for one in started:
        said = one.communicate()[0]
        if one.returncode:
            sys.exit(f"{shlex.join(map(str, one.args))}: {said}")  # type: ignore[arg-type]


def _deploy(config: Path) -> None:
    said = _run([str(FAB), "--ssh-config", str(config), "deploy"], environment={"SWARMHUB_HOSTS": HOSTS_TOML})
    if "nothing to change" not in said:
        sys.exit("that deploy changed something: run this again on a deployed lab")


def _run(command: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it says; its bytecode is kept, as at an operator's."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        command, cwd=folder, env={**inherited, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{shlex.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def _reached(seconds: float) -> Iterator[Path]:
    """Give the ssh_config by which the nodes are reached: the lab's, or one through a proxy that makes them far away."""
    config = topology.STATE / "ssh_config"
    if not seconds:
        yield config
        return
    text = config.read_text()
    ports = [int(port) for port in re.findall(r"^\s*Port (\d+)$", text, re.MULTILINE)]
    with far_away(ports, seconds) as proxied, tempfile.TemporaryDirectory() as folder:
        known = Path(folder, "known_hosts")
        known.write_text(_moved((topology.STATE / "known_hosts").read_text(), proxied))
        there = re.sub(r"(UserKnownHostsFile ).*", rf'\1"{known}"', _moved(text, proxied))
        file = Path(folder, "ssh_config")
        file.write_text(there)
        yield file


def _moved(text: str, ports: Mapping[int, int]) -> str:
    for port, to in ports.items():
        text = re.sub(rf"(Port |:){port}\b", rf"\g<1>{to}", text)
    return text


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, [int(one) for one in sys.argv[2:]])
