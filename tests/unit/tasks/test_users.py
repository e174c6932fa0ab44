"""The people's tasks as they are typed, on a cluster in memory."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from hub.shared.people import listed
from swarmhub.host import Host, Output
from swarmhub.images import restic
from swarmhub.notebooks import files
from swarmhub.notebooks.files import Content
from swarmhub.people import api
from swarmhub.settings import load
from swarmhub.status import shell
from swarmhub.status.shell import ContainerLocation
from tests.unit.backup.answers import answering, jobs
from tests.unit.support.cluster import Hosts, Type, changes
from tests.unit.support.fakes import DOMAIN, MANAGER, WORKER1, home_volume


class Hub:
    """A hub that knows Ada and Grace, who is no longer on the list; what it is asked to do it does."""

    host = DOMAIN

    def __init__(self) -> None:
        self.known: dict[str, Any] = {name: {"name": name, "admin": name == "ada", "servers": {}} for name in ("ada", "grace")}

    def last_seen(self, **days: int) -> None:
        """Let people have been seen last so many days ago."""
        for name, ago in days.items():
            self.known[name]["last_activity"] = (datetime.now(UTC) - timedelta(days=ago)).isoformat()

    def users(self) -> list[Any]:
        return list(self.known.values())

    def find(self, path: str) -> Any:
        return self.known.get(path.removeprefix("users/"))

    def delete(self, path: str) -> None:
        del self.known[path.removeprefix("users/")]

    def post(self, path: str, body: Any) -> None:
        self.known |= {name: {"name": name} for name in body["usernames"]}


@pytest.fixture
def hub(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Return a hub that runs with a list of Ada and Grace."""
    manager = hosts[MANAGER]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in (listed.CURRENT, listed.LET_IN):
            text = b"ada admin\ngrace\n"
            entry = tarfile.TarInfo(f"access/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    manager.engine.answers["GET /containers/hub-1/archive"] = [packed.getvalue()]
    for name in (listed.CURRENT, listed.LET_IN, listed.DELETED):
        manager.commands[f"docker exec hub-1 mv -f /data/access/{name}.new /data/access/{name}"] = Output(0, "", "")
    made = Hub()
    monkeypatch.setattr(api, "connect", lambda _: made)
    monkeypatch.setattr(shell, "of_hub", lambda *_: ContainerLocation(MANAGER, "hub-1"))
    return made


def test_everybody_is_listed(type_: Type, hosts: Hosts, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """And that the userlist here is another; nothing is changed; machines get JSON and nothing else."""
    type_("users")
    said = capsys.readouterr().out
    assert said.splitlines()[:3] == [
        "NAME   ADMIN  FROM      LAST SEEN  SERVERS",
        "ada    admin  userlist  never",
        "grace         userlist  never",
    ]
    assert ("fab users-sync" in said, changes(hosts)) == (True, [])
    type_("users", json=True)
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["ada", "grace"]


def test_whom_a_sync_removes_is_asked_first(type_: Type, hosts: Hosts, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, below the plan; where nobody answers, nothing is done; --yes is an answer."""
    with pytest.raises(Exit, match="Remove grace") as asked:
        type_("users-sync")
    assert (asked.value.code, "remove grace from the hub" in capsys.readouterr().out) == (2, True)
    assert (set(hub.known), changes(hosts)) == ({"ada", "grace"}, [])
    type_("users-sync", yes=True)
    assert set(hub.known) == {"ada"}


def test_nobody_is_asked_where_people_only_come(type_: Type, folder: Path, hub: Hub) -> None:
    """It costs nobody anything."""
    (folder / "users").write_text("ada admin\ngrace\nlinus\n")
    type_("users-sync")
    assert set(hub.known) == {"ada", "grace", "linus"}


def test_a_userlist_with_mistakes_changes_nothing(type_: Type, hosts: Hosts, folder: Path, hub: Hub) -> None:
    """It is told with its lines, before anything is asked."""
    (folder / "users").write_text("ada admin\na b c\n")
    with pytest.raises(Exit, match="users:2: 'a b c'") as wrong:
        type_("users-sync", yes=True)
    assert (wrong.value.code, hosts[MANAGER].engine.requests) == (2, [])


@pytest.fixture
def away(hosts: Hosts, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Let Ada be away for a year; she and Grace have homes on the first worker, and an earlier backup has Ada's."""
    hub.last_seen(ada=365, grace=2)
    hosts[MANAGER].engine.answers["GET /info"]["SystemTime"] = datetime.now(UTC).isoformat()
    file = folder / "hosts.toml"
    file.write_text(f'{file.read_text()}\n[backup]\nrepository = "/mnt/backup"\n')
    monkeypatch.setenv("BACKUP_PASSWORD", "hush-hush")
    tag = restic.recipe(load(file)).tag
    for host in hosts.values():
        host.engine.answers |= {f"GET /images/{tag}/json": {"Id": "sha256:restic"}, "GET /volumes": {"Volumes": []}}
    hosts[WORKER1].engine.answers["GET /volumes"] = {"Volumes": [home_volume("ada"), home_volume("grace")]}
    monkeypatch.setattr(files, "count", count)
    tags = ["swarmhub:jupyterhub", "run:20261129-210000"]
    snapshot = {"time": "2026-11-29T21:00:00Z", "summary": {}}
    listed = [
        {**snapshot, "id": "hub", "hostname": MANAGER, "tags": [*tags, "part:hub"]},
        {**snapshot, "id": "homes", "hostname": WORKER1, "tags": [*tags, "part:homes"]},
    ]
    facts = json.dumps({"homes": [{"name": "jupyterhub-home-ada", "user": "ada", "host": WORKER1}]})
    asked: list[dict[str, Any]] = [{"answer": {"snapshots": listed, "damaged": 0}}, {"answer": {"cluster.json": facts}}]
    hosts[MANAGER].engine.answers |= answering(*asked, *asked)
    saved = {"snapshot": "s", "files": 3, "bytes": 2000, "added": 500, "seconds": 1.5, "unread": []}
    hosts[WORKER1].engine.answers |= answering({"answer": saved})
    return hosts


def count(host: Host, image: str, mounts: list[Any], names: list[str]) -> dict[str, Content]:
    """Count three files in every home, none of which was touched for years."""
    return dict.fromkeys(names, Content(3, 2000, 0))


def test_the_homes_of_those_who_are_away_are_listed(type_: Type, away: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """With node, size and the last backup; nothing is changed, and machines get the same."""
    type_("users", away="180d")
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].split() == ["ada", "365", "d", "ago", "jupyterhub-home-ada", WORKER1, "2", "kB", "2026-11-29", "-"]
    assert (len(shown), jobs(away[WORKER1]), away[WORKER1].engine.asked("DELETE")) == (2, [], [])
    type_("users", away="180d", json=True)
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["saved"][:10], found["archived"]) == ("ada", "2026-11-29", None)
    type_("users", away="400d")
    assert "nobody who was not seen for 400d has a home" in capsys.readouterr().out


def test_who_is_away_goes_by_the_managers_clock(type_: Type, away: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """So does the hub. By that of this machine, which may be a year ahead, everybody would be away."""
    away[MANAGER].engine.answers["GET /info"]["SystemTime"] = (datetime.now(UTC) - timedelta(days=300)).isoformat()
    type_("users", away="180d", free=True, yes=True)
    assert "nobody who was not seen for 180d has a home" in capsys.readouterr().out
    assert jobs(away[WORKER1]) == []


def test_homes_are_freed_when_somebody_says_so(type_: Type, away: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan comes first; then each is saved where it is, and removed."""
    with pytest.raises(Exit, match="Then 1 home will be in the archive only"):
        type_("users", away="180d", free=True)
    assert f"save and free the home of ada, 2.0 kB, to the repository on {WORKER1}" in capsys.readouterr().out
    assert (jobs(away[WORKER1]), away[WORKER1].engine.asked("DELETE")) == ([], [])
    type_("users", away="180d", free=True, yes=True)
    assert [one["action"] for one in jobs(away[WORKER1])] == ["archive"]
    assert "DELETE /volumes/jupyterhub-home-ada" in away[WORKER1].engine.asked()
    assert "DELETE /volumes/jupyterhub-home-grace" not in away[WORKER1].engine.asked()


def test_homes_may_be_archived_and_stay(type_: Type, away: Hosts) -> None:
    """Nobody is asked: nothing is lost."""
    type_("users", away="180d", archive=True)
    assert [one["action"] for one in jobs(away[WORKER1])] == ["archive"]
    assert away[WORKER1].engine.asked("DELETE /volumes") == []


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"free": True}, "say for how long: --away 180d"),
        ({"away": "long"}, "long.* is no length of time"),
        ({"away": "9d", "free": True, "json": True}, "--json only lists"),
    ],
)
def test_what_makes_no_sense_is_refused(type_: Type, hosts: Hosts, typed: dict[str, Any], wrong: str) -> None:
    """Before anything is asked."""
    with pytest.raises(Exit, match=wrong) as refused:
        type_("users", **typed)
    assert (refused.value.code, hosts[MANAGER].engine.requests) == (2, [])


def test_a_ctrl_c_frees_nothing_and_leaves_no_container(type_: Type, away: Hosts) -> None:
    """Though a thread waits for it."""
    away[WORKER1].engine.answers |= {
        "POST /containers/once/start": KeyboardInterrupt(),
        "GET /containers/json": [{"Id": "left", "Labels": {}, "Created": 0}],
    }
    with pytest.raises(Exit, match="interrupted"):
        type_("users", away="180d", free=True, yes=True)
    assert "DELETE /containers/left" in away[WORKER1].engine.asked()
    assert away[WORKER1].engine.asked("DELETE /volumes") == []
