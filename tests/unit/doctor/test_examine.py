"""The whole examination of a cluster in memory."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from swarmhub import doctor
from swarmhub.doctor.finding import Finding
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Output
from swarmhub.images.hub import build
from swarmhub.settings import Settings
from swarmhub.settings.schema.database import Database
from swarmhub.settings.schema.firewall import Firewall
from tests.unit.doctor.answers import ADDRESSES, SpeakingHost, info
from tests.unit.support import cluster
from tests.unit.support.authority import Authority
from tests.unit.support.fakes import CALLBACK, DOMAIN, EXTRA, MANAGER, NOTEBOOK, WORKER1, WORKER2, Clock, alone, with_extra

LISTED = "-N SWARMHUB-jupyterhub\n-A SWARMHUB-jupyterhub -d 169.254.169.254/32 -j REJECT\n"
FIREWALL = "com.docker.swarm.service.name=jupyterhub_firewall"
GIVEN = {"GITHUB_CLIENT_ID": "id", "GITHUB_CLIENT_SECRET": "hush", "OAUTH_CALLBACK_URL": CALLBACK}
Hosts = dict[str, SpeakingHost]


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings, with their secrets in the environment."""
    (tmp_path / "users").write_text("ada admin\n")
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return alone(hub={"domain": DOMAIN, "userlist": str(tmp_path / "users")}, notebook={"memory_limit": "1G"})


@pytest.fixture
def hosts(wanted: Settings, authority: Authority, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Return the cluster when everything has been deployed."""
    # Its certificate would have to be one that holds on the day of the test.
    monkeypatch.setattr("swarmhub.doctor.hub.certificate.judge", lambda *_: [])
    monkeypatch.setattr("swarmhub.doctor.cluster.OverlayTrial.run", lambda *_: [])
    secrets = {name: SecretStr(value) for name, value in GIVEN.items()}
    made = {}
    for name, plain in cluster.deployed(wanted, authority, secrets).items():
        said = {"bash": "", "docker": LISTED, "timeout": f"{ADDRESSES[MANAGER]} STREAM hub\n"}
        host = made[name] = SpeakingHost(name, plain.engine.answers, **said)
        host.commands |= plain.commands
        host.engine.answers |= {
            "GET /info": info(cluster.NODES[name], ADDRESSES[name], manager=name == MANAGER),
            "GET /version": {"Version": "29.0.1", "ApiVersion": "1.52", "Arch": "amd64"},
            "GET /containers/json": lambda request: [{"Id": "w1"}] if FIREWALL in str(request.params) else [],
            "POST /containers/create": {"Id": "c1"},
            "GET /containers/c1/logs": ["6.1.1"],
            "POST /containers/c1/wait": {"StatusCode": 0},
        }
    for node in made[MANAGER].engine.answers["GET /nodes"]:
        if "ManagerStatus" in node:
            node["ManagerStatus"]["Reachability"] = "reachable"
    return made


def examine(wanted: Settings, hosts: Hosts) -> list[Finding]:
    """Return what the doctor finds."""
    all_hosts: dict[str, Host] = dict(hosts)
    return doctor.examine(wanted, Path("hosts.toml"), all_hosts, MANAGER)


def bad(findings: list[Finding]) -> list[tuple[str, str, str]]:
    """Return what is not well."""
    return [(one.level, one.check, one.host) for one in findings if one.level != "ok"]


def test_deployed_cluster_is_well(wanted: Settings, hosts: Hosts) -> None:
    """No warning, no failure."""
    assert bad(examine(wanted, hosts)) == []


def test_a_host_without_rules_is_named(wanted: Settings, hosts: Hosts) -> None:
    """Its container says that they do not stand, or there is none; a node that takes no work needs none."""
    hosts[WORKER1].said["docker"] = Output(1, "", "")
    hosts[WORKER2].engine.answers["GET /containers/json"] = []
    assert bad(examine(wanted, hosts)) == [("failure", "firewall", WORKER1), ("failure", "firewall", WORKER2)]
    for node in hosts[MANAGER].engine.answers["GET /nodes"][1:]:
        node["Spec"]["Availability"] = "drain"
    assert "firewall" not in {check for _, check, _ in bad(examine(wanted, hosts))}


def test_a_hub_without_a_firewall_is_a_failure_unless_none_are_wanted(wanted: Settings, hosts: Hosts) -> None:
    """Where they are switched off, nobody looks."""
    del hosts[MANAGER].engine.answers["GET /services/jupyterhub_firewall"]
    assert bad(examine(wanted, hosts)) == [("failure", "firewall", MANAGER)]
    off = wanted.model_copy(update={"firewall": Firewall(enabled=False)})
    assert bad(examine(off, hosts)) == []


@pytest.mark.parametrize(("subdomains", "asked"), [(False, 0), (True, 2)])
def test_a_name_below_the_domain_is_asked_for_where_users_have_some(
    wanted: Settings, hosts: Hosts, subdomains: bool, asked: int
) -> None:
    """Of the manager's resolver, as the domain itself."""
    examine(wanted.model_copy(update={"hub": wanted.hub.model_copy(update={"subdomains": subdomains})}), hosts)
    assert [argv[-1] for argv in hosts[MANAGER].ran].count(f"swarmhub-doctor.{DOMAIN}") == asked


def test_a_database_on_a_server_is_opened(wanted: Settings, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the manager, if the secret with its URL is at hand; without that, the secret is what is missing."""
    on_server = wanted.model_copy(
        update={
            "database": Database(url={"secret": "DATABASE_URL"}),
            "secrets": wanted.secrets.model_copy(update={"names": ("DATABASE_URL",)}),
        }
    )
    assert "database" not in {one.check for one in examine(on_server, hosts)}
    monkeypatch.setenv("DATABASE_URL", "postgresql://hub:hush@db.example.org/hub")
    assert [one.level for one in examine(on_server, hosts) if one.check == "database"] == ["ok"]
    del hosts[MANAGER].engine.answers[f"GET /images/{build.desired(on_server).tag}/json"]
    assert [one.level for one in examine(on_server, hosts) if one.check == "database"] == ["warning"]


def test_findings_come_in_a_fixed_order(wanted: Settings, hosts: Hosts) -> None:
    """By check, from this machine to the image, and within one by host."""
    found = [(doctor.ORDER.index(one.check), ("here", *hosts).index(one.host)) for one in examine(wanted, hosts)]
    assert found == sorted(found)


def test_unreachable_worker_is_one_failure(wanted: Settings, hosts: Hosts) -> None:
    """It is not repeated by the checks that would have needed it."""
    hosts[WORKER1].said["true"] = StepError(WORKER1, "cannot reach it", "Is it up?")
    assert bad(examine(wanted, hosts)) == [("failure", "ssh", WORKER1)]


def test_unreachable_manager_leaves_the_workers_to_be_checked(wanted: Settings, hosts: Hosts) -> None:
    """One failure, and one warning that says what could not be checked."""
    hosts[MANAGER].said["true"] = StepError(MANAGER, "cannot reach it", "Is it up?")
    found = examine(wanted, hosts)
    assert bad(found) == [("failure", "ssh", MANAGER), ("warning", "swarm", MANAGER)]
    assert {one.check for one in found if one.host == WORKER2} >= {"ssh", "docker", "clock", "disk", "kernel", "mtu", "image"}


def test_lost_quorum_is_a_failure_and_the_rest_is_checked(wanted: Settings, hosts: Hosts) -> None:
    """The engine's own words, and that the other managers have to come back."""
    lost = EngineError(MANAGER, 503, "The swarm does not have a leader. Make sure more than half of the managers are online.")
    for path in ("nodes", "swarm", "services", "tasks", "networks", "secrets"):
        hosts[MANAGER].engine.answers[f"GET /{path}"] = lost
    found = examine(wanted, hosts)
    assert bad(found) == [("failure", "swarm", MANAGER)]
    assert next(one for one in found if one.check == "swarm").remedy.endswith("fab recover-quorum")
    assert {"dns", "published", "image", "jupyterhub"} <= {one.check for one in found}


def test_cluster_before_the_first_deploy_only_warns(wanted: Settings, hosts: Hosts) -> None:
    """No network, no image, no service, no secrets in the swarm: nothing of that is a failure."""
    for host in hosts.values():
        del host.engine.answers[f"GET /images/{NOTEBOOK}/json"]
    engine = hosts[MANAGER].engine
    for path in (f"/services/{wanted.hub.service}", f"/images/{build.desired(wanted).tag}/json"):
        del engine.answers[f"GET {path}"]
    engine.answers |= {"GET /networks": [], "GET /secrets": [], "GET /tasks": []}
    assert {level for level, _, _ in bad(examine(wanted, hosts))} == {"warning"}


def test_a_tag_that_has_moved_in_its_registry_is_a_warning(wanted: Settings, hosts: Hosts) -> None:
    """One that the registry does not answer for is not: what nodes hold goes on."""
    assert bad(examine(wanted, hosts)) == []
    newer = {"Descriptor": {"digest": f"sha256:{'f' * 64}"}}
    hosts[MANAGER].engine.answers[f"GET /distribution/{NOTEBOOK}/json"] = newer
    assert bad(examine(wanted, hosts)) == [("warning", "image", MANAGER)]


def test_a_node_that_cannot_run_an_image_is_no_failure(wanted: Settings, hosts: Hosts) -> None:
    """No server is placed there: it lacks no image and no label, and the line says why."""
    for name, host in hosts.items():
        host.engine.answers["GET /info"]["Architecture"] = "aarch64" if name == WORKER2 else "x86_64"
        host.engine.answers[f"GET /images/{NOTEBOOK}/json"]["Architecture"] = "amd64"
    del hosts[WORKER2].engine.answers[f"GET /images/{NOTEBOOK}/json"]
    found = examine(wanted, hosts)
    assert bad(found) == [("warning", "image", WORKER2)]
    assert [one.text for one in found if one.host == WORKER2 and one.level == "warning"] == [
        f"is aarch64, and {NOTEBOOK} is for amd64: no server with it is placed there"
    ]


def test_a_profiles_image_is_examined_like_the_first(wanted: Settings, hosts: Hosts) -> None:
    """A node that lacks it fails, one that lacks the label warns; its JupyterHub is compared with the hub's."""
    for name in (MANAGER, WORKER1):
        hosts[name].engine.answers[f"GET /images/{EXTRA}/json"] = {"Id": f"sha256:{'e' * 64}", "RepoDigests": []}
    hosts[MANAGER].engine.answers["GET /nodes"][0]["Spec"]["Labels"][f"swarmhub.image.{'e' * 12}"] = "held"
    found = examine(with_extra(wanted), hosts)
    assert bad(found) == [("warning", "image", WORKER1), ("failure", "image", WORKER2)]
    assert [EXTRA in one.text for one in found if one.check == "jupyterhub"] == [False, True]


def test_an_engine_that_runs_no_container_is_a_finding(wanted: Settings, hosts: Hosts) -> None:
    """The versions cannot be compared, and that is said."""
    hosts[MANAGER].engine.answers["POST /containers/create"] = EngineError(MANAGER, 500, "no space left on device")
    assert ("failure", "jupyterhub", MANAGER) in bad(examine(wanted, hosts))


def test_unforeseen_answer_is_a_finding(wanted: Settings, hosts: Hosts) -> None:
    """An engine that answers nonsense ends one check, not the doctor."""
    hosts[MANAGER].engine.answers["GET /networks"] = [{"Name": "jupyter", "Scope": "swarm"}]
    found = examine(wanted, hosts)
    assert bad(found) == [("failure", "addresses", MANAGER)]


def test_interruption_is_cleaned_up(wanted: Settings, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C removes what the trials have made, and stays a Ctrl-C."""
    cleaned: list[str] = []

    def interrupted(*_: object) -> list[Finding]:
        raise KeyboardInterrupt

    monkeypatch.setattr("swarmhub.doctor.cluster.side_by_side", interrupted)
    monkeypatch.setattr("swarmhub.doctor.cluster.OverlayTrial.clean_up", lambda _: cleaned.append("trial"))
    monkeypatch.setattr("swarmhub.doctor.images.versions.clean_up", lambda *_: cleaned.append("versions"))
    with pytest.raises(KeyboardInterrupt):
        examine(wanted, hosts)
    assert cleaned == ["trial", "versions"]
