"""The age of what is in the hub's image."""

from datetime import UTC, datetime, timedelta

import pytest

from swarmhub.doctor.images import age
from swarmhub.images.hub.build import Base

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(("days", "level"), [(1, "ok"), (30, "ok"), (31, "warning")])
def test_an_old_image_lacks_updates(days: int, level: str) -> None:
    """Above 30 days; the remedy makes another one."""
    installed = NOW - timedelta(days=days, hours=1)
    found = age.judge("jupyterhub:1", Base("debian:trixie-slim"), installed, NOW, "m1")
    assert (found.level, f"{days} days ago" in found.text, "a tag without a digest" in found.text) == (level, True, True)
    assert found.remedy == ("" if level == "ok" else "fab build-hub --fresh, then: fab deploy")
    fresh = Base("debian:trixie-slim", f"sha256:{'a' * 64}", "2026-11-29T11:00:00Z")
    assert "without a digest" not in age.judge("jupyterhub:1", fresh, installed, NOW, "m1").text
