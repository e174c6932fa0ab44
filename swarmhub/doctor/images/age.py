"""How old the packages in the hub's image are: Debian's updates come with another build only."""

from datetime import datetime

from swarmhub.doctor.finding import Finding, ok, warning
from swarmhub.images.hub.age import DAYS
from swarmhub.images.hub.base import FRESH
from swarmhub.images.hub.build import Base

CHECK = "image"


def judge(tag: str, base: Base, installed: datetime, now: datetime, manager: str) -> Finding:
    """Return how old the packages in an image are."""
    days = (now - installed).days
    on = f"on {base.shown}" if "@" in base.reference else f"on {base.shown}, a tag without a digest"
    if days <= DAYS:
        return ok(CHECK, manager, f"{tag} has Debian's packages from {days} days ago, {on}")
    text = f"{tag} has Debian's packages from {days} days ago, {on}: it lacks the security updates since then"
    return warning(CHECK, manager, text, f"{FRESH}, then: fab deploy")
