"""What the cluster is told to make backups of."""

import json

import pytest
from pydantic import SecretStr

from swarmhub.backup import contents, schedule
from swarmhub.cluster.nodes import Swarm, SwarmNode
from swarmhub.errors import StepError
from swarmhub.settings import Settings
from tests.unit.backup.answers import PASSWORD, repository
from tests.unit.support.fakes import MANAGER, settings

SWARM = Swarm("c", (SwarmNode("n1", "node1", "manager", "ready", "active", True, label=MANAGER),))
BACKUP = {"repository": "/mnt/backup", "every": "1d", "verify": "7d", "keep": "7d 4w"}


def times(given: Settings) -> dict[str, object]:
    """Return when to save what."""
    found: dict[str, object] = schedule.times(given, repository(), SWARM, "n1", MANAGER)
    return found


def test_it_says_what_a_backup_by_hand_would_save() -> None:
    """With the names that hosts.toml has for the nodes."""
    found = times(settings(backup=BACKUP))
    assert (found["every"], found["verify"], found["keep"]) == (86400, 604800, {"daily": 7, "weekly": 4})
    assert (found["at"], times(settings(backup={**BACKUP, "at": "03:00"}))["at"]) == (0, 10800)
    assert (found["node"], found["hosts"], found["volumes"], found["shared"]) == ("n1", {"n1": MANAGER}, True, [])
    assert found["paths"] == ["/data", "/backup", "/etc/letsencrypt"]
    assert PASSWORD not in json.dumps(found)


def test_homes_by_hand_are_known_by_their_names() -> None:
    """Where home.name is the whole of it."""
    assert times(settings(backup=BACKUP))["by_hand"] == ""
    assert times(settings(backup=BACKUP, home={"name": "work-{username}"}))["by_hand"]


def test_homes_on_a_file_server_are_one_mount() -> None:
    """Which the hub's node reads, and no other; with its marker."""
    given = settings(backup=BACKUP, home={"type": "path", "path": "/mnt/homes"})
    found = times(given)
    assert (found["volumes"], found["shared"]) == (False, [*contents.homes_of(given, {}, [], MANAGER).shared])


def test_homes_that_nobody_reaches_are_refused() -> None:
    """As by a backup by hand; without homes there is nothing to refuse."""
    home = {"driver": "rexray"}
    with pytest.raises(StepError, match="rexray"):
        times(settings(backup=BACKUP, home=home))
    found = times(settings(backup={**BACKUP, "homes": False}, home=home))
    assert (found["volumes"], found["shared"]) == (False, [])


def test_its_containers_are_told_from_an_operators() -> None:
    """What a run clears up, or ends by Ctrl-C, is not theirs."""
    body = times(settings(backup=BACKUP))["body"]
    assert isinstance(body, dict)
    assert body["Labels"] == {"swarmhub": "schedule", "swarmhub.schedule": "jupyterhub"}


def test_what_opens_the_repository_is_a_secret() -> None:
    """It hides itself."""
    found = schedule.opening(repository(), None)
    assert (PASSWORD in found.get_secret_value(), PASSWORD in repr(found)) == (True, False)
    with_server = schedule.opening(repository(), SecretStr("postgresql://hub"))
    assert json.loads(with_server.get_secret_value())["database"] == "postgresql://hub"
