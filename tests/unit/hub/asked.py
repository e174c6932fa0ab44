"""What the units of the hub share: an engine in memory, as docker-py's client answers, and tables of hosts.toml."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError

from swarmhub.settings import handed
from tests.unit.support.fakes import NOTEBOOK, settings

IMAGE = f"quay.io/jupyter/base-notebook@sha256:{'a1b2c3d4e5f6' * 5}abcd"


def tables(**given: Any) -> dict[str, Any]:
    """Return the tables that a hub is handed for these of hosts.toml."""
    chosen = settings(**given)
    found: dict[str, Any] = json.loads(handed.document(chosen, dict.fromkeys(chosen.images, IMAGE) | {NOTEBOOK: IMAGE}))
    return found


def refused(status: int, text: str = "no") -> APIError:
    """Return the error that an engine answers with a status."""
    answer = type("Answer", (), {"status_code": status, "reason": text, "url": "/"})()
    return APIError(text, response=answer, explanation=text)


def task(state: str, error: str = "", *, code: int = 0, **more: Any) -> dict[str, Any]:
    """Return a task; a node is given where Swarm has placed it."""
    ended = state in ("failed", "rejected", "complete", "shutdown")
    status = {"State": state, "Err": error, "ContainerStatus": {"ExitCode": code}}
    node = "" if state in ("new", "pending") else "n1"
    wanted = "shutdown" if ended else "running"
    values = {"ServiceID": "s1", "NodeID": node, "DesiredState": wanted, "CreatedAt": "2026-11-25T09:00:00Z"}
    return {"Status": status, **values, **more}


@dataclass
class Docker:
    """An engine that answers by the names of docker-py's methods: a value, an error, or a list of them in turn."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((method, args, kwargs))
        answer = self.answers[method]
        if isinstance(answer, Turns):
            answer = answer.next()
        if isinstance(answer, Exception):
            raise answer
        return answer(*args, **kwargs) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]

    @property
    def methods(self) -> list[str]:
        """Return what was asked, in order."""
        return [method for method, _, _ in self.calls]


@dataclass
class Turns:
    """Answers in turn; the last one stays."""

    left: list[Any]

    def next(self) -> Any:
        """Return the next answer."""
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]
