"""What only looks, as it is typed: the status, logs, a shell and completion."""

import json
from typing import Any

import pytest
from invoke.exceptions import Exit

from swarmhub.host import Output
from swarmhub.status.logs import ENGINE_LOG
from swarmhub.status.shell import SHELL
from tests.unit.support import cluster
from tests.unit.support.cluster import Hosts, Type
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2

pytestmark = pytest.mark.usefixtures("clock")


def looked_at(hosts: Hosts) -> None:
    """Give the hosts what `status`, `logs` and `shell` ask for beyond the steps."""
    stamp = "2026-11-15T10:00:00Z"
    running = {"State": "running", "Timestamp": stamp, "ContainerStatus": {"ContainerID": "c1"}}
    manager = hosts[MANAGER].engine.answers
    manager["GET /services/jupyterhub"] |= {"CreatedAt": stamp, "UpdatedAt": stamp}
    manager["GET /tasks"] = [{"ID": "t1", "ServiceID": "s1", "NodeID": "n1", "CreatedAt": stamp, "Status": running}]
    manager["GET /tasks/t1/logs"] = ["2026-11-15T10:00:00.000000000Z hello"]


def test_the_status_is_printed_once(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` only asks, and shows every node and the hub; --json prints one document."""
    looked_at(hosts)
    type_("status")
    said = capsys.readouterr().out
    assert (cluster.changes(hosts), all(host in said for host in hosts), "jupyterhub  running" in said) == ([], True, True)
    type_("status", json=True)
    assert [node["host"] for node in json.loads(capsys.readouterr().out)["nodes"]] == list(hosts)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("status", {"watch": True}),
        ("logs", {"since": "yesterday"}),
        ("logs", {"node": WORKER1}),
        ("logs", {"engine": True, "user": "ada"}),
        ("completion", {"shell": "tcsh"}),
    ],
)
def test_what_cannot_be_shown_is_a_wrong_command_line(type_: Type, hosts: Hosts, name: str, arguments: dict[str, Any]) -> None:
    """A screen that is live needs a terminal; of two logs one has to be chosen; nothing has been asked."""
    with pytest.raises(Exit) as ended:
        type_(name, **arguments)
    assert (ended.value.code, [host for host in hosts.values() if host.engine.requests or host.ran]) == (2, [])


def test_the_hubs_log_is_shown_by_default(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """With --engine it is an engine's, and -H may name a worker."""
    looked_at(hosts)
    type_("logs")
    assert capsys.readouterr().out == "2026-11-15T10:00:00.000000000Z hello\n"
    hosts[WORKER2].commands[f"sh -c {ENGINE_LOG} sh 100  "] = Output(0, "hello\n", "")
    type_("logs", WORKER2, engine=True)
    assert capsys.readouterr().out == "hello\n"


def test_ctrl_c_is_the_end_of_a_log_that_is_followed(type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """To follow has no other end: it is no failure."""
    looked_at(hosts)
    hosts[MANAGER].engine.answers |= dict.fromkeys(("GET /services/s1/logs", "GET /tasks/t1/logs"), KeyboardInterrupt())
    type_("logs", follow=True)
    with pytest.raises(Exit) as ended:
        type_("logs")
    assert ended.value.code == 130


def test_a_shells_exit_code_is_passed_on(type_: Type, hosts: Hosts) -> None:
    """`shell` ends as the shell in the hub's container has ended."""
    looked_at(hosts)
    commands, call = hosts[MANAGER].commands, f"docker exec -i c1 sh -c {SHELL}"
    commands[call] = Output(0, "", "")
    type_("shell")
    commands[call] = Output(7, "", "")
    with pytest.raises(Exit) as ended:
        type_("shell")
    assert (ended.value.code, ended.value.message) == (7, None)


def test_a_completion_is_printed_for_the_shell_in_use(
    type_: Type, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """$SHELL says which, unless it is named."""
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    type_("completion")
    type_("completion", shell="bash")  # noqa: S604 - no shell is run
    said = capsys.readouterr().out
    assert ("compdef _fab_complete fab" in said, "complete -o default -F _fab_complete fab" in said) == (True, True)
