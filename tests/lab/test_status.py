"""Looking at a cluster that runs: the state of all on one screen, the logs, a shell, completion."""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from lab import machine, topology
from tests.lab.support import BIN, COLUMNS, HUB, REAL, ROOT, ROWS, Done, Lab, Settings, interrupt, piped, typed

MANAGER = topology.MANAGER.name
WORKER, LAST = (worker.name for worker in topology.WORKERS)
USER = "grace"


@pytest.fixture(scope="module")
def node(settled: Lab) -> Iterator[str]:
    """Start a user's server for the tests of this file, and give the node that it runs on."""
    service = settled.start_server(USER, profile=REAL)
    yield settled.docker("service", "ps", service, "--format", "{{.Node}}")
    settled.stop_server(USER)


def status(lab: Lab) -> Any:
    """Return what `fab status --json` says."""
    done = lab.fab("status", "--json")
    assert done.code == 0, done.text
    return json.loads(done.out)


def test_one_screen_shows_nodes_hub_certificate_images_and_servers(deployed: Lab, node: str) -> None:
    """Each section has its rows; a user's server is there with its node, its age and its memory."""
    done = deployed.fab("status")
    assert done.code == 0, done.text
    for host in (MANAGER, WORKER, LAST):
        assert re.search(
            rf"^  {host} +(leader|worker) +ready +active +[\d.]+ / \d+ +\d+% of \d+ GB +\d+% of \d+ GB$", done.out, re.M
        )
    assert re.search(rf"^  {HUB} +running +\d+ \w+ +\d\+? +\d+ MB +{MANAGER} +\d+ \w+ old +{HUB}:[0-9a-f]+$", done.out, re.M)
    assert re.search(r"^  hub\.localhost +\d+ days left +until ", done.out, re.M)
    assert re.search(rf"^  {node} +{USER} +running +\d+ \w+ +\d+ MB$", done.out, re.M)


def test_machines_get_the_same_facts(deployed: Lab, node: str) -> None:
    """--json has sizes in bytes and every node's image as the engines have them."""
    found = status(deployed)
    servers = [(one["user"], one["node"], one["state"], one["memory"] > 10_000_000) for one in found["servers"]]
    assert servers == [(USER, node, "running", True)]
    held = deployed.fingerprint()[f"notebook image on {node}"]
    assert found["images"][0]["nodes"][node] == {"id": held, "as_wanted": True}


@dataclass(frozen=True)
class Down:
    """A worker whose engine was stopped for a while, and what was said meanwhile."""

    host: str
    status: Done
    prepull: Done


@pytest.fixture(scope="module")
def down(settled: Lab, node: str) -> Down:
    """Stop the engine of the worker on which the user's server is not; at the end the swarm has it back."""
    host = LAST if node == WORKER else WORKER
    settled.on(host, "sv", "-w", "30", "stop", "docker")
    try:
        return Down(host, settled.fab("status"), settled.fab("-H", host, "prepull"))
    finally:
        settled.on(host, "sv", "-w", "30", "start", "docker")
        settled.wait(partial(_is_ready, settled, host), 60, f"{host} does not come back")


def _is_ready(lab: Lab, host: str) -> bool:
    with contextlib.suppress(machine.LabError):
        return lab.docker("node", "ls", "--filter", f"name={host}", "--format", "{{.Status}}") == "Ready"
    return False


def test_a_host_whose_engine_is_down_leaves_the_rest_of_the_screen(down: Down, node: str) -> None:
    """The host's row and a line below say what is wrong and what helps; its load, the other nodes and the hub are there."""
    assert down.status.code == 0, down.status.text
    assert (
        f"  {down.host}: the Docker Engine does not run. A deploy leaves it out; when it is back, deploy again. Start it there"
        in down.status.out
    )
    assert re.search(rf"^  {down.host} .*\d+% of \d+ GB$", down.status.out, re.M)
    assert re.search(rf"^  {node} +{USER} +running", down.status.out, re.M)


def test_a_step_names_the_node_whose_engine_is_down(down: Down) -> None:
    """It fails with that cause, and says how to start it."""
    assert down.prepull.code == 1
    assert f"{down.host}: prepull: the Docker Engine does not run. Start it there" in down.prepull.err


def test_a_manager_that_does_not_answer_is_an_error(deployed: Lab, settings: Settings) -> None:
    """Without the manager nothing can be said: one line with what helps, and exit code 1."""
    away = settings(ssh=lambda config: config.replace(f"Port {topology.MANAGER.ssh_port}", "Port 9"))
    done = deployed.fab("status", hosts=away)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith(f"{MANAGER}: status: cannot reach root@127.0.0.1:9: connection refused. ")


def test_a_live_screen_ends_with_ctrl_c_and_gives_the_terminal_back(deployed: Lab) -> None:
    """--watch draws on a screen of its own; Ctrl-C is its usual end: exit code 0, the old screen and the cursor are back."""
    done = typed("status", "--watch", when="Nodes", keys=signal.SIGINT)
    assert (done.code, done.out.count("Traceback")) == (0, 0)
    assert done.out.index("\x1b[?1049h") < done.out.index("\x1b[?1049l")
    assert done.out.rindex("\x1b[?25h") > done.out.rindex("\x1b[?25l")


def test_a_live_screen_needs_a_terminal(deployed: Lab) -> None:
    """In a pipe, --watch is a wrong command line."""
    done = deployed.fab("status", "--watch")
    assert (done.code, "terminal" in done.err) == (2, True)


def test_the_hubs_log_is_the_default(deployed: Lab, node: str) -> None:
    """`fab logs` shows the hub's last lines, each behind its time, in order."""
    lines = deployed.fab("logs").out.splitlines()
    stamps = [line.partition(" ")[0] for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", stamp) for stamp in stamps)
    assert (len(lines) <= 100, stamps == sorted(stamps), "JupyterHub" in "".join(lines)) == (True, True, True)


def test_a_users_log_comes_from_the_node_that_runs_the_server(deployed: Lab, node: str) -> None:
    """The lines are those that the node's own engine has for that container."""
    container = deployed.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={HUB}-{USER}", node=node)
    own = deployed.docker("logs", container, node=node).splitlines()
    assert own[0] in deployed.fab("logs", "--user", USER).out


def test_a_user_without_a_server_is_told_who_has_one(deployed: Lab, node: str) -> None:
    """One line, with the names of those that have a server."""
    done = deployed.fab("logs", "--user", "nobody")
    assert (done.code, done.err) == (1, f"{MANAGER}: logs: nobody has no server. Users with a server: {USER}\n")


def test_only_lines_since_a_time_are_shown(deployed: Lab, node: str) -> None:
    """--since takes a time; what was said before is not shown, and what was said since is."""
    since = datetime.now(UTC)
    deployed.start_server(USER)  # it runs: the hub says so in its log
    done = deployed.fab("logs", "--since", since.isoformat())
    stamps = [line.partition(" ")[0] for line in done.out.splitlines()]
    assert (len(stamps) > 0, all(stamp > f"{since:%Y-%m-%dT%H:%M:%S}" for stamp in stamps)) == (True, True)


def test_an_engines_log_is_found_where_no_journal_is(deployed: Lab) -> None:
    """The lab has no systemd: the lines are those of the file that its init writes."""
    done = deployed.fab("-H", WORKER, "logs", "--engine")
    assert (done.code, len(done.out.splitlines())) == (0, 100)
    assert done.out.splitlines()[0] in deployed.on(WORKER, "cat", "/var/log/dockerd.log")


@pytest.mark.parametrize(
    ("arguments", "when", "left"),
    [(("--engine", "--node", WORKER), "time=", "tail -n"), (("--user", USER), "ServerApp", "dial-stdio")],
    ids=["engine", "user"],
)
def test_a_log_that_is_followed_ends_with_ctrl_c(
    deployed: Lab, node: str, arguments: tuple[str, ...], when: str, left: str
) -> None:
    """Ctrl-C is the usual end of --follow: exit code 0, not a word, and nothing goes on running on the nodes."""
    done = interrupt("logs", "--follow", *arguments, when=when)
    assert (done.code, done.err) == (0, "")
    for host in (MANAGER, WORKER):
        deployed.wait(lambda host=host: left not in deployed.on(host, "ps", "-eo", "args"), 30, f"{left} goes on on {host}")  # type: ignore[misc]


def test_what_is_piped_in_runs_in_the_hubs_container(deployed: Lab) -> None:
    """Without a terminal the shell reads its commands from the pipe, keeps the two outputs apart and passes its code on."""
    done = piped("ls /srv/jupyterhub; tty >&2; exit 5\n", "shell")
    assert (done.code, "jupyterhub_config.py" in done.out.split(), done.err) == (5, True, "not a tty\n")


def test_what_is_piped_in_runs_in_a_users_container(deployed: Lab, node: str) -> None:
    """--user finds the node that the server runs on; a script of many lines arrives whole."""
    container = deployed.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={HUB}-{USER}", node=node)
    done = piped("hostname\n" + "true\n" * 20_000 + "echo all of it\n", "shell", "--user", USER)
    assert (done.code, done.out) == (0, f"{container}\nall of it\n")


def test_a_shell_has_a_real_terminal(deployed: Lab) -> None:
    """On a terminal the shell has one too, of the same size, and its exit code is passed on."""
    done = typed("shell", when="$ ", keys=b"tty; stty size; exit 7\r")
    assert (done.code, bool(re.search(rf"/dev/pts/\d+\r\n{ROWS} {COLUMNS}\r\n", done.out))) == (7, True)


def test_bash_completes_tasks_options_and_hosts(deployed: Lab) -> None:
    """What `fab completion` prints makes a real bash know the tasks, their options, and the hosts after -H."""
    script = """
        source <(fab completion --shell bash)
        complete -p fab
        try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fab_complete; echo "${COMPREPLY[*]}"; }
        try fab prepull-
        try fab logs --f
        try fab -H swarm-manager1,swarm-w
    """
    environment = {**os.environ, "SWARMHUB_HOSTS": topology.HOSTS, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["prepull-all", "--follow", f"{MANAGER},{WORKER} {MANAGER},{LAST}"]
