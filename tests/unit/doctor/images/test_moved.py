"""Whether the tag of a notebook image has moved."""

import pytest

from swarmhub.doctor.images import moved
from swarmhub.images.pull import Held

OLD, NEW = (f"sha256:{letter * 64}" for letter in "ab")


@pytest.mark.parametrize(("now", "level"), [(OLD, "ok"), (NEW, "warning")])
def test_a_tag_that_has_moved_is_told(now: str, level: str) -> None:
    """With both digests, and with what takes the newer image."""
    found = moved.judge("example.org/notebook:1", OLD, now, "m1")
    assert found.level == level
    if level == "warning":
        assert f"{'a' * 12} → {'b' * 12}" in found.text
        assert "fab prepull-all --newer" in found.remedy


def test_only_what_came_from_a_registry_by_a_tag_is_asked_about() -> None:
    """What most nodes hold counts; what was built on the cluster has no registry."""
    held: dict[str, Held | None] = {"a:1": Held("sha256:1", frozenset({OLD})), f"b@{OLD}": Held("sha256:2", frozenset({OLD}))}
    assert moved.pulled([*held, "own:1", "none:1"], {"m1": {**held, "own:1": Held("sha256:3"), "none:1": None}}) == {"a:1": OLD}
