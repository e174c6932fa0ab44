"""Free disk against the images still to come."""

import pytest

from swarmhub.doctor.hosts import disk

GB = disk.GB


@pytest.mark.parametrize(
    ("free", "coming", "level"),
    [
        (20 * GB, 0, "ok"),
        (20 * GB, 4 * GB, "ok"),
        (8 * GB, 4 * GB, "warning"),
        (4.5 * GB, 4 * GB, "failure"),
        (4.5 * GB, 0, "warning"),
        (0.5 * GB, 0, "failure"),
    ],
)
def test_what_is_left_after_the_images_counts(free: int, coming: int, level: str) -> None:
    """Below 1 GB fails, below 5 GB warns; before the first pull nobody can tell how much is to come."""
    (found,) = disk.judge({"a": {"/var/lib/docker": int(free)}}, {"a": coming})
    assert found.level == level
    (found,) = disk.judge({"a": {"/var/lib/docker": 20 * GB}}, {"a": None})
    assert "no node has the notebook images yet" in found.text
