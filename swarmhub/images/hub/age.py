"""How old what is installed in an image is: a userlist copied in today makes a new image, and Debian's packages stay."""

from datetime import UTC, datetime

from swarmhub.host import Host

# Beyond that, updates of the base system are missed that matter.
DAYS = 30
# As the builder keeps it of a step by which Debian's packages are installed.
INSTALLS = "apt-get update"


def observe(host: Host, image: str) -> datetime | None:
    """Return when Debian's packages in an image were installed, else when it was built; None where a node lacks it."""
    steps = host.engine.find(f"/images/{image}/history") or []
    times = [one["Created"] for one in steps if INSTALLS in one.get("CreatedBy", "")] or [one["Created"] for one in steps]
    return datetime.fromtimestamp(max(times), UTC) if times else None
