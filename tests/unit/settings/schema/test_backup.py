"""What [backup] may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.support.fakes import settings


def test_a_schedule_is_a_length_of_time() -> None:
    """In seconds from here on."""
    found = settings(backup={"repository": "/mnt/backup", "every": "12h", "verify": "7d"}).backup
    assert (found.every, found.verify) == (43200, 604800)


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
