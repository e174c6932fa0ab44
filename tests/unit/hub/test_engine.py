"""The hub's start: it waits for the Docker Engine, and makes what the servers are given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.errors import APIError, DockerException

from hub import engine
from hub.shared.servers.spec import CONFIG_FILES, NOTEBOOK
from tests.unit.support.fakes import Clock


class Client:
    """A client of an engine whose list of services is `answer`."""

    made: list["Client"]

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.is_closed = False

    def services(self, filters: dict[str, str]) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Clock, list[Client]]]:
    """Return what lets the engine answer in turn while the hub waits for it."""

    def wait(*answers: Any, at_connect: int = 0) -> tuple[Clock, list[Client]]:
        left, made, clock = list(answers), [], Clock()

        def connect(**options: object) -> Client:
            answer = left.pop(0)
            if len(answers) - len(left) <= at_connect:
                raise answer
            made.append(Client(answer))
            return made[-1]

        monkeypatch.setattr(docker, "APIClient", connect)
        monkeypatch.setattr(engine, "time", clock)
        engine.wait_until_it_answers()
        return clock, made

    return wait


Waiting = Callable[..., tuple[Clock, list[Client]]]


SILENT = [
    DockerException("Error while fetching server API version"),
    APIError("This node is not a swarm manager"),
    ConnectionResetError("Connection reset by peer"),
    TimeoutError("timed out"),
]


@pytest.mark.parametrize("error", SILENT, ids=lambda error: type(error).__name__)
def test_an_engine_that_cannot_list_services_is_waited_for(waiting: Waiting, error: Exception) -> None:
    """No engine, no quorum, a broken connection: each is asked again until services can be listed."""
    clock, _ = waiting(error, error, [])
    assert len(clock.slept) == 2


def test_an_engine_that_is_not_there_is_waited_for(waiting: Waiting) -> None:
    """A client that cannot even be made is made anew."""
    clock, _ = waiting(DockerException("no socket"), [], at_connect=1)
    assert len(clock.slept) == 1


def test_it_is_said_once_why_the_hub_does_not_start(waiting: Waiting, capsys: pytest.CaptureFixture[str]) -> None:
    """One line in the hub's log, however long the wait, and every client closed; none where the engine answers at once."""
    clock, _ = waiting([])
    assert (clock.slept, capsys.readouterr().err) == ([], "")
    _, made = waiting(*SILENT[2:], *SILENT[2:], [])
    assert capsys.readouterr().err == "the Docker Engine does not answer; waiting for it before the hub starts\n"
    assert [client.is_closed for client in made] == [True] * 5


class Configs:
    """A client of an engine that keeps Swarm configs."""

    def __init__(self, *kept: str, refuses: int = 0) -> None:
        self.kept = dict.fromkeys(kept, b"")
        self.labels: dict[str, dict[str, str]] = {}
        self.refuses = refuses
        self.is_closed = False

    def create_config(self, name: str, data: bytes, labels: dict[str, str]) -> None:
        status = self.refuses or (409 if name in self.kept else 0)
        if status:
            response = requests.Response()
            response.status_code = status
            raise APIError("refused", response=response)
        self.kept[name], self.labels[name] = data, labels

    def configs(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        return [{"ID": f"id-of-{name}", "Spec": {"Name": name}} for name in self.kept if name.startswith(filters["name"])]

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the first of the files that every server is given."""
    for name in CONFIG_FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    return tmp_path / CONFIG_FILES[0]


def ensured(monkeypatch: pytest.MonkeyPatch, client: Configs, file: Path) -> list[Any]:
    """Return the references to the configs that the engine of this client then has."""
    monkeypatch.setattr(docker, "APIClient", lambda **_: client)
    return engine.ensure_configs("jupyterhub", file.parent)


def test_what_servers_are_given_is_kept_in_the_swarm(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """Each file becomes a Swarm config of the service, and is mounted under its own name where Jupyter looks."""
    client = Configs()
    references = ensured(monkeypatch, client, file)
    assert [client.kept[one["ConfigName"]] for one in references] == [f"{name}\n".encode() for name in CONFIG_FILES]
    assert [one["File"]["Name"] for one in references] == [f"/etc/swarmhub/{name}" for name in CONFIG_FILES]
    name = references[0]["ConfigName"]
    assert (references[0]["ConfigID"], client.labels[name]) == (f"id-of-{name}", {"swarmhub.service": "jupyterhub"})


def test_every_file_that_servers_are_given_is_in_the_hubs_image() -> None:
    """And there is no other in that folder, which no server would get."""
    there = {str(one.relative_to(NOTEBOOK)) for one in NOTEBOOK.rglob("*") if one.is_file() and "__pycache__" not in one.parts}
    assert there == {*CONFIG_FILES}


def test_a_config_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """A hub that starts again finds the config it made, and not one whose name only begins so."""
    name = ensured(monkeypatch, Configs(), file)[0]["ConfigName"]
    again = ensured(monkeypatch, Configs(f"{name}-longer", name), file)[0]
    assert again["ConfigID"] == f"id-of-{name}"


def test_another_content_is_another_config(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """Swarm configs cannot be changed: what changes is the name."""
    before = ensured(monkeypatch, Configs(), file)
    file.write_text("c.x = 2\n")
    after = ensured(monkeypatch, Configs(), file)
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, True, True]


def test_an_engine_that_refuses_the_config_ends_the_start(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """Servers without what they need are not started: the error is raised, and the connection closed."""
    client = Configs(refuses=503)
    with pytest.raises(APIError):
        ensured(monkeypatch, client, file)
    assert client.is_closed
