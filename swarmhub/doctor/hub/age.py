"""How old the hub's image is: Debian's updates come with another build only."""

from datetime import datetime

from swarmhub.doctor.finding import Finding, ok, warning

CHECK = "image"
DAYS = 30


def judge(tag: str, base: str, built: str, now: datetime, manager: str) -> Finding:
    """Return how old an image is; `built` is the time as the engine says it."""
    days = (now - datetime.fromisoformat(built)).days
    on = f"on {base}" if "@" in base else f"on {base}, a tag without a digest"
    if days <= DAYS:
        return ok(CHECK, manager, f"{tag} was built {days} days ago, {on}")
    text = f"{tag} was built {days} days ago, {on}: Debian's security updates since then are not in it"
    return warning(CHECK, manager, text, "Set hub.base_image in hosts.toml to the newest digest, then: fab deploy")
