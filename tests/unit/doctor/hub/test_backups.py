"""The backups that the cluster makes, as the doctor sees them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from swarmhub.doctor.finding import Level
from swarmhub.doctor.hub import backups
from swarmhub.services.schedule.state import Standing, Trouble
from tests.unit.support.fakes import MANAGER, WORKER1

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
GOOD = Standing(NOW - timedelta(hours=3), 5000, 1, is_late=False, troubles=())


def test_a_good_backup_is_told_with_its_age() -> None:
    """In UTC, as backups are named."""
    (found,) = backups.judge(GOOD, NOW, MANAGER)
    assert (found.level, found.text) == (Level.OK, "the last backup of all is of 2026-11-30 09:00 UTC, 3 h ago")


def test_one_that_is_late_is_a_failure() -> None:
    """With its cause below, where one is known."""
    (found,) = backups.judge(replace(GOOD, is_late=True), NOW, MANAGER)
    assert (found.level, "more than twice as long as backup.every" in found.text) == (Level.FAILURE, True)
    both = backups.judge(replace(GOOD, is_late=True, troubles=(Trouble(WORKER1, "x", "silent"),)), NOW, MANAGER)
    assert ([one.level for one in both], both[0].remedy) == ([Level.FAILURE] * 2, "The lines below say what is wrong")


def test_a_failure_is_told_with_its_host_and_what_helps() -> None:
    """By its kind; another one says where the reason is found."""
    troubles = (Trouble(MANAGER, "the hub's data failed once: wrong password", "password"), Trouble(WORKER1, "x", "restic"))
    first, second = backups.judge(replace(GOOD, troubles=troubles), NOW, MANAGER)
    assert (first.host, first.level, "BACKUP_PASSWORD" in first.remedy) == (MANAGER, Level.FAILURE, True)
    assert (second.host, second.remedy) == (WORKER1, backups.OTHERWISE)


def test_before_the_first_backup_there_is_a_warning() -> None:
    """Or what keeps it from being made."""
    none = replace(GOOD, last=None)
    assert [one.level for one in backups.judge(none, NOW, MANAGER)] == [Level.WARNING]
    failing = replace(none, troubles=(Trouble(MANAGER, "x", "silent"),))
    assert [one.level for one in backups.judge(failing, NOW, MANAGER)] == [Level.FAILURE]
