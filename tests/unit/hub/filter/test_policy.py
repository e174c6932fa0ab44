"""What the filter is handed: made from the settings, and read without guessing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hub.filter import policy
from tests.unit.hub.asked import IMAGE
from tests.unit.hub.filter.engines import allowed

GIVEN: dict[str, Any] = {
    "notebook": {"labels": {"team": "physics"}, "shared_memory": "64M"},
    "profiles": [
        {"name": "Small", "labels": {"team": "ml"}},
        {"name": "GPU", "generic_resources": {"NVIDIA-GPU": 1}, "node_labels": {"gpu": "true"}, "shared_memory": "1G"},
    ],
    "jupyterhub": {"SwarmSpawner": {"extra_placement_spec": {"constraints": ["node.role==worker"]}, "debug": True}},
}


def test_a_policy_holds_what_any_server_may_have() -> None:
    """[notebook]'s, the profiles' and the overrides', each once."""
    made = allowed(**GIVEN)
    assert (made.images, made.profiles, made.networks) == ((IMAGE,), ("Small", "GPU"), ("jupyter",))
    assert (made.labels, made.node_labels) == ({"team": ("physics", "ml")}, {"gpu": ("true",)})
    assert (made.generic_resources, made.shared_memory) == (("NVIDIA-GPU",), (2**26, 2**30))
    assert (made.extra, made.constraints) == ({"placement": {"constraints": ["node.role==worker"]}}, ("node.role==worker",))


def test_a_policy_is_handed_over_whole() -> None:
    """The same policy is the same text, which is no reason for an update."""
    text = policy.document(allowed(**GIVEN))
    assert policy.document(*policy.load(text)) == text


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("images", None, "0.images: Field required"),
        ("networks", "jupyter", "0.networks: Input should be a valid array"),
        ("privileged", True, "0.privileged: Unexpected keyword argument"),
        ("shared_memory", ["hush"], "0.shared_memory.0: Input should be a valid integer"),
    ],
    ids=["a key is missing", "a text for a list", "an unknown key", "a text for a number"],
)
def test_what_is_no_policy_is_refused(key: str, value: Any, why: str) -> None:
    """A text where a list belongs would let its parts in; what was given is not shown."""
    given = json.loads(policy.document(allowed()))[0] | {key: value}
    with pytest.raises(ValueError, match=why) as told:
        policy.load(json.dumps([{name: one for name, one in given.items() if one is not None}]))
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    ("then", "now", "is_covered"),
    [
        ({}, {}, True),
        ({}, {"profiles": [{"name": "Small"}]}, True),
        ({"profiles": [{"name": "Small"}]}, {}, False),
        ({"notebook": {"labels": {"a": "1"}}}, {"notebook": {"labels": {"a": "2"}}}, False),
        ({}, {"notebook": {"labels": {"a": "2"}}}, True),
        ({"notebook": {"drop_capabilities": False}}, {}, False),
        ({}, {"notebook": {"drop_capabilities": False}}, True),
        ({"home": {"path": "/srv/x", "type": "path"}}, {}, False),
    ],
    ids=["the same", "more", "less", "another value", "another label", "closed", "opened", "other homes"],
)
def test_it_is_known_what_a_policy_still_allows(then: Any, now: Any, is_covered: bool) -> None:
    """If it allows all that the one before did, the hub that runs needs no other."""
    assert policy.covers(allowed(**now), allowed(**then)) is is_covered


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("networks", ("jupyter", "other")),
        ("images", (IMAGE, "x:1")),
        ("profiles", ("Small", "GPU", "Large")),
        ("generic_resources", ("NVIDIA-GPU", "FPGA")),
        ("shared_memory", (2**26, 2**30, 2**31)),
        ("labels", {"team": ("physics", "ml", "art")}),
        ("labels", {"team": ("physics", "ml"), "room": ("1",)}),
        ("node_labels", {"gpu": ("true", "false")}),
        ("node_labels", {"gpu": ("true",), "rack": ("4",)}),
        ("locked", False),
    ],
)
def test_more_covers_less_and_less_does_not_cover_more(field: str, more: Any) -> None:
    """Field by field: what one hub may ask for, and another may not, is not covered."""
    less = allowed(**GIVEN)
    grown = replace(less, **{field: more})
    assert (policy.covers(grown, less), policy.covers(less, grown)) == (True, False)


def test_a_volume_that_is_reserved_covers_less() -> None:
    """No server may mount it any more."""
    free, reserved = (replace(allowed(**GIVEN), reserved=volumes) for volumes in ((), ("jupyterhub-data",)))
    assert (policy.covers(free, reserved), policy.covers(reserved, free)) == (True, False)


@pytest.mark.parametrize("field", ["service", "home", "folders", "owners", "extra"])
def test_what_cannot_be_compared_covers_nothing_else(field: str) -> None:
    """Tables of hosts.toml are the same, or they are not."""
    one = allowed(**GIVEN)
    another: Any = "another"
    other = replace(one, **{field: another})
    assert (policy.covers(one, other), policy.covers(other, one), policy.covers(other, other)) == (False, False, True)


def test_the_policy_of_an_earlier_release_is_read() -> None:
    """It stands alone, and in no list."""
    alone = json.dumps(json.loads(policy.document(allowed()))[0])
    assert policy.load(alone) == (allowed(),)


def test_workers_only_is_asked_of_every_server() -> None:
    """As a constraint that the hub has to send; the filter of a hub that is replaced by such a one is widened before."""
    made = allowed(notebook={"nodes": "workers"})
    assert made.constraints == ("node.role==worker",)
    assert not policy.covers(allowed(), made)


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("quay.io/jupyter/base-notebook:hub-6.1.1", "quay.io"),
        ("private.lab:5000/notebook@sha256:1", "private.lab:5000"),
        ("localhost/notebook", "localhost"),
        ("jupyter/base-notebook", "docker.io"),
        ("debian:trixie-slim", "docker.io"),
        ("sha256:0123", ""),
    ],
)
def test_an_images_registry_is_what_docker_takes_for_it(image: str, registry: str) -> None:
    """A first part with a dot or a port; all else is Docker Hub's, and an id is nobody's."""
    assert policy.registry(image) == registry
