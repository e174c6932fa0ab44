"""The hub's start waits for the Docker Engine."""

from collections.abc import Callable
from typing import Any

import docker
import pytest
from docker.errors import APIError, DockerException

from hub import engine
from tests.unit.fakes import Clock


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


def test_an_engine_that_answers_is_not_waited_for(waiting: Waiting, capsys: pytest.CaptureFixture[str]) -> None:
    """With a working engine the hub starts at once, and nothing is said."""
    clock, _ = waiting([])
    assert (clock.slept, capsys.readouterr().err) == ([], "")


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
    """The hub's log has one line on it, however long the wait."""
    waiting(*SILENT[2:], *SILENT[2:], [])
    assert capsys.readouterr().err == "the Docker Engine does not answer; waiting for it before the hub starts\n"


def test_every_client_is_closed(waiting: Waiting) -> None:
    """A long wait leaves no connections open."""
    _, made = waiting(SILENT[2], SILENT[3], [])
    assert [client.is_closed for client in made] == [True, True, True]
