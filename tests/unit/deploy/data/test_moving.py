"""The plan that moves the hub: what goes in which order, what is in the way, and what is left to the operator."""

from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from swarmhub import settings as settings_file
from swarmhub.deploy import steps
from swarmhub.deploy.data import moving
from swarmhub.errors import StepError, StepErrors, UsageError
from swarmhub.host import Output
from swarmhub.images.hub import build
from swarmhub.move import cutover
from swarmhub.plan.plans import Cost, Plan
from swarmhub.run.run import Run
from tests.unit.support.cluster import NODES, Hosts
from tests.unit.support.fakes import DOMAIN, MANAGER, WORKER1, WORKER2, once

COPIES = "GET /volumes/jupyterhub_backups"


@pytest.fixture
def run(hosts: Hosts, folder: Any) -> Run:
    """Return a run on a cluster with two managers, of which the first has the hub."""
    file = folder / "hosts.toml"
    text = file.read_text().replace(f'managers = ["{MANAGER}"]', f'managers = ["{MANAGER}", "{WORKER1}"]')
    file.write_text(text.replace(f'workers = ["{WORKER1}", "{WORKER2}"]', f'workers = ["{WORKER2}"]'))
    settings_file.current.cache_clear()
    made = Run(Context(Config()))
    made.__dict__["hosts"] = hosts
    first, other = (hosts[name].engine.answers for name in (MANAGER, WORKER1))
    first["GET /nodes"][1]["Spec"]["Role"] = "manager"
    first["GET /nodes"][1]["Status"]["Addr"] = "10.0.0.21"
    other["GET /info"]["Swarm"]["ControlAvailable"] = True
    tag = build.desired(made.settings).tag
    image = {"Id": "sha256:hub", "RepoTags": [tag], "RootFS": {"Layers": ["sha256:1"]}, "Architecture": "amd64", "Size": 9}
    first |= {"GET /services": [first["GET /services/jupyterhub"]], f"GET /images/{tag}/json": image}
    first |= {COPIES: {"Name": "jupyterhub_backups", "Labels": {"swarmhub.backups": "jupyterhub"}}}
    first["GET /volumes/jupyterhub-data"] |= {"Options": None}
    other |= {"GET /images/json": [], "GET /version": {"Arch": "amd64"}, "GET /containers/json": []}
    hosts[WORKER1].commands["ss -Hltnp sport = :443"] = Output(0, "", "")
    return made


def sentences(plan: Plan) -> list[str]:
    """Return what a plan does."""
    return [change.sentence for change in plan.changes]


def hub(hosts: Hosts) -> dict[str, Any]:
    """Return the hub's service."""
    found: dict[str, Any] = hosts[MANAGER].engine.answers["GET /services/jupyterhub"]
    return found


def test_all_that_can_go_before_the_hub_does(run: Run) -> None:
    """Images, copies and a first copy of the data come while it runs; what it leaves is set aside, and a release recorded."""
    plan = moving.plan(run, WORKER1)
    tag = build.desired(run.settings).tag
    assert sentences(plan) == [
        f"bring image {tag} on {WORKER1}",
        f"create volume jupyterhub-data on {WORKER1}",
        f"create volume jupyterhub_backups on {WORKER1}",
        f"copy the hub's copies of its database from {MANAGER} on {WORKER1}",
        f"copy the hub's certificate from {MANAGER} on {WORKER1}",
        f"copy the hub's data from {MANAGER} on {WORKER1}",
        f"move service jupyterhub from {MANAGER} on {WORKER1}",
        f"set aside the hub's data in jupyterhub-data on {MANAGER}",
        f"record release 2 on {WORKER1}",
    ]
    assert [change.cost for change in plan.changes if change.cost is not Cost.NOTHING] == [Cost.HUB_RESTART]
    asked = moving.question(run.settings, WORKER1)
    assert f"From then on {DOMAIN} has to lead to {WORKER1}, or nobody gets in." in asked


def test_an_image_that_a_service_names_by_its_digest_comes_by_a_tag(run: Run, hosts: Hosts) -> None:
    """No engine takes a digest for a tag."""
    image = f"certbot/certbot@sha256:{'d' * 64}"
    found = {"Id": "sha256:c", "RootFS": {"Layers": ["sha256:2"]}, "Architecture": "amd64"}
    hosts[MANAGER].engine.answers[f"GET /images/{image}/json"] = found
    way = cutover.Way(hosts[MANAGER], hosts[WORKER1], NODES[MANAGER], NODES[WORKER1], "now")
    renewal = {"Spec": {"TaskTemplate": {"ContainerSpec": {"Image": image}}}}
    _, change = moving._images(run, way, [hub(hosts), renewal])
    assert change.sentence == f"bring image certbot/certbot:sha256-{'d' * 64} on {WORKER1}"


def test_what_is_left_is_told_with_the_line(run: Run) -> None:
    """In hosts.toml, and where the domain leads."""
    assert moving.next_steps(run.settings, WORKER1, moving.address(run, WORKER1)) == [
        f'in hosts.toml, line 2: managers = ["{WORKER1}", "{MANAGER}"]. Until then, name it: fab -H {WORKER1} deploy',
        f"let {DOMAIN} lead to {WORKER1} (10.0.0.21): its DNS record, or what stands in front",
    ]
    assert len(moving.next_steps(run.settings, MANAGER, "")) == 1


def test_that_the_schedule_has_to_follow_is_told(run: Run) -> None:
    """It goes by the node that the last deploy has told it: the one before, which has no data of the hub any more."""
    scheduled = run.settings.model_copy(update={"backup": run.settings.backup.model_copy(update={"every": 86400})})
    assert moving.next_steps(scheduled, MANAGER, "")[-1].startswith("fab deploy: until then the cluster itself makes no backup")


def test_a_worker_gets_no_hub(run: Run) -> None:
    """It has to be a manager in hosts.toml, and in the swarm."""
    with pytest.raises(UsageError, match=f"{WORKER2} is a worker; the hub needs a manager"):
        moving.plan(run, WORKER2)


def test_what_is_in_the_way_is_told_at_once(run: Run, hosts: Hosts) -> None:
    """A node that takes no work, a port that is taken, and a hub that this checkout would not make."""
    node = hosts[MANAGER].engine.answers["GET /nodes"][1]["Spec"]
    node |= {"Role": "worker", "Availability": "drain"}
    hub(hosts)["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = "jupyterhub-hub:other"
    hub(hosts)["Spec"]["EndpointSpec"]["Ports"][0]["PublishMode"] = "host"
    said = 'LISTEN 0 511 0.0.0.0:443 0.0.0.0:* users:(("nginx",pid=7,fd=6))'
    hosts[WORKER1].commands["ss -Hltnp sport = :443"] = Output(0, said, "")
    with pytest.raises(StepErrors) as raised:
        moving.plan(run, WORKER1)
    text = str(raised.value)
    assert "is not what this checkout and hosts.toml make. Bring it in line first: fab deploy" in text
    assert f"{WORKER1}: is a worker in the swarm. Promote it first: fab swarm-init" in text
    assert f"takes no work: it is drain. First: fab undrain {WORKER1}" in text
    assert "port 443 is taken by the process nginx (pid 7)" in text


def test_a_hub_that_is_being_replaced_stays(run: Run, hosts: Hosts) -> None:
    """A move that was cut off may still go back by itself."""
    hub(hosts)["UpdateStatus"] = {"State": "rollback_started"}
    with pytest.raises(StepError, match=r"goes back .* Wait until it runs"):
        moving.plan(run, WORKER1)


def test_a_hub_whose_node_is_away_has_no_data_to_move(run: Run, hosts: Hosts) -> None:
    """They are in a backup, or nowhere."""
    hub(hosts)["Spec"]["TaskTemplate"]["Placement"]["Constraints"] = ["node.role==manager", "node.id==n9"]
    with pytest.raises(StepError, match=r"does not answer. .*restore a backup on another manager"):
        moving.plan(run, WORKER1)


def test_an_interrupted_move_is_finished(run: Run, hosts: Hosts) -> None:
    """The hub is there: what has stayed behind follows, and the data there are set aside."""
    hub(hosts)["Spec"]["TaskTemplate"]["Placement"]["Constraints"] = ["node.role==manager", f"node.id=={NODES[WORKER1]}"]
    proxy = {"Name": "jupyterhub-proxy", "Labels": {"swarmhub.service": "jupyterhub"}}
    proxy |= {"TaskTemplate": {"Placement": {"Constraints": ["node.id==n1"]}}}
    hosts[MANAGER].engine.answers |= {"GET /services": [hub(hosts), {"ID": "p", "Spec": proxy}], **once('{"data": true}')}
    assert sentences(moving.plan(run, WORKER1)) == [
        f"move service jupyterhub-proxy from {MANAGER} on {WORKER1}",
        f"set aside the hub's data in jupyterhub-data on {MANAGER}",
        f"record release 2 on {WORKER1}",
    ]


def test_a_hub_that_is_there_stays(run: Run) -> None:
    """Nothing is left to do."""
    plan = moving.plan(run, MANAGER)
    assert (plan.changes, plan.summary) == ((), f"the hub is on {MANAGER}")


def test_a_deploy_on_another_manager_is_refused_before_all_else(run: Run, hosts: Hosts) -> None:
    """It would make a volume and a certificate there that no hub uses."""
    run.use_manager(WORKER1)
    first, other = (hosts[name].engine.answers for name in (MANAGER, WORKER1))
    hosts[WORKER1].engine.answers = first | {"GET /info": other["GET /info"]}
    plan = steps.nodes_plan(run)
    assert plan.error is not None
    assert f"the hub runs on {MANAGER}" in str(plan.error)
    assert f"to move the hub here: fab move-hub {WORKER1}" in str(plan.error)
