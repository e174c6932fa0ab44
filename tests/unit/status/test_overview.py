"""Asking all hosts for the status, on a cluster in memory."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from swarmhub.run.look import Look
from swarmhub.settings import Settings
from swarmhub.status import overview, summary
from swarmhub.status.machine import FACTS
from swarmhub.status.summary import ServerStatus, Status
from tests.unit.status.test_machine import PRINTED
from tests.unit.support import cluster
from tests.unit.support.authority import Authority
from tests.unit.support.fakes import (
    CALLBACK,
    EXTRA,
    MANAGER,
    NOTEBOOK,
    WORKER1,
    WORKER2,
    FakeHost,
    Request,
    alone,
    server_of,
    with_extra,
)

SECRETS = {
    "GITHUB_CLIENT_ID": SecretStr("id"),
    "GITHUB_CLIENT_SECRET": SecretStr("hush"),
    "OAUTH_CALLBACK_URL": SecretStr(CALLBACK),
}
CREATED = "2026-11-15T10:00:00.000000000Z"
Hosts = dict[str, FakeHost]


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """Return the settings, with a userlist."""
    (tmp_path / "users").write_text("ada admin\n")
    return alone(hub={"userlist": str(tmp_path / "users")})


@pytest.fixture
def hosts(given: Settings, authority: Authority) -> Hosts:
    """Return a cluster with a hub on the manager and a server of ada's on the first worker."""
    made = cluster.deployed(given, authority, SECRETS)
    answers = made[MANAGER].engine.answers
    answers["GET /services/jupyterhub"] |= {"CreatedAt": CREATED, "UpdatedAt": CREATED}
    answers["GET /services"] = [server_of("ada", id_="s2")]
    of_hub = [task("n1", "c1", "s1")]
    answers["GET /tasks"] = lambda request: [task("n2", "c2", "s2")] if is_of_servers(request) else of_hub
    for host, container in ((MANAGER, "c1"), (WORKER1, "c2")):
        made[host].engine.answers[f"GET /containers/{container}/stats"] = {"memory_stats": {"usage": len(host)}}
    for one in made.values():
        one.commands[f"sh -c {FACTS} sh /var/lib/docker"] = Output(0, PRINTED, "")
    return made


def is_of_servers(request: Request) -> bool:
    """Tell whether a request for tasks is for those of people's servers."""
    return "label" in request.params["filters"]


def task(node: str, container: str, service: str) -> dict[str, Any]:
    """Return a running task."""
    running = {"State": "running", "Timestamp": "2026-11-15T10:00:02Z", "ContainerStatus": {"ContainerID": container}}
    return {"ServiceID": service, "NodeID": node, "CreatedAt": CREATED, "Status": running}


def observed(given: Settings, hosts: Hosts) -> Status:
    """Return what is found."""
    return overview.observe(given, Look(given, hosts, MANAGER), hosts, MANAGER)


def test_hub_and_servers_are_shown_with_node_and_memory(given: Settings, hosts: Hosts) -> None:
    """By the names of hosts.toml; memory is asked for on the node that runs it, and only there."""
    found = observed(given, hosts)
    (server,), hub = found.servers, found.hub
    assert (server.user, server.node, server.state, server.memory) == ("ada", WORKER1, "running", len(WORKER1))
    assert "GET /containers/c2/stats" not in hosts[MANAGER].engine.asked()
    assert hub
    assert (hub.node, hub.state, hub.restarts, hub.memory) == (MANAGER, "running", 0, len(MANAGER))


def test_every_image_has_its_column(given: Settings, hosts: Hosts) -> None:
    """Notebook images on every node, the hub's on the managers; a profile's image that a node lacks shows as missing there."""
    hosts[WORKER1].engine.answers[f"GET /images/{EXTRA}/json"] = {"Id": "sha256:x", "RepoDigests": []}
    notebook, extra, hub = observed(with_extra(given), hosts).images
    assert (notebook.name, list(notebook.held), list(hub.held)) == (NOTEBOOK, [MANAGER, WORKER1, WORKER2], [MANAGER])
    assert (extra.name, [bool(one) for one in extra.held.values()]) == (EXTRA, [False, True, False])


def test_how_old_the_packages_in_the_hubs_image_are_is_told(given: Settings, hosts: Hosts) -> None:
    """By the node that runs it; of what no history tells, nothing."""
    image = hosts[MANAGER].engine.answers["GET /services/jupyterhub"]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    steps = [{"Created": 1_790_000_000, "CreatedBy": "RUN apt-get update"}]
    hosts[MANAGER].engine.answers[f"GET /images/{image}/history"] = steps
    found = observed(given, hosts)
    assert found.hub
    assert found.hub.installed == datetime.fromtimestamp(1_790_000_000, UTC)
    assert summary.as_json(found)["hub"]["installed"] == "2026-09-21T14:13:20+00:00"
    del hosts[MANAGER].engine.answers[f"GET /images/{image}/history"]
    assert summary.as_json(observed(given, hosts))["hub"]["installed"] is None


def test_a_node_that_cannot_run_an_image_does_not_miss_it(given: Settings, hosts: Hosts) -> None:
    """It has no part in the image's column."""
    for name, host in hosts.items():
        host.engine.answers["GET /info"]["Architecture"] = "aarch64" if name == WORKER2 else "x86_64"
        host.engine.answers[f"GET /images/{NOTEBOOK}/json"]["Architecture"] = "amd64"
    assert [*observed(given, hosts).images[0].held] == [MANAGER, WORKER1]


def test_a_host_that_cannot_be_reached_leaves_the_rest(given: Settings, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row says why; it is tried once; what runs there keeps its node's name, and has no memory."""

    def away(*_: str) -> Output:
        raise StepError(WORKER1, "cannot reach it", "Is it up?")

    monkeypatch.setattr(hosts[WORKER1], "run", away)
    found = observed(given, hosts)
    assert [(node.row.problem, node.machine is None) for node in found.nodes] == [
        ("", False),
        ("cannot reach it", True),
        ("", False),
    ]
    assert [(one.node, one.memory) for one in found.servers] == [(WORKER1, None)]
    assert hosts[WORKER1].engine.requests == []


def test_a_host_whose_engine_is_down_tells_its_load(given: Settings, hosts: Hosts) -> None:
    """What needs no engine is there all the same."""
    hosts[WORKER2].engine.answers["GET /info"] = StepError(WORKER2, "the Docker Engine does not run", "Start it")
    last = observed(given, hosts).nodes[-1]
    assert (last.row.problem, last.machine is not None) == ("the Docker Engine does not run", True)


def test_an_engine_that_answers_an_error_is_a_row_that_says_so(given: Settings, hosts: Hosts) -> None:
    """The image of a node that cannot be told is not taken for missing."""
    hosts[WORKER2].engine.answers[f"GET /images/{NOTEBOOK}/json"] = EngineError(WORKER2, 500, "panic")
    assert isinstance(observed(given, hosts).images[0].held[WORKER2], StepError)


def test_a_manager_that_does_not_answer_is_an_error(given: Settings, hosts: Hosts) -> None:
    """Without it nothing is known of the swarm."""
    hosts[MANAGER].engine.answers["GET /info"] = StepError(MANAGER, "cannot reach it", "Is it up?")
    with pytest.raises(StepError, match="cannot reach it"):
        observed(given, hosts)


def test_dockers_own_folder_is_the_disk_that_counts(given: Settings, hosts: Hosts) -> None:
    """Where an engine keeps its data elsewhere, that file system is looked at."""
    hosts[WORKER1].engine.answers["GET /info"]["DockerRootDir"] = "/data/docker"
    hosts[WORKER1].commands[f"sh -c {FACTS} sh /data/docker"] = Output(0, PRINTED.replace("600 900", "700 800"), "")
    machine = observed(given, hosts).nodes[1].machine
    assert machine
    assert machine.disk_used == 700 * 1024


def test_a_left_node_of_the_same_name_has_no_load_of_its_own(given: Settings, hosts: Hosts) -> None:
    """A host that has joined anew is listed twice by the swarm; only the new one is a machine."""
    nodes = hosts[MANAGER].engine.answers["GET /nodes"]
    nodes.append({**nodes[-1], "ID": "old", "Status": {"State": "down"}})
    assert [node.machine is None for node in observed(given, hosts).nodes] == [False, False, False, True]


def test_before_the_first_deploy_there_is_no_hub(given: Settings, hosts: Hosts) -> None:
    """A swarm without the service has a status too."""
    del hosts[MANAGER].engine.answers["GET /services/jupyterhub"]
    hosts[MANAGER].engine.answers["GET /services"] = []
    found = observed(given, hosts)
    assert (found.hub, found.servers, len(found.images)) == (None, (), 1)


def test_machines_get_times_in_iso_and_sizes_in_bytes(given: Settings, hosts: Hosts) -> None:
    """The JSON has no value that a JSON reader would not know, and no chain of a certificate."""
    facts = summary.as_json(observed(given, hosts))
    server = {"user": "ada", "node": WORKER1, "state": "running", "memory": len(WORKER1)}
    assert facts["servers"] == [server | {"since": "2026-11-15T10:00:02+00:00", "is_known": True}]
    assert facts["images"][0]["nodes"][WORKER1] == {"id": "sha256:nb", "as_wanted": True}
    assert set(facts["certificate"]) == {"names", "issuer", "not_after", "days_left", "due", "failed_renewals"}
    assert ServerStatus.__dataclass_fields__.keys() == facts["servers"][0].keys()


def test_what_the_hub_tells_of_servers_is_shown(given: Settings, hosts: Hosts) -> None:
    """A server that it does not know, and a node that refuses them; a hub that tells nothing is one that starts."""
    told = {"unknown": ["jupyterhub-ada"], "avoided": [{"host": WORKER2, "why": "no space left", "until": 1795910400.0}]}
    ask = "docker exec c1 cat /run/swarmhub/servers.json"
    hosts[MANAGER].commands[ask] = Output(0, json.dumps(told), "")
    found = observed(given, hosts)
    assert ([one.is_known for one in found.servers], [one.host for one in found.avoided]) == ([False], [WORKER2])
    assert summary.as_json(found)["avoided"][0]["until"] == "2026-11-29T00:00:00+00:00"
    hosts[MANAGER].commands[ask] = Output(1, "", "No such file or directory")
    assert observed(given, hosts).avoided == ()


@pytest.mark.parametrize(
    "told",
    [
        "",
        "[]",
        "null",
        '{"unknown": 3, "avoided": []}',
        '{"unknown": [], "avoided": [{"host": "a"}]}',
        '{"unknown": [], "avoided": [{"host": "a", "why": "", "until": 1e300}]}',
        '{"unknown": [], "avoided": [{"host": "a", "why": "", "until": "soon"}]}',
        "[" * 100_000,
    ],
)
def test_a_hub_that_tells_something_else_tells_nothing(told: str) -> None:
    """Whoever broke into it does not keep the operator from the status."""
    assert overview._told(told) is None


def test_the_clusters_own_backups_are_asked_for_on_each_node(given: Settings, hosts: Hosts) -> None:
    """Where the settings want them; a node on which nothing makes them says so."""
    assert observed(given, hosts).backups is None
    done = json.dumps({"hub": {"at": 5.0, "told": {"bytes": 7}}})
    for name in (MANAGER, WORKER1):
        hosts[name].engine.answers["GET /containers/json"] = [{"Id": "b"}]
        hosts[name].commands["docker exec b cat /cache/schedule.json"] = Output(0, done if name == MANAGER else "{}", "")
    hosts[WORKER2].engine.answers["GET /containers/json"] = []
    backup = given.backup.model_copy(update={"every": 86400, "repository": "/mnt/backup"})
    status = observed(given.model_copy(update={"backup": backup}), hosts)
    assert status.backups
    assert ([one.host for one in status.backups.troubles], status.backups.bytes) == ([WORKER2], 7)
    assert summary.as_json(status)["backups"]["late"]
