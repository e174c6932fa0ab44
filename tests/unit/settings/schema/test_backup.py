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
    ("table", "wrong"),
    [
        ({"every": "1d"}, "needs backup.repository"),
        ({"repository": "/mnt/b", "every": "10m"}, "an hour is the shortest"),
        ({"repository": "/mnt/b", "every": "daily"}, "is no length of time"),
        ({"repository": "/mnt/b", "verify": "7d"}, "needs backup.every"),
    ],
)
def test_what_cannot_be_is_refused(table: dict[str, Any], wrong: str) -> None:
    """With what is wrong."""
    with pytest.raises(ValidationError, match=wrong):
        settings(backup=table)
