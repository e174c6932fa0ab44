"""A node's spec is changed in the fields that are meant, and sent whole."""

import pytest

from swarmhub.cluster.update import Update
from tests.unit.support.fakes import FakeHost, FakeProgress

SPEC = {"Name": "", "Role": "worker", "Availability": "active", "Labels": {"rack": "4", "old": "1"}}


@pytest.mark.parametrize(
    ("update", "changed"),
    [
        (Update("n2", role="manager"), {"Role": "manager"}),
        (Update("n2", availability="drain"), {"Availability": "drain"}),
        (Update("n2", labels={"old": None, "new": "2"}), {"Labels": {"rack": "4", "new": "2"}}),
    ],
)
def test_what_is_not_meant_stays(progress: FakeProgress, update: Update, changed: dict[str, object]) -> None:
    """The version is that of the spec that was read: somebody else's change in between makes it fail."""
    host = FakeHost(answers={"GET /nodes/n2": {"Version": {"Index": 7}, "Spec": SPEC}})
    update(host, progress)
    sent = host.engine.sent("POST /nodes/n2/update")
    assert (sent.params, sent.body) == ({"version": 7}, SPEC | changed)
