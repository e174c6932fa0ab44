"""The rollout: its parts stand in their order, and nothing that people feel comes before the check."""

import pytest
from invoke.config import Config
from invoke.context import Context

from swarmhub.deploy import steps
from swarmhub.engine.swarm import configs
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.settings import Settings
from swarmhub.settings.schema.model import Proxy
from tests.unit.support.authority import Authority
from tests.unit.support.cluster import Hosts, deployed
from tests.unit.support.fakes import MANAGER


@pytest.fixture
def run(hosts: Hosts) -> Run:
    """Return a run on a cluster on which every step has been done, with the defaults and another userlist."""
    made = Run(Context(Config()))
    made.__dict__["hosts"] = hosts
    made.settings.hub.userlist.write_text("ada admin\ngrace\n")
    hub = made.settings.hub.model_copy(update={"engine": "filter"})
    made.__dict__["settings"] = made.settings.model_copy(update={"proxy": Proxy(separate=True), "hub": hub})
    return made


def rollout(run: Run) -> Plan:
    """Return the step's plan."""
    return next(plan for plan in steps.every_plan(run) if plan.step == "service")


def test_the_parts_stand_in_their_order(run: Run) -> None:
    """Secrets and check, filter, proxy, copy, hub, release."""
    done = [change.sentence.removesuffix(f" on {MANAGER}").partition(":")[0] for change in rollout(run).changes]
    assert done == [
        "create secret jupyterhub-proxy_token",
        "check the hub's configuration in jupyterhub",
        "create service jupyterhub-engine",
        "update service jupyterhub",
        "create service jupyterhub-proxy",
        "create service jupyterhub-renewal",
        "send the userlist to the volume jupyterhub-data",
        "copy the hub's database to jupyterhub_backups",
        "open jupyterhub-data to the hub's user",
        "update service jupyterhub",
        "record release 2",
    ]


def test_a_login_to_the_images_registry_is_a_secret_of_the_filters(run: Run, hosts: Hosts) -> None:
    """Made before the filter that reads it; the plan shows its name alone, and the hub is not given it."""
    hosts[MANAGER].engine.answers["login quay.io"] = "eyJodXNoIjoxfQ=="
    changes = rollout(run).changes
    (name,) = [one.what.split()[1] for one in changes if one.what.startswith("secret jupyterhub-login-quay.io-")]
    (made,) = [one for one in changes if one.what == "service jupyterhub-engine"]
    assert [one.what for one in changes].index(f"secret {name}") < changes.index(made)
    given = [one.what for one in changes if any(name in str(item) for item in one.differences)]
    assert given == ["service jupyterhub-engine"]
    assert "eyJodXNoIjoxfQ==" not in repr(changes)


def test_an_update_after_another_in_the_plan_is_on_the_version_of_then(run: Run) -> None:
    """A hub that gives its port to the proxy is replaced afterwards: both are planned on the same look."""
    updates = [change for change in rollout(run).changes if change.what == "service jupyterhub"]
    assert [getattr(change.apply, "again") for change in updates] == [False, True]  # noqa: B009


@pytest.mark.parametrize(("version", "is_sent"), [("24.0.7", False), ("25.0.0", True)])
def test_no_service_is_sent_what_its_manager_does_not_know(run: Run, hosts: Hosts, version: str, is_sent: bool) -> None:
    """Filter, proxy, renewal and hub: an old engine would drop it, and the next plan would find it missing."""
    (listed,) = [node for node in hosts[MANAGER].engine.answers["GET /nodes"] if node["Spec"]["Role"] == "manager"]
    listed["Description"]["Engine"] = {"EngineVersion": version}
    created = [change for change in rollout(run).changes if change.verb == "create" and change.what.startswith("service ")]
    privileged = [any(item.path.endswith("NoNewPrivileges") for item in change.differences) for change in created]
    assert privileged == [is_sent] * 3


def test_a_hub_of_an_earlier_release_keeps_its_configs(
    hosts: Hosts, given: Settings, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names end in fewer digits of a hash: no hub is replaced for that, no config made or removed."""
    with monkeypatch.context() as earlier:
        earlier.setattr(configs, "DIGITS", configs.FORMER_DIGITS)
        before = deployed(given, authority)
    plans = []
    for there in (hosts, before):
        run = Run(Context(Config()))
        run.__dict__["hosts"] = there
        plans.append([change.sentence for change in rollout(run).changes])
    assert plans == [[], []]
    names = [{*configs.files(there[MANAGER])} for there in (hosts, before)]
    assert names[0] != names[1]
