"""The spec of a server's service, as the engine is sent it."""

from typing import Any

import pytest

from hub.shared import services
from hub.shared.servers import spec
from hub.shared.servers.choice import server_for
from hub.shared.servers.spec import Extra
from tests.unit.hub.asked import IMAGE, tables

CONTAINER: dict[str, Any] = {"args": None, "env": {"A": "b"}, "mounts": [], "configs": []}
HELD = "node.labels.swarmhub.image.a1b2c3d4e5f6==held"


def server(**table: Any) -> dict[str, Any]:
    """Return what a server gets by such a [notebook]."""
    return server_for(tables(notebook=table), "ada", [], None)


def template(extra: Extra | None = None, **table: Any) -> dict[str, Any]:
    """Return the task's template."""
    made: dict[str, Any] = spec.task_template(server(**table), CONTAINER, ["node.id==n1"], "jupyter", extra or Extra())
    return made


def test_a_server_is_not_started_again_and_not_killed_while_it_starts() -> None:
    """Restart policy none and no health check of the image's, which is pinned and has its own command."""
    made = template()
    container = made["ContainerSpec"]
    assert (made["RestartPolicy"], container["Healthcheck"]) == ({"Condition": "none"}, {"Test": ["NONE"]})
    assert (container["Image"], container["Args"], container["Env"]) == (IMAGE, None, ["A=b"])
    assert made["Resources"] == {"Limits": {"Pids": 4096}}


def test_it_has_no_right_over_its_host() -> None:
    """No capability, and no program gives it one; root in an image keeps what sudo takes, if its profile says so."""
    container = template()["ContainerSpec"]
    assert (container["CapabilityDrop"], container["Privileges"]) == (["ALL"], {"NoNewPrivileges": True})
    rooted = template(drop_capabilities=False)["ContainerSpec"]
    assert (rooted["CapabilityDrop"], "Privileges" in rooted) == (["ALL"], False)
    others = {f"CAP_{name}" for name in ("NET_RAW", "MKNOD", "SETFCAP", "AUDIT_WRITE", "SYS_CHROOT", "NET_ADMIN", "SYS_ADMIN")}
    assert ("CAP_SETUID" in rooted["CapabilityAdd"], others & {*rooted["CapabilityAdd"]}) == (True, set())


def test_sizes_become_limits_and_reservations() -> None:
    """CPUs in billionths, memory in bytes, processes as a limit that docker-py has no word for."""
    sizes: dict[str, Any] = {
        "cpu_limit": 2,
        "cpu_guarantee": 0.5,
        "memory_limit": "2G",
        "memory_guarantee": "512M",
        "processes": 400,
    }
    assert template(**sizes)["Resources"] == {
        "Limits": {"NanoCPUs": 2_000_000_000, "MemoryBytes": 2**31, "Pids": 400},
        "Reservations": {"NanoCPUs": 500_000_000, "MemoryBytes": 2**29},
    }


def test_gpus_are_generic_resources_and_labels() -> None:
    """What a node's engine offers by name, and nodes by label."""
    made = template(generic_resources={"NVIDIA-GPU": 1}, node_labels={"gpu": "true"})
    offered = made["Resources"]["Reservations"]["GenericResources"]
    assert offered == [{"DiscreteResourceSpec": {"Kind": "NVIDIA-GPU", "Value": 1}}]
    assert made["Placement"]["Constraints"] == ["node.id==n1"]
    assert spec.constraints(server(node_labels={"gpu": "true"})) == [HELD, "node.labels.gpu==true"]


@pytest.mark.parametrize(
    ("image", "constraints"),
    [
        (IMAGE, [HELD]),
        (f"sha256:{'0123456789ab' * 5}0123", ["node.labels.swarmhub.image.0123456789ab==held"]),
        (f"{services.KEPT}:0123456789ab", ["node.labels.swarmhub.image.0123456789ab==held"]),
        ("quay.io/x:y", []),
        ("quay.io/x:0123456789ab", []),
    ],
    ids=["a digest", "an id", "a content", "a tag", "a tag that looks like one"],
)
def test_it_is_placed_where_its_image_is(image: str, constraints: list[str]) -> None:
    """By the label that swarmhub gives the nodes; an image that is not pinned has none."""
    assert spec.constraints({"image": image, "node_labels": {}}) == constraints


def test_more_shared_memory_is_one_more_mount() -> None:
    """Besides the home."""
    mounts = template(shared_memory="1G")["ContainerSpec"]["Mounts"]
    assert [(one["Target"], one["TmpfsOptions"]) for one in mounts] == [("/dev/shm", {"SizeBytes": 2**30})]


def test_other_options_of_the_spawner_win() -> None:
    """[jupyterhub.SwarmSpawner] takes docker-py's words; constraints are added, nothing of ours is lost by them."""
    extra = Extra(
        container={"user": "root"},
        resources={"mem_limit": 5},
        placement={"constraints": ["node.role==worker"]},
        task={"restart_policy": {"Condition": "on-failure"}},
    )
    made = template(extra, memory_limit="1G")
    assert made["ContainerSpec"]["User"] == "root"
    assert made["Resources"]["Limits"]["MemoryBytes"] == 5
    assert made["Placement"]["Constraints"] == ["node.id==n1", "node.role==worker"]
    assert made["RestartPolicy"] == {"Condition": "on-failure"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, ""),
        ({"cpu_guarantee": 1}, "1 CPU"),
        ({"memory_guarantee": "8G"}, "8 GB of memory"),
        ({"cpu_guarantee": 1.5, "memory_guarantee": "512M"}, "1.5 CPUs and 512 MB of memory"),
        (
            {"cpu_guarantee": 2, "memory_guarantee": "1.5G", "generic_resources": {"NVIDIA-GPU": 1}},
            "2 CPUs, 1.5 GB of memory and 1 NVIDIA-GPU",
        ),
    ],
)
def test_what_a_node_must_have_free_is_said_in_words(table: dict[str, Any], words: str) -> None:
    """For the person whose server fits nowhere."""
    assert spec.needs(server(**table)) == words


def test_a_server_without_a_reserved_card_sees_none() -> None:
    """Unless the settings share the cards; with a reservation, Swarm's own variable names the card."""
    assert spec.environment(server())["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert spec.environment(server(environment={"NVIDIA_VISIBLE_DEVICES": "all"}))["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert "NVIDIA_VISIBLE_DEVICES" not in spec.environment(server(generic_resources={"NVIDIA-GPU": 1}))
