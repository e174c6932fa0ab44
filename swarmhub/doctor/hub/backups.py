"""The backups that the cluster makes itself: whether the last one is good, and not too old."""

from datetime import datetime

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.services.schedule.state import Standing, Trouble

CHECK = "backup"
AGAIN = "it is tried again by itself; to try at once: fab backup"
REMEDIES = {
    "password": "Set BACKUP_PASSWORD to the password of the repository, then: fab deploy",
    "missing": "Is backup.repository right, and mounted where it is a folder? fab backup makes a new one there",
    "silent": "Is the repository up, and does this host reach it? What does not answer is asked again by itself",
    "locked": f"Something else works on the repository: {AGAIN}",
    "absent": "Put the manager that has the hub first in hosts.toml, then: fab deploy; if that one is lost: fab restore",
    "nothing": "Make a backup: fab backup",
    "database": "See the hub's log (fab logs), and what there is to go back to: fab releases",
    "damaged": "Make a new backup, and try it: fab backup, then fab backup-verify",
    "drill": "Make a new backup, and try it: fab backup, then fab backup-verify",
    "disk": f"Is there space left, there and in the repository? Then {AGAIN}",
    "deploy": "fab deploy leaves it again",
    "away": "Repair that host, then: fab deploy",
}
OTHERWISE = f"See fab backup, which says what helps; {AGAIN}"


def judge(found: Standing, now: datetime, manager: str) -> list[Finding]:
    """Return a failure for each thing that is wrong, or how old the last backup is."""
    findings = [_of(one) for one in found.troubles]
    if found.last is None:
        return findings or [
            warning(CHECK, manager, "the cluster has made no backup yet", "Wait a minute: the first one is due")
        ]
    hours = (now - found.last).total_seconds() / 3600
    made = f"the last backup of all is of {found.last:%Y-%m-%d %H:%M} UTC, {hours:.0f} h ago"
    if found.is_late:
        late = failure(CHECK, manager, f"{made}, which is more than twice as long as backup.every", _to_do(findings))
        return [late, *findings]
    return findings or [ok(CHECK, manager, made)]


def _of(one: Trouble) -> Finding:
    return failure(CHECK, one.host, one.text, REMEDIES.get(one.kind, OTHERWISE))


def _to_do(findings: list[Finding]) -> str:
    return "The lines below say what is wrong" if findings else "Make one now: fab backup; then see why: docker service logs"
