"""Whether the hub's database on a PostgreSQL server opens."""

import io
import json
import tarfile

import pytest
from pydantic import SecretStr

from swarmhub.doctor.hub import database
from tests.unit.support.fakes import MANAGER, FakeHost, once

IMAGE = "jupyterhub:0123456789ab"
URL = SecretStr("postgresql://hub:h%40sh@db.example.org:5433,[::1]/hub?sslmode=require")
REFUSED = 'connection to server at "10.1.2.3", port 5433 failed: Connection refused'


def test_it_is_opened_as_the_hub_opens_it() -> None:
    """In the hub's image and for a limited time; the URL is in a file that only root reads, and nowhere else."""
    host = FakeHost(answers=once())
    assert database.observe(host, IMAGE, URL, {"swarmhub.doctor": "abc"}) == ""
    body, files = (host.engine.sent(one).body for one in ("POST /containers/create", "PUT /containers/once/archive"))
    assert (body["Image"], body["Entrypoint"][:2], body["Labels"]["swarmhub.doctor"]) == (IMAGE, ["timeout", "40"], "abc")
    assert "h%40sh" not in json.dumps(body)
    with tarfile.open(fileobj=io.BytesIO(files)) as tar:
        modes = {one.name: one.mode for one in tar.getmembers() if one.isfile()}
    assert modes[database.GIVEN] == 0o600


@pytest.mark.parametrize(
    ("code", "said", "wrong"),
    [
        (1, f"PostgreSQL: {REFUSED}", REFUSED),
        (124, "", "timeout expired: it does not answer within 40 s"),
        (1, "ModuleNotFoundError: No module named 'psycopg'", "ModuleNotFoundError: No module named 'psycopg'"),
    ],
)
def test_what_keeps_it_from_opening_is_told(code: int, said: str, wrong: str) -> None:
    """In the script's last line, or by its end."""
    assert database.observe(FakeHost(answers=once("a warning", said, code=code)), IMAGE, URL, {}) == wrong


@pytest.mark.parametrize(
    ("wrong", "level", "remedy"),
    [
        ("", "ok", ""),
        (REFUSED, "failure", "Is the server up, and does it listen on that address and port?"),
        ("timeout expired: it does not answer within 40 s", "failure", "Does a firewall stand between"),
        ("something new", "failure", "Is the server up, and does the manager reach it?"),
    ],
)
def test_a_database_that_does_not_open_is_a_failure(wrong: str, level: str, remedy: str) -> None:
    """With the server's name, the cause and what helps, and without user and password."""
    found = database.judge(wrong, URL, MANAGER)
    assert (found.level, found.host, remedy in found.remedy) == (level, MANAGER, True)
    assert ("db.example.org:5433,[::1]" in found.text, wrong in found.text, "h%40sh" in str(found)) == (True, True, False)


def test_before_there_is_an_image_it_is_not_asked() -> None:
    """A warning says so."""
    assert (database.missing(URL, MANAGER).level, "h%40sh" in str(database.missing(URL, MANAGER))) == ("warning", False)
