"""Kernel features against what the settings need."""

import pytest

from swarmhub.doctor.hosts import kernel
from swarmhub.settings import Settings
from tests.unit.doctor.answers import probe
from tests.unit.support.fakes import settings

PLAIN = settings()
MESH = settings(hub={"publish": "ingress"}, network={"endpoint_mode": "vip"})
ENCRYPTED = settings(network={"encrypted": True})


@pytest.mark.parametrize(
    ("wanted", "answers", "levels"),
    [
        (PLAIN, {"IPVS": "no", "ESP": "no"}, ["ok"]),
        (MESH, {"IPVS": "yes"}, ["ok"]),
        (settings(network={"endpoint_mode": "vip"}), {"IPVS": "no"}, ["failure"]),
        (MESH, {"IPVS": "no"}, ["failure"]),
        (MESH, {"IPVS": "unknown"}, ["warning"]),
        (MESH, {}, ["warning"]),
        (ENCRYPTED, {"ESP": "no"}, ["failure"]),
    ],
)
def test_what_is_missing_and_needed_fails(wanted: Settings, answers: dict[str, str], levels: list[str]) -> None:
    """What cannot be told warns; what is not needed does not matter."""
    found = kernel.judge({"a": probe(kernel=answers)}, wanted)
    assert [one.level for one in found] == levels
    if (wanted, levels) == (MESH, ["failure"]):
        assert 'hub.publish = "host" and network.endpoint_mode = "dnsrr"' in found[0].remedy
