"""The age of the hub's image."""

from datetime import UTC, datetime

import pytest

from swarmhub.doctor.hub import age

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("built", "level", "said"),
    [
        ("2026-11-28T11:00:00.123456789Z", "ok", "1 days ago"),
        ("2026-10-30T11:00:00Z", "ok", "30 days ago"),
        ("2026-10-29T11:00:00Z", "warning", "31 days ago"),
    ],
)
def test_an_old_image_lacks_updates(built: str, level: str, said: str) -> None:
    """Above 30 days; the remedy makes another one."""
    found = age.judge("jupyterhub:1", "debian:trixie-slim", built, NOW, "m1")
    assert (found.level, said in found.text, "a tag without a digest" in found.text) == (level, True, True)
    assert "digest" not in age.judge("jupyterhub:1", "debian@sha256:0", built, NOW, "m1").text
