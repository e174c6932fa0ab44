"""What [backup] may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.support.fakes import settings


def test_a_schedule_is_a_length_of_time() -> None:
    """In seconds from here on."""
    found = settings(backup={"repository": "/mnt/backup", "every": "12h", "verify": "7d"}).backup
    assert (found.every, found.verify) == (43200, 604800)


@pytest.mark.parametrize(
    "repository",
    [
        "/mnt/backup",
        "sftp:backup@nas.example.org:/srv/backup",
        "sftp:me@company@nas_1:relative/path",
        "sftp:nas:",
        "sftp://backup@nas.example.org:2222//srv/backup",
        "sftp://backup@nas.example.org:2222//srv/b@ckup",
        "sftp://backup@[2001:db8::1]:22//srv/backup",
        "s3:s3.example.org/bucket/folder",
        "s3:https://s3.example.org:9000/bucket/hub",
        "s3:https://[::1]:9000/bucket",
        "rest:https://backup.example.org:8000/",
        "rest:http://[2001:db8::1]/hub/",
    ],
)
def test_a_repository_is_named_as_restic_does(repository: str) -> None:
    """With a port, or an IPv6 address, too."""
    files = {"ssh_key": "key", "ssh_known_hosts": "known_hosts"} if repository.startswith("sftp:") else {}
    assert settings(backup={"repository": repository, **files}).backup.repository == repository


@pytest.mark.parametrize(
    "repository",
    [
        "backup",
        "b2:bucket",
        "/",
        "sftp:nas",
        "sftp:backup@nas.example.org/srv/backup",
        "sftp:backup@[2001:db8::1]:/srv/backup",
        "sftp://backup@nas.example.org",
        "sftp://backup@nas.example.org:99999//srv/backup",
        "sftp://backup@[2001:db8:::1]//srv/backup",
        "sftp://backup:password@nas.example.org//srv/backup",
        "s3:https://s3.example.org:0/bucket",
        "s3:https://s3.example.org",
        "s3:https://:9000/bucket",
        "s3:https://s3/b; id",
        "rest:https://backup.example.org",
        "rest:https://[10.0.0.1]/",
        "rest:https://me:secret@backup.example.org/",
        "sftp:-v:/srv/backup",
        "sftp://backup@-v//srv/backup",
        "/mnt/../backup",
        "-x",
    ],
)
def test_a_repository_that_restic_cannot_reach_is_refused(repository: str) -> None:
    """Before anything is connected to."""
    with pytest.raises(ValidationError, match=r"is not sftp:USER@HOST:/PATH"):
        settings(backup={"repository": repository, "ssh_key": "key", "ssh_known_hosts": "known_hosts"})


def test_sftp_takes_its_files_and_no_other_does() -> None:
    """Without a known host key, anybody in between would get the backups."""
    with pytest.raises(ValueError, match="is missing: a repository by sftp: needs it"):
        settings(backup={"repository": "sftp:b@nas:/x", "ssh_key": "key"})
    with pytest.raises(ValueError, match="is for a repository by sftp: only"):
        settings(backup={"repository": "/mnt/backup", "ssh_key": "key"})


@pytest.mark.parametrize("keep", ["7d 14d", "1h 7d 1h", "0d", "7d,4w", "7", "-7d", "7d  4w", "7D"])
def test_what_says_not_clearly_what_stays_is_refused(keep: str) -> None:
    """Of two numbers for one kind, one would be left out."""
    with pytest.raises(ValidationError, match=r"says twice how many to keep|is not how many to keep"):
        settings(backup={"repository": "/mnt/backup", "keep": keep})


@pytest.mark.parametrize(("every", "at"), [("1d", "03:00"), ("12h", "03:30"), ("7d", "00:00")])
def test_it_may_begin_at_a_time_of_day(every: str, at: str) -> None:
    """In seconds from midnight UTC; none is midnight."""
    found = settings(backup={"repository": "/mnt/backup", "every": every, "at": at}).backup
    assert found.at == int(at[:2]) * 3600 + int(at[3:]) * 60
    assert settings(backup={"repository": "/mnt/backup", "every": every}).backup.at is None


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"every": "1d"}, "needs backup.repository"),
        ({"repository": "/mnt/b", "every": "10m"}, "an hour is the shortest"),
        ({"repository": "/mnt/b", "every": "daily"}, "is no length of time"),
        ({"repository": "/mnt/b", "verify": "7d"}, "needs backup.every"),
        ({"repository": "/mnt/b", "at": "03:00"}, "needs backup.every: it says when"),
        ({"repository": "/mnt/b", "every": "1d", "at": "24:00"}, "'24:00' is no time of day"),
        ({"repository": "/mnt/b", "every": "1d", "at": 3}, "3 is no time of day"),
        ({"repository": "/mnt/b", "every": "5h", "at": "03:00"}, "needs a backup.every of whole days"),
        ({"repository": "/mnt/b", "every": "36h", "at": "03:00"}, "needs a backup.every of whole days"),
    ],
)
def test_what_cannot_be_is_refused(table: dict[str, Any], wrong: str) -> None:
    """With what is wrong."""
    with pytest.raises(ValidationError, match=wrong):
        settings(backup=table)
