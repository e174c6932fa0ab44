"""What [database] may say: a secret with the URL of a database on a PostgreSQL server."""

from typing import Any

import pytest
from pydantic import ValidationError

from swarmhub.settings.schema.clashes import clashes
from swarmhub.settings.schema.database import check_url
from tests.unit.support.fakes import settings

SECRET = {"url": {"secret": "DATABASE_URL"}}


def test_by_default_it_is_sqlite() -> None:
    """No secret is needed."""
    assert settings().database.secret == ""


def test_the_url_is_a_secret() -> None:
    """By its name, which secrets.names lists."""
    assert settings(database=SECRET).database.secret == "DATABASE_URL"
    ((key, wrong),) = clashes({"database": SECRET})
    assert (key, "'DATABASE_URL' is not in secrets.names" in wrong) == (("database", "url"), True)


@pytest.mark.parametrize("url", ["postgresql://hub:hush@db/hub", {"secret": "no name"}, {"file": "x"}, 5, ""])
def test_a_url_in_plain_text_is_refused(url: Any) -> None:
    """It has a password, which the message does not show."""
    with pytest.raises(ValidationError, match=r'is no secret.*\{secret = "DATABASE_URL"\}') as told:
        settings(database={"url": url})
    assert "hush" not in str(told.value.errors(include_input=False, include_url=False)[0]["msg"])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://hub:p%40ss@db.example.org/hub",
        "postgres://hub@db:5433/hub?sslmode=verify-full&sslrootcert=system",
        "postgresql+psycopg://hub:x@[::1]/hub",
        "postgresql://hub:x@db1:5432,db2/hub?target_session_attrs=read-write",
    ],
)
def test_a_url_is_taken_as_others_write_it(url: str) -> None:
    """By libpq's schemes, and SQLAlchemy's for this driver."""
    check_url(url)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("mysql://hub:hush@db/hub", "is not the URL of a PostgreSQL database"),
        ("hush", "is not the URL of a PostgreSQL database"),
        ("postgresql:hush", "is not the URL of a PostgreSQL database"),
        ("postgresql://hub:hush@db", "needs user, host and database"),
        ("postgresql://db/hush", "needs user, host and database"),
        ("postgresql://hub:hush@/hub", "needs user, host and database"),
        ("postgresql://hub:hu/sh@db/hub", "needs user, host and database"),
        ("postgresql://hub:hu#sh@db/hub", "needs user, host and database"),
        ("postgresql://hub:hu sh@db/hub", "write %3A %2F"),
        ("postgresql://hub:hush%zz@db/hub", "write %3A %2F"),
        ("postgresql://hub:hush%@db/hub", "write %3A %2F"),
        ("postgresql://hub:hush%00@db/hub", "write %3A %2F"),
        ("postgresql://hub:hush@db:port/hub", "needs user, host and database"),
    ],
)
def test_what_is_no_url_is_told_without_it(url: str, wrong: str) -> None:
    """With how a password is written that has such characters."""
    with pytest.raises(ValueError, match=wrong) as told:
        check_url(url)
    assert "hush" not in str(told.value)
