"""What an operator's own options add to a server's spec, and may not replace."""

import inspect

import pytest
from docker.types import ContainerSpec, EndpointSpec, Placement, Resources, TaskTemplate

from hub.shared.servers import extras

TYPES = {
    "container": ContainerSpec,
    "resources": Resources,
    "placement": Placement,
    "task": TaskTemplate,
    "endpoint": EndpointSpec,
}
HOME = {"Type": "volume", "Source": "home", "Target": "/home/jovyan"}


@pytest.mark.parametrize("part", TYPES)
def test_every_argument_of_docker_py_is_known(part: str) -> None:
    """Each is as the operator says it, is added, or has a setting."""
    arguments = {*inspect.signature(TYPES[part]).parameters}
    assert {*extras.KEYS[part]} == arguments


def test_nothing_of_a_server_is_lost() -> None:
    """Neither its home, nor the token by which it asks the hub, nor what its capabilities leave out."""
    ours = {"mounts": [HOME], "env": {"JUPYTERHUB_API_TOKEN": "t"}, "cap_drop": ["ALL"], "configs": ["c"], "user": None}
    theirs = {"mounts": ["a:/b"], "env": {"A": "b"}, "cap_drop": ["NET_RAW"], "cap_add": ["SYS_PTRACE"], "user": "root"}
    assert extras.merged(ours, theirs) == {
        "mounts": [HOME, "a:/b"],
        "env": ["A=b", "JUPYTERHUB_API_TOKEN=t"],
        "cap_drop": ["ALL", "NET_RAW"],
        "cap_add": ["SYS_PTRACE"],
        "configs": ["c"],
        "user": "root",
    }
    assert extras.merged(ours, {}) == ours


def test_what_a_hook_may_not_replace_is_told() -> None:
    """No check has seen it: the container with the home, and the node that has it."""
    found = list(extras.replacing({"task": {"placement": 1, "log_driver": 2, "networks": 3}, "container": {"image": "x"}}))
    assert [one.partition(": use")[0] for one in found] == ["extra_task_spec: placement"]
