"""What is shown before anything is changed, and that nothing else is changed then."""

import json
from typing import Any

import pytest
from invoke.exceptions import Exit

from swarmhub.certificate import https
from swarmhub.history import lock
from swarmhub.host import Output
from swarmhub.run import task
from swarmhub.run.report import Report
from swarmhub.settings import Settings
from tests.unit.support import cluster
from tests.unit.support.authority import Authority
from tests.unit.support.cluster import Hosts, Type
from tests.unit.support.fakes import DOMAIN, MANAGER, NOTEBOOK, NOW, WORKER1, WORKER2, Request

VOLUME = "GET /volumes/jupyterhub-data"
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def empty(hosts: Hosts, given: Settings, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Return the cluster with nothing on it, and a hub that will be well."""
    cluster.wipe(hosts, given)
    monkeypatch.setattr(https, "get", lambda *_, **__: (200, "{}"))
    return hosts


def code(type_: Type, name: str, *named: str, **arguments: Any) -> int:
    """Return the exit code of a task."""
    try:
        type_(name, *named, **arguments)
    except Exit as ended:
        return ended.code
    return 0


@pytest.mark.usefixtures("empty")
def test_a_plan_changes_nothing(type_: Type, hosts: Hosts) -> None:
    """Not even a lock or an entry of the history is left."""
    type_("plan")
    assert [call for host in hosts.values() for call in host.engine.asked() if not call.startswith("GET ")] == []


def test_a_plan_with_nothing_to_do_says_so(type_: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step is a line, and the sum the last."""
    type_("plan")
    said = capsys.readouterr().out.splitlines()
    assert (len(said), said[-1]) == (9, "plan       nothing to change")


def test_a_plan_for_machines_is_json_and_nothing_else(type_: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads the whole output."""
    type_("plan", json=True)
    assert json.loads(capsys.readouterr().out)["changes"] == 0


@pytest.mark.usefixtures("empty")
def test_a_plan_with_commands_has_those_that_can_be_typed_but_none_with_a_secret(
    type_: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    """Networks, volumes, pulls, secrets and services have one, and nobody who reads along learns a secret."""
    type_("plan", commands=True)
    said = capsys.readouterr().out
    assert (said.count("$ "), "hush" in said) == (11, False)


@pytest.mark.usefixtures("empty")
def test_what_a_first_deploy_creates_is_a_line_each(type_: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """With what matters of it; the networks by their names, though their ids are not known yet."""
    type_("plan")
    said = capsys.readouterr().out.splitlines()
    assert len(said) <= 30
    for line in (
        f"network    create network jupyter on {MANAGER}: overlay, room for 250 servers",
        f"volume     create volume jupyterhub-data on {MANAGER}: local",
        f"images     pull {NOTEBOOK} on {WORKER1}: aaaaaaaaaaaa",
    ):
        assert line in said
    (hub,) = [line for line in said if "create service jupyterhub on" in line]
    assert hub.partition("; ")[2] == (
        "ports 443; networks jupyter; mounts /etc/letsencrypt, jupyterhub-data:/data, /var/run/docker.sock; "
        "secrets GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET; placed node.role==manager, node.id==n1"
    )


@pytest.mark.usefixtures("empty")
def test_every_field_of_it_is_shown_on_demand(type_: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """With --details."""
    type_("plan", details=True)
    assert f"{'':<10}   TaskTemplate.ContainerSpec.Mounts[0].Type: nothing → bind" in capsys.readouterr().out.splitlines()


def test_a_plan_that_could_not_be_made_says_so(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line names the step, and what the others would change."""
    hosts[MANAGER].engine.answers[VOLUME]["Driver"] = "nfs"
    assert code(type_, "plan") == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "plan       there is no plan for volume: see above. fab deploy would change nothing either."
    )
    assert code(type_, "deploy") == 1
    assert "plan       there is no plan for volume; nothing was changed" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("is_empty", "exit_code", "expected"), [(False, False, 0), (False, True, 0), (True, False, 0), (True, True, 3)]
)
def test_the_exit_code_tells_whether_something_would_change(
    type_: Type, hosts: Hosts, given: Settings, is_empty: bool, exit_code: bool, expected: int
) -> None:
    """Only if asked for: 3 is for scripts."""
    if is_empty:
        cluster.wipe(hosts, given)
    assert code(type_, "plan", exit_code=exit_code) == expected


@pytest.mark.parametrize("exit_code", [False, True])
def test_a_step_that_refuses_fails_the_plan(type_: Type, hosts: Hosts, exit_code: bool) -> None:
    """That is 1, whatever else would change, and every step has been told."""
    hosts[MANAGER].engine.answers[VOLUME]["Driver"] = "nfs"
    hosts[MANAGER].engine.answers["GET /networks"] = []
    assert code(type_, "plan", exit_code=exit_code) == 1


def test_a_refusal_is_in_the_json_of_a_plan_that_fails(type_: Type, hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads why."""
    hosts[MANAGER].engine.answers[VOLUME]["Driver"] = "nfs"
    assert code(type_, "plan", json=True) == 1
    errors = [step["step"] for step in json.loads(capsys.readouterr().out)["steps"] if step["error"]]
    assert errors == ["volume"]


def test_a_worker_given_to_a_plan_is_refused(type_: Type) -> None:
    """A plan is a manager's."""
    assert code(type_, "plan", WORKER1) == 2


def test_a_first_deploy_makes_what_it_has_shown(type_: Type, empty: Hosts) -> None:
    """Every step's own plan is found in what was shown, though ids and fingerprints have become known since."""
    type_("deploy")
    steps = (
        "/networks/create",
        "/volumes/create",
        "/images/create",
        "/images/load",
        "/build",
        "/secrets/create",
        "/services/create",
    )
    made = dict.fromkeys(call for call in cluster.changes(empty) if call.endswith(steps))
    # Pulls and builds go at once: their order is open.
    assert set(made) == {
        f"{MANAGER}: POST /networks/create",
        f"{MANAGER}: POST /volumes/create",
        f"{MANAGER}: POST /images/create",
        f"{MANAGER}: POST /images/load",
        f"{MANAGER}: POST /build",
        f"{MANAGER}: POST /services/create",
        f"{MANAGER}: POST /secrets/create",
        f"{WORKER1}: POST /images/create",
        f"{WORKER1}: POST /images/load",
        f"{WORKER2}: POST /images/create",
        f"{WORKER2}: POST /images/load",
    }


def test_what_a_deploy_will_do_is_shown_first(type_: Type, empty: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """The sum and every change stand there before the first one is made."""
    seen: list[str] = []
    make = empty[MANAGER].engine.answers["POST /networks/create"]

    def create(request: Request) -> Any:
        seen.append(capsys.readouterr().out)
        return make(request)

    empty[MANAGER].engine.answers["POST /networks/create"] = create
    type_("deploy")
    assert ("plan       23 changes" in seen[0], "  service" in seen[0]) == (True, True)


def test_a_deploy_that_is_not_agreed_to_changes_nothing(
    type_: Type, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, given: Settings
) -> None:
    """Whoever says no to a restart of the hub has changed nothing and holds no lock."""
    given.hub.userlist.write_text("ada admin\ngrace\n")
    monkeypatch.setattr(Report, "is_terminal", True)
    monkeypatch.setattr(Report, "ask", lambda *_: False)
    assert (code(type_, "deploy"), cluster.changes(hosts), lock.observe(hosts[MANAGER])) == (2, [], None)


def test_a_deploy_on_a_locked_cluster_changes_nothing(type_: Type, empty: Hosts) -> None:
    """Somebody else is at it: that is 1, and who it is is told."""
    lock.take(empty[MANAGER], {"who": "grace@lap", "since": NOW.isoformat(), "what": "deploy"})
    with pytest.raises(Exit, match="the cluster is locked by grace@lap"):
        type_("deploy")
    assert cluster.changes(empty) == []


def test_a_deploy_that_a_step_refuses_changes_nothing(type_: Type, empty: Hosts) -> None:
    """The step before it is not made either, as it would have been without a look at them all."""
    empty[MANAGER].engine.answers[VOLUME] = {"Name": "jupyterhub-data", "Driver": "nfs", "Options": None}
    assert (code(type_, "deploy"), cluster.changes(empty)) == (1, [])


def test_what_has_changed_since_it_was_shown_is_not_applied(type_: Type, empty: Hosts, authority: Authority) -> None:
    """A certificate for other names has come up meanwhile: what was shown before is done, to replace it was not shown."""
    chain, _ = authority.issue("other.example.org")

    def create(_: Request) -> None:
        live = f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem"
        empty[MANAGER].commands[f"cat {live}"] = Output(0, chain, "")

    empty[MANAGER].engine.answers["POST /volumes/create"] = create
    with pytest.raises(Exit, match="certs: the cluster has changed since the plan was shown; nothing of this step was done"):
        type_("deploy")
    assert cluster.changes(empty) == [f"{MANAGER}: POST /networks/create", f"{MANAGER}: POST /volumes/create"]


def test_a_deploys_steps_share_one_lock(type_: Type, empty: Hosts) -> None:
    """It is taken once, and held until the run ends."""
    type_("deploy")
    held = [request.body["Name"] for request in empty[MANAGER].engine.requests if str(request) == "POST /configs/create"]
    assert (held.count(lock.NAME), lock.observe(empty[MANAGER]) is not None) == (1, True)
    task.finish(None)
    assert lock.observe(empty[MANAGER]) is None
