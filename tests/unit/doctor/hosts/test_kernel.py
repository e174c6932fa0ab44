"""Kernel features against what the settings need."""

import pytest

from swarmhub.doctor.hosts import kernel
from swarmhub.settings import Settings
from tests.unit.doctor.answers import probe
from tests.unit.support.fakes import settings

PLAIN = settings(hub={"domain": "hub.example.org", "publish": "host"}, network={"endpoint_mode": "dnsrr"})
MESH = settings()
ENCRYPTED = settings(
    hub={"domain": "hub.example.org", "publish": "host"}, network={"endpoint_mode": "dnsrr", "encrypted": True}
)


@pytest.mark.parametrize(("wanted", "names"), [(PLAIN, []), (MESH, ["IPVS"]), (ENCRYPTED, ["ESP"])])
def test_settings_say_what_is_needed(wanted: Settings, names: list[str]) -> None:
    """The routing mesh and VIPs need IPVS, an encrypted overlay ESP."""
    assert list(kernel.needed(wanted)) == names


@pytest.mark.parametrize(
    ("wanted", "answers", "levels"),
    [
        (PLAIN, {"IPVS": "no", "ESP": "no"}, ["ok"]),
        (MESH, {"IPVS": "yes"}, ["ok"]),
        (MESH, {"IPVS": "no"}, ["failure"]),
        (MESH, {"IPVS": "unknown"}, ["warning"]),
        (MESH, {}, ["warning"]),
        (ENCRYPTED, {"ESP": "no"}, ["failure"]),
    ],
)
def test_what_is_missing_and_needed_fails(wanted: Settings, answers: dict[str, str], levels: list[str]) -> None:
    """What cannot be told warns; what is not needed does not matter."""
    assert [one.level for one in kernel.judge({"a": probe(kernel=answers)}, wanted)] == levels


def test_remedy_says_how_to_do_without() -> None:
    """The settings' own lines."""
    (found,) = kernel.judge({"a": probe(kernel={"IPVS": "no"})}, MESH)
    assert 'hub.publish = "host" and network.endpoint_mode = "dnsrr"' in found.remedy
