"""What a deploy does with people, before it replaces the hub that knows them."""

from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from hub.shared.people.listed import Listed
from hub.shared.people.userlist import parse
from swarmhub.errors import StepError
from swarmhub.people import api, plans, users
from swarmhub.run.run import Run
from swarmhub.status import shell
from swarmhub.status.shell import ContainerLocation
from tests.unit.support.cluster import Hosts
from tests.unit.support.fakes import MANAGER

BOTH = "ada admin\ngrace\n"


class Hub:
    """A hub that knows Ada and Grace."""

    def users(self) -> list[Any]:
        return [{"name": "ada", "admin": True}, {"name": "grace", "admin": False}]


@pytest.fixture
def run(hosts: Hosts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a run on the deployed cluster, whose hub has a list of Ada and Grace; that of the settings names Ada only."""
    made = Run(Context(Config(overrides={"swarmhub_hosts": []})))
    made.__dict__["hosts"] = hosts
    monkeypatch.setattr(api, "connect", lambda _: Hub())
    monkeypatch.setattr(shell, "of_hub", lambda *_: ContainerLocation(MANAGER, "hub-1"))
    keep(monkeypatch, image=BOTH)
    service = hosts[MANAGER].engine.answers["GET /services/jupyterhub"]
    service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = "jupyterhub:of-before"
    return made


def keep(monkeypatch: pytest.MonkeyPatch, *, image: str, current: str = BOTH) -> None:
    """Let the hub keep lists: that of its image at the last start, and that in force."""
    names, _ = parse(current)
    monkeypatch.setattr(users, "read", lambda *_: Listed(names, names, image=image))


def test_a_newer_list_of_the_image_is_put_into_force_by_the_hub_that_runs(run: Run) -> None:
    """It can stop the servers of whom it removes; the next could not."""
    assert [change.sentence for change in plans.before_service(run).changes] == [
        f"send the userlist to the hub on {MANAGER}",
        f"remove grace from the hub on {MANAGER}",
        f"record that the hub has this userlist on {MANAGER}",
    ]


def test_who_is_new_is_added_by_the_next_hub(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts with them; of thousands, this one would be busy for a minute."""
    keep(monkeypatch, image="root admin\n", current="root admin\n")
    monkeypatch.setattr(Hub, "users", lambda _: [])
    assert [change.verb for change in plans.before_service(run).changes] == ["send", "record"]
    assert [change.verb for change in plans.sync(run)[0].changes] == ["send", "add", "record"]


def test_a_list_that_was_sent_stays_while_the_image_brings_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else has sent one; the list here is as old as the hub's image."""
    keep(monkeypatch, image="ada admin\n", current=BOTH)
    assert plans.before_service(run).changes == ()


def test_nothing_is_asked_where_the_hub_stays(run: Run, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most deploys have nothing to do, and are to be quick."""
    from swarmhub.images.hub import build

    monkeypatch.setattr(users, "read", lambda *_: pytest.fail("the hub was asked"))
    container = hosts[MANAGER].engine.answers["GET /services/jupyterhub"]["Spec"]["TaskTemplate"]["ContainerSpec"]
    container["Image"] = build.desired(run.settings).tag
    assert plans.before_service(run).changes == ()


def test_a_hub_that_does_not_answer_does_not_stand_in_the_way(run: Run, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deploy is to bring one that does, and that finds the list on its volume; one that was removed has left its volume."""

    def refuse(_: Run) -> Any:
        raise StepError(MANAGER, "the hub does not answer", "Does it run?")

    monkeypatch.setattr(api, "connect", refuse)
    expected = [f"send the userlist to the volume jupyterhub-data on {MANAGER}"]
    assert [change.sentence for change in plans.before_service(run).changes] == expected
    del hosts[MANAGER].engine.answers["GET /services/jupyterhub"]
    run.look.forget()
    assert [change.sentence for change in plans.before_service(run).changes] == expected
