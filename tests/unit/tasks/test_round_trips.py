"""How often a deploy with nothing to do waits for an answer: what a far cluster makes it take."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from swarmhub import parallel
from swarmhub.certificate import https
from swarmhub.host import Output
from swarmhub.run import look
from swarmhub.run.look import Look
from swarmhub.ssh.connection import COMMANDS
from swarmhub.ssh.docker.channels import FAR
from tests.unit.support.cluster import Hosts, Type
from tests.unit.support.fakes import MANAGER, FakeEngine, FakeHost, Request

# TCP, SSH's versions with what each side can do, the key exchange, the service request, the login.
HANDSHAKE = 5
# A host's first channel is opened, given its program, and asked for the engine's version; the others are opened meanwhile.
READY = 3
# A command's channel is opened, and answers with what it printed and its exit code.
COMMAND = 2
BUDGET = 12


@dataclass
class Trips:
    """The time, in round trips; of what is done at once, the longest counts."""

    now: int = 0
    engines: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [HANDSHAKE + READY] * FAR))
    commands: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [HANDSHAKE] * COMMANDS))

    def take(self, channels: list[int], trips: int) -> None:
        """Wait for the channel that is free first, and for its answer."""
        free = min(range(len(channels)), key=channels.__getitem__)
        self.now = channels[free] = max(self.now, channels[free]) + trips

    def at_once(self, jobs: Sequence[Callable[[], Any]], most: int = 0) -> list[Any]:
        """Stand in for `parallel.at_once`: one after the other, each from the same time on."""
        began, ends, answers = self.now, [self.now], []
        for job in jobs:
            self.now = began
            try:
                answers.append(job())
            except Exception as error:
                answers.append(error)
            ends.append(self.now)
        self.now = max(ends)
        return answers


@pytest.fixture
def trips(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Trips:
    """Return the trips that the hosts' answers take; the lock of an earlier test may still be renewed, on that test's hosts."""
    made, ask, run, once = Trips(), FakeEngine._answer, FakeHost.run, Look._once
    known: dict[object, int] = {}

    def answer(engine: FakeEngine, request: Request) -> Any:
        if any(engine is host.engine for host in hosts.values()):
            made.take(made.engines[engine.host], 1)
        return ask(engine, request)

    def command(host: FakeHost, *argv: str) -> Output:
        if any(host is one for one in hosts.values()):
            made.take(made.commands[host.name], COMMAND)
        return run(host, *argv)

    def remembered(self: Look, question: object, ask: Callable[[], Any]) -> Any:
        found = once(self, question, ask)
        made.now = max(made.now, known.setdefault(question, made.now))
        return found

    monkeypatch.setattr(FakeEngine, "_answer", answer)
    monkeypatch.setattr(FakeHost, "run", command)
    monkeypatch.setattr(Look, "_once", remembered)
    monkeypatch.setattr(parallel, "at_once", made.at_once)
    monkeypatch.setattr(look, "at_once", made.at_once)
    monkeypatch.setattr(https, "get", lambda *_, **__: (200, "{}"))
    return made


def test_a_deploy_with_nothing_to_do_waits_for_few_answers_in_a_row(type_: Type, hosts: Hosts, trips: Trips) -> None:
    """With 80 ms to every node, each of them is felt."""
    manager = hosts[MANAGER].engine
    services = [one for call, one in manager.answers.items() if call.startswith("GET /services/")]
    manager.answers["GET /services"] = services
    type_("deploy")
    assert HANDSHAKE + READY < trips.now <= BUDGET


def test_after_the_look_a_deploy_with_nothing_to_do_asks_nothing(type_: Type, hosts: Hosts, trips: Trips) -> None:
    """What the one look has seen holds until something has changed; even that the services run."""
    manager = hosts[MANAGER].engine
    manager.answers["GET /services"] = [one for call, one in manager.answers.items() if call.startswith("GET /services/")]
    type_("nodes")
    asked = {name: (len(host.engine.requests), len(host.ran)) for name, host in hosts.items()}
    type_("deploy")
    assert {name: (len(host.engine.requests), len(host.ran)) for name, host in hosts.items()} == asked
