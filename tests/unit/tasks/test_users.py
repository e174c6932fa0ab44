"""The people's tasks as they are typed, on a cluster in memory."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from hub.shared.people import listed
from swarmhub.host import Output
from swarmhub.people import api
from swarmhub.status import shell
from swarmhub.status.shell import ContainerLocation
from tests.unit.support.cluster import Hosts, Type, changes
from tests.unit.support.fakes import DOMAIN, MANAGER


class Hub:
    """A hub that knows Ada and Grace, who is no longer on the list; what it is asked to do it does."""

    host = DOMAIN

    def __init__(self) -> None:
        self.known: dict[str, Any] = {name: {"name": name, "admin": name == "ada", "servers": {}} for name in ("ada", "grace")}

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
