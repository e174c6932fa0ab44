"""What runs restic, with a stand-in for it that keeps snapshots as folders."""

import pytest

from swarmhub.inside.backup import restic
from tests.unit.inside.backup.container import Container


def test_a_wrong_password_is_told_as_such(container: Container) -> None:
    """By restic's exit code, in one line."""
    container.password = "wrong"
    assert container.do("open") == {"failed": "wrong password or no key found", "kind": "password"}


def test_what_does_not_answer_is_told_before_restic_tries_for_minutes(container: Container) -> None:
    """With the address that was asked."""
    said = container.do("open", repository="rest:http://127.0.0.1:1/x")
    assert (said["kind"], said["failed"].startswith("127.0.0.1:1 does not answer: ")) == ("silent", True)


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("/mnt/backup", None),
        ("sftp:backup@nas.example.org:/srv/backup", ("nas.example.org", 22)),
        ("sftp:nas:relative", ("nas", 22)),
        ("sftp:me@company@nas:/srv/b@ckup", ("nas", 22)),
        ("sftp://backup@[2001:db8::1]:2222//srv/backup", ("2001:db8::1", 2222)),
        ("sftp://backup@nas.example.org:2222//srv/backup", ("nas.example.org", 2222)),
        ("s3:https://s3.example.org:9000/bucket", ("s3.example.org", 9000)),
        ("s3:s3.example.org/bucket", ("s3.example.org", 443)),
        ("rest:http://user:secret@backup.example.org:8000/hub", ("backup.example.org", 8000)),
        ("rest:http://backup.example.org/", ("backup.example.org", 80)),
    ],
)
def test_the_address_of_a_repository(repository: str, address: tuple[str, int] | None) -> None:
    """As restic reads it; a folder has none."""
    assert restic._address(repository) == address


@pytest.mark.parametrize(
    ("repository", "user"),
    [
        ("sftp:backup@nas:/srv", "backup"),
        ("sftp:me@company@nas:/srv/b@ckup", "me@company"),
        ("sftp://backup@nas:2222//srv/b@ckup", "backup"),
        ("sftp:nas:/srv/b@ckup", "root"),
        ("sftp://nas//srv/b@ckup", "root"),
    ],
)
def test_who_logs_in_by_sftp(repository: str, user: str) -> None:
    """As restic reads it: why ssh makes no connection is asked by the same name."""
    assert restic._user(repository) == user


def test_a_panic_is_told_by_its_first_line() -> None:
    """As of a config that is cut off: restic 0.18 ends so."""
    assert restic._cause(["panic: runtime error: slice bounds out of range", "", "goroutine 1 [running]:"]).startswith(
        "panic: runtime"
    )


def test_a_server_that_refuses_for_long_is_told_with_its_own_words(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As S3 without the bucket: restic tries again and again."""
    program = container.root / "bin" / "restic"
    program.write_text(
        "#!/bin/sh\necho 'Stat(<config/>) returned error, retrying after 1s: no such bucket' >&2\nexec sleep 60\n"
    )
    monkeypatch.setattr(restic, "ASK_SECONDS", 0.5)
    said = container.do("open")
    assert said == {"failed": "the repository does not answer within 0 s: no such bucket", "kind": "silent"}
