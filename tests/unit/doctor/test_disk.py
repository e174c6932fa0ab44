"""Free disk against the image still to come."""

import pytest

from swarmhub.doctor import disk

GB = disk.GB


@pytest.mark.parametrize(
    ("free", "held", "size", "level"),
    [
        (20 * GB, True, 4 * GB, "ok"),
        (20 * GB, False, 4 * GB, "ok"),
        (8 * GB, False, 4 * GB, "warning"),
        (4.5 * GB, False, 4 * GB, "failure"),
        (4.5 * GB, True, 4 * GB, "warning"),
        (0.5 * GB, True, 0, "failure"),
    ],
)
def test_what_is_left_after_the_image_counts(free: int, held: bool, size: int, level: str) -> None:
    """Below 1 GB fails, below 5 GB warns."""
    (found,) = disk.judge({"a": {"/var/lib/docker": int(free)}}, frozenset({"a"} if held else ()), size)
    assert found.level == level


def test_unknown_size_is_said() -> None:
    """Before the first pull nobody can tell how much is to come."""
    (found,) = disk.judge({"a": {"/var/lib/docker": 20 * GB}}, frozenset(), 0)
    assert "no node has the notebook image yet" in found.text
