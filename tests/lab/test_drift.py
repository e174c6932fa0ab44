"""What somebody changes by hand is repaired by the step that owns it, and by nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import topology
from tests.lab.support import HUB, PROXY, ROOT, Lab, Settings, variant

NOTEBOOK = "registry.lab:5000/notebook:lab"


@pytest.fixture
def spare_network(deployed: Lab) -> Iterator[str]:
    """Make an overlay network by hand, with an option that nobody wants."""
    name = "spare"
    deployed.docker(
        "network", "create", "--driver", "overlay", "--attachable", "--opt", "com.docker.network.driver.mtu=1300", name
    )
    yield name
    deployed.docker("network", "rm", name, f"{name}-proxy")


def test_unused_network_is_made_anew_by_its_step(deployed: Lab, spare_network: str, settings: Settings) -> None:
    """A network with other options, on which nothing runs, is replaced by `network`; the differences are named."""
    hosts = settings(("[github]", f'[network]\nname = "{spare_network}"\n\n[github]'))
    before = deployed.docker("network", "inspect", spare_network, "--format", "{{.ID}}")
    assert deployed.fab("volume", "certs", "prepull-all", "build-hub", hosts=hosts).code == 0
    assert deployed.docker("network", "inspect", spare_network, "--format", "{{.ID}}") == before
    done = deployed.fab("network", hosts=hosts)
    assert done.code == 0, done.text
    assert "Attachable: True → False" in done.out or "Attachable: True → nothing" in done.out
    assert "com.docker.network.driver.mtu" in done.out
    assert deployed.docker("network", "inspect", spare_network, "--format", "{{.Attachable}}") == "false"


@pytest.mark.quick
def test_network_in_use_is_reported_and_left_alone(deployed: Lab, settings: Settings) -> None:
    """A network that differs while the hub is on it is refused, naming the field, the service and the flag."""
    hosts = settings(("[github]", "[network]\nattachable = true\n\n[github]"))
    before = deployed.fingerprint()
    done = deployed.fab("network", hosts=hosts)
    assert done.code == 1
    for part in ("Attachable", HUB, "--recreate"):
        assert part in done.err
    assert deployed.fingerprint() == before


def test_network_in_use_is_recreated_on_demand(deployed: Lab) -> None:
    """`network --recreate` stops what is on a network that differs; a deploy brings the hub back, with all else kept."""
    deployed.docker("service", "rm", HUB, PROXY)
    deployed.wait(lambda: not any(map(deployed.container, (HUB, PROXY))), 60, "hub and proxy stay")
    deployed.docker("network", "rm", "jupyter")
    listed = ("network", "ls", "--quiet", "--filter", "name=^jupyter$")
    deployed.wait(lambda: not deployed.docker(*listed), 60, "the network stays")
    deployed.docker("network", "create", "--driver", "overlay", "--attachable", "jupyter")
    assert deployed.fab("service").code == 0
    before = deployed.fingerprint()
    done = deployed.fab("network", "--recreate", "--yes")
    assert done.code == 0, done.text
    assert "notebooks stop" in done.out
    assert deployed.fab("deploy").code == 0
    after = deployed.fingerprint()
    assert {key for key in before if before[key] != after[key]} == {"network", "service", "task"}


def test_service_environment_is_repaired_by_service(deployed: Lab) -> None:
    """A variable added by hand is seen, named and removed by `service`, and by no other step; a secret's value is not shown."""
    by_hand = ("--env-add", "ADDED_BY_HAND=1", "--env-add", "A_SECRET=hunter2")
    deployed.docker("service", "update", "--quiet", *by_hand, HUB)
    before = deployed.fingerprint()
    assert deployed.fab("network", "volume", "certs", "prepull-all", "build-hub").code == 0
    assert deployed.fingerprint() == before
    done = deployed.fab("service")
    assert done.code == 0, done.text
    assert "ADDED_BY_HAND: 1 → nothing" in done.out
    assert "A_SECRET: (hidden) → nothing" in done.out
    assert "hunter2" not in done.text
    assert "the hub restarts, notebooks go on" in done.out
    after = deployed.fingerprint()
    assert {key for key in before if before[key] != after[key]} == {"service", "task"}
    assert "ADDED_BY_HAND" not in deployed.docker("service", "inspect", HUB, "--format", "{{json .Spec}}")


def test_missing_image_is_pulled_on_the_node_that_lacks_it(deployed: Lab) -> None:
    """A node that lost the image gets it back from `prepull-all`; nothing else is touched, and `service` says what to do."""
    worker = topology.WORKERS[1].name
    before = deployed.fingerprint()
    deployed.docker("image", "rm", "-f", before[f"notebook image on {worker}"], node=worker)
    refused = deployed.fab("service")
    assert refused.code == 1
    assert worker in refused.err
    assert "fab prepull-all" in refused.err
    done = deployed.fab("prepull-all")
    assert done.code == 0, done.text
    pulls = [line for line in done.out.splitlines() if "pull registry" in line]
    assert (len(pulls), f" on {worker}: " in pulls[0]) == (1, True), pulls
    assert deployed.fingerprint() == before


def test_prepull_acts_on_the_node_that_is_named(deployed: Lab) -> None:
    """`-H worker prepull` pulls on that worker and leaves another one that lacks the image alone."""
    first, second = (worker.name for worker in topology.WORKERS)
    before = deployed.fingerprint()
    for worker in (first, second):
        deployed.docker("image", "rm", "-f", before[f"notebook image on {worker}"], node=worker)
    done = deployed.fab("-H", first, "prepull")
    assert done.code == 0, done.text
    after = deployed.fingerprint()
    assert after[f"notebook image on {first}"] == before[f"notebook image on {first}"]
    assert after[f"notebook image on {second}"] == ""


def test_unchanged_inputs_build_nothing(deployed: Lab) -> None:
    """`build-hub` without a change says that the image is there."""
    done = deployed.fab("build-hub")
    assert done.code == 0
    assert "built already" in done.out


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return settings with another name in the userlist."""
    folder = tmp_path_factory.mktemp("edited")
    (folder / "userlist").write_text((ROOT / "lab" / "userlist").read_text() + "hopper\n")
    return variant(folder, ('"userlist"', f'"{folder / "userlist"}"'))


def test_edited_userlist_builds_and_restarts_only_the_hub(deployed: Lab, edited: Path) -> None:
    """A new name in the userlist: `build-hub` builds, `service` switches to it, and everything else stays."""
    before = deployed.fingerprint()
    assert deployed.fab("network", "volume", "certs", "prepull-all", hosts=edited).code == 0
    assert deployed.fingerprint() == before
    built = deployed.fab("build-hub", hosts=edited)
    assert built.code == 0, built.text
    assert deployed.fab("service", hosts=edited).code == 0
    after = deployed.fingerprint()
    assert {key for key in before if before[key] != after[key]} == {"hub image", "service", "task"}


def test_changed_secret_reaches_the_hub(used: Lab, edited: Path) -> None:
    """A new client secret becomes a new Swarm secret, and the old one is gone; the proxy and its token stay as they are."""
    used.let_stand(edited)
    before, another, front = used.fingerprint(), "another-value-for-this-test", used.service_version(PROXY)
    done = used.fab("service", hosts=edited, GITHUB_CLIENT_SECRET=another)
    assert done.code == 0, done.text
    assert used.service_version(PROXY) == front
    after = used.fingerprint()
    assert len(after["secrets"].splitlines()) == 3
    assert {key for key in before if before[key] != after[key]} == {"secrets", "service", "task"}
    assert "another-value" not in done.text
