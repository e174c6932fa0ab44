"""The hub's database as the manager is asked for it: a container on its volume that runs one script."""

import io
import json
import tarfile
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.errors import StepError
from swarmhub.history import database
from swarmhub.history.database import Database, DatabaseState
from swarmhub.plan.plans import Change, Cost
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, once

WHERE = Database("jupyterhub-data", "jupyterhub:0123456789ab", "jupyterhub")
COPY = "jupyterhub-before-2.sqlite"
LOOKED = {"bytes": 4096, "schema": "4621fec11365", "users": 2}


@pytest.fixture
def host() -> FakeHost:
    """Return a manager whose containers print how the database is."""
    return FakeHost(answers=once(json.dumps(LOOKED)))


def made(host: FakeHost) -> dict[str, Any]:
    """Return what the container was made with."""
    body: dict[str, Any] = host.engine.sent("POST /containers/create").body
    return body


def apply(change: Change, host: FakeHost) -> FakeProgress:
    """Apply a change and return what it said."""
    progress = FakeProgress()
    change.apply(host, progress)
    return progress


def test_how_the_database_is_comes_from_the_script(host: FakeHost) -> None:
    """Its last line is read."""
    host.engine.answers["GET /containers/once/logs"] = ["a warning of Python's", json.dumps(LOOKED)]
    assert database.observe(host, WHERE) == DatabaseState(4096, "4621fec11365", 2)


def test_the_scripts_are_put_into_the_container(host: FakeHost) -> None:
    """The image need not hold it: they are the files of this version."""
    database.observe(host, WHERE)
    sent = host.engine.sent("PUT /containers/once/archive")
    with tarfile.open(fileobj=io.BytesIO(sent.body)) as tar:
        scripts = {name: opened.read() for name in tar.getnames() if (opened := tar.extractfile(name))}
    assert (sent.params["path"], scripts) == ("/", {name: file.read_bytes() for name, file in database.SENT.items()})


def test_the_container_has_the_volume_and_no_network(host: FakeHost) -> None:
    """It needs the data and nobody else; any image with Python does."""
    database.observe(host, WHERE)
    assert made(host)["HostConfig"] == {"Binds": ["jupyterhub-data:/data"], "NetworkMode": "none"}
    assert made(host)["Image"] == "jupyterhub:0123456789ab"


VOLUME = "/volumes/jupyterhub_backups"


def test_the_copies_are_in_a_volume_that_only_their_container_has(host: FakeHost) -> None:
    """It is made with the first copy. What works on the hub's files alone has no copy in reach."""
    database.observe(host, WHERE)
    assert made(host)["HostConfig"]["Binds"] == ["jupyterhub-data:/data"]
    again = FakeHost(answers=once(json.dumps(LOOKED)))
    apply(database.copy(WHERE, COPY, MANAGER), again)
    volume = {"Name": "jupyterhub_backups", "Driver": "local", "Labels": {"swarmhub.backups": "jupyterhub"}}
    assert again.engine.sent("POST /volumes/create").body == volume
    assert made(again)["HostConfig"]["Binds"] == ["jupyterhub-data:/data", "jupyterhub_backups:/backups"]


def test_a_volume_that_is_there_is_not_made_again(host: FakeHost) -> None:
    """Its label says that it is the hub's."""
    host.engine.answers[f"GET {VOLUME}"] = {"Labels": {"swarmhub.backups": "jupyterhub"}}
    apply(database.copy(WHERE, COPY, MANAGER), host)
    assert "POST /volumes/create" not in map(str, host.engine.requests)


@pytest.mark.parametrize("labels", [None, {}, {"swarmhub.backups": "other"}])
def test_somebody_elses_volume_is_not_taken(host: FakeHost, labels: dict[str, str] | None) -> None:
    """It may be one that a broken-into hub has made."""
    host.engine.answers[f"GET {VOLUME}"] = {"Labels": labels}
    with pytest.raises(StepError, match="somebody else has made it"):
        apply(database.restore(WHERE, COPY, MANAGER), host)


@pytest.mark.parametrize(("verb", "cost"), [("copy", Cost.NOTHING), ("restore", Cost.HUB_RESTART)])
def test_a_change_tells_the_script_what_to_do(host: FakeHost, verb: str, cost: Cost) -> None:
    """The database first, then the copy, which is made while everybody works; only putting back costs people something."""
    change = getattr(database, verb)(WHERE, COPY, MANAGER)
    apply(change, host)
    words = [verb, "/data/jupyterhub.sqlite", f"/backups/{COPY}"]
    assert (change.cost, made(host)["Cmd"], made(host)["Entrypoint"]) == (
        cost,
        words,
        ["python3", f"/{database.IN_CONTAINER}"],
    )


def test_a_copy_that_is_removed_is_the_one_named(host: FakeHost) -> None:
    """Only the file below the folder of copies goes."""
    database.remove(host, WHERE, COPY)
    assert made(host)["Cmd"] == ["remove", "/data/jupyterhub.sqlite", f"/backups/{COPY}"]


@pytest.mark.parametrize(
    ("schema", "text"),
    [("4621fec11365", "database: 4 kB, 2 users, schema 4621fec11365"), ("", "database: 4 kB, 2 users, schema none yet")],
)
def test_a_copy_says_what_is_in_it(host: FakeHost, schema: str, text: str) -> None:
    """Size, users and schema: an operator sees that it is not empty."""
    host.engine.answers["GET /containers/once/logs"] = [json.dumps(LOOKED | {"schema": schema})]
    assert apply(database.copy(WHERE, COPY, MANAGER), host).lines == [(MANAGER, text)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["Traceback (most recent call last):", "OSError: [Errno 28] No space left on device"], "No space left on device"),
        ([], "it says nothing"),
    ],
)
def test_a_script_that_fails_is_told_by_its_last_line(host: FakeHost, lines: list[str], said: str) -> None:
    """The end of a traceback says what is wrong."""
    host.engine.answers |= {"GET /containers/once/logs": lines, "POST /containers/once/wait": {"StatusCode": 1}}
    with pytest.raises(StepError, match=f"cannot copy the hub's database: .*{said}"):
        apply(database.copy(WHERE, COPY, MANAGER), host)


def hub(user: str | None = None) -> dict[str, Any]:
    """Return the spec of a hub's service."""
    return {"TaskTemplate": {"ContainerSpec": {"Image": "jupyterhub:1"} | ({"User": user} if user else {})}}


@pytest.mark.parametrize(
    ("wanted", "found", "opens"),
    [
        (hub("61081:0"), hub("61081:0"), False),
        (hub(), hub(), False),
        (hub("61081:0"), hub(), True),
        (hub(), hub("61081:0"), True),
        (hub("61081:0"), None, True),
        (hub(), None, True),
    ],
    ids=["the same user", "root again", "from root", "to root", "the first, or a volume that was kept", "as root"],
)
def test_another_user_finds_the_data_open(wanted: dict[str, Any], found: dict[str, Any] | None, opens: bool) -> None:
    """A deploy that changes nothing of that does not look."""
    changes = database.opening(WHERE, wanted, {"Spec": found} if found else None, MANAGER)
    assert [(one.verb, one.cost) for one in changes] == ([("open", Cost.NOTHING)] if opens else [])


def test_the_data_is_opened_by_root(host: FakeHost) -> None:
    """Whatever is made of the image."""
    (change,) = database.opening(WHERE, hub("61081:0"), None, MANAGER)
    apply(change, host)
    assert (made(host)["User"], made(host)["Cmd"]) == ("0", ["open", "/data/jupyterhub.sqlite"])


def test_a_file_server_that_root_has_no_rights_on_is_told(host: FakeHost) -> None:
    """With what to do there."""
    host.engine.answers |= {
        "GET /containers/once/logs": ["PermissionError: [Errno 1] Operation not permitted: '/data'"],
        "POST /containers/once/wait": {"StatusCode": 1},
    }
    (change,) = database.opening(WHERE, hub("61081:0"), None, MANAGER)
    with pytest.raises(StepError, match=r"cannot open the hub's database: .*not permitted") as told:
        apply(change, host)
    assert "no_root_squash" in told.value.remedy


ON_SERVER = replace(WHERE, url=SecretStr("postgresql://hub:hush-hush@db.example.org/hub"))


def sent(host: FakeHost) -> dict[str, tuple[bytes, int]]:
    """Return the files that were put into the container, with their modes."""
    with tarfile.open(fileobj=io.BytesIO(host.engine.sent("PUT /containers/once/archive").body)) as tar:
        found = [(one, tar.extractfile(one)) for one in tar.getmembers()]
        return {one.name: (opened.read(), one.mode) for one, opened in found if opened}


def test_the_url_of_a_server_is_in_a_file_for_root_alone(host: FakeHost) -> None:
    """Not among arguments or variables, and in no text of the plan; the container has a network then."""
    change = database.copy(ON_SERVER, COPY, MANAGER)
    apply(change, host)
    files = sent(host)
    assert files[database.GIVEN] == (b"postgresql://hub:hush-hush@db.example.org/hub", 0o600)
    assert {*database.OF_SERVER} <= {*files}
    assert made(host)["HostConfig"]["NetworkMode"] == "bridge"
    assert "hush-hush" not in json.dumps(made(host)) + repr(change) + repr(ON_SERVER)


@pytest.mark.parametrize("action", ["opening", "holding", "setting_aside", "remove"])
def test_what_is_about_files_gets_no_url(host: FakeHost, action: str) -> None:
    """Nor a network: the hub that runs may have put anything there."""
    if action == "remove":
        database.remove(host, ON_SERVER, COPY)
    else:
        given = (hub("61081:0"), None) if action == "opening" else ()
        change = getattr(database, action)(ON_SERVER, *given, MANAGER)
        apply(change[0] if action == "opening" else change, host)
    assert (made(host)["HostConfig"]["NetworkMode"], database.GIVEN in sent(host)) == ("none", False)


def test_what_is_about_files_says_nothing_of_the_database(host: FakeHost) -> None:
    """There is no file where it is on a server."""
    assert apply(database.holding(ON_SERVER, MANAGER), host).lines == []
    assert apply(database.holding(WHERE, MANAGER), FakeHost(answers=once(json.dumps(LOOKED)))).lines != []


def test_a_move_says_that_all_rows_are_there() -> None:
    """A trial says the same: it has moved them, and undone it."""
    told = once(json.dumps(LOOKED | {"tables": 16, "rows": 312}))
    for change in (database.trying_move(ON_SERVER, "in", MANAGER), database.move(ON_SERVER, "in", MANAGER)):
        host = FakeHost(answers=told)
        assert apply(change, host).lines == [(MANAGER, "2 users, schema 4621fec11365; 16 tables, 312 rows: the same in both")]
    assert made(host)["Cmd"] == ["move-in", "/data/jupyterhub.sqlite"]


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ('PostgreSQL: connection to server at "10.1.2.3" failed: Connection refused', "Is the server up"),
        ("the PostgreSQL database has no users, and jupyterhub.sqlite in the hub's volume has", "fab move-database"),
        ("the PostgreSQL database that the secret names now has no users, and the hub's own has", "Set the secret back"),
    ],
    ids=["a server", "a move that was forgotten", "another server"],
)
def test_what_a_server_says_comes_with_what_helps(host: FakeHost, said: str, remedy: str) -> None:
    """In a line."""
    host.engine.answers |= {"GET /containers/once/logs": [said], "POST /containers/once/wait": {"StatusCode": 1}}
    with pytest.raises(StepError, match="cannot move the hub's database: ") as told:
        apply(database.move(ON_SERVER, "out", MANAGER), host)
    assert (said in told.value.cause, remedy in told.value.remedy) == (True, True)
