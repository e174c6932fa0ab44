"""What of the swarm belongs into a backup."""

import json

import pytest

from swarmhub.backup import contents
from swarmhub.backup.contents import SavedHome
from swarmhub.inside.schedule import facts
from swarmhub.inside.schedule.facts import Missing
from tests.unit.inside.schedule.cluster import DOMAIN, HUB, MANAGER, WORKER, FakeEngine, schedule


def files(engine: FakeEngine) -> dict[str, bytes]:
    """Return what is saved besides the hub's data."""
    return facts.files(engine, HUB, "RUN", DOMAIN, schedule()["hosts"])


def test_a_restore_learns_what_it_has_to_know() -> None:
    """Which host had which home, by their names in hosts.toml, and who was away; as of a backup by hand."""
    told = json.loads(files(FakeEngine(MANAGER))["backup/cluster.json"])
    homes = [SavedHome(**one) for one in told["homes"]]
    assert homes == [
        SavedHome(f"{HUB}-home-ada", "ada", "swarm-manager1"),
        SavedHome(f"{HUB}-home-grace", "grace", "swarm-worker1"),
    ]
    assert (told["silent"], told["release"], told["images"]["hub"]) == (["swarm-worker1"], 4, "jupyterhub:1")
    assert (told["run"], told["hub"], told["domain"]) == ("RUN", HUB, DOMAIN)


def test_the_settings_are_those_of_the_last_deploy() -> None:
    """With what the hub's image is made of, under the names that a backup by hand has."""
    found = files(FakeEngine(MANAGER))
    assert found[f"backup/{contents.SETTINGS}"] == b"new"
    assert found[f"backup/{contents.OF_HUB}/app.py"] == b"code"
    assert json.loads(found[f"backup/{contents.RELEASES}"])[0]["number"] == 4


def test_a_node_without_a_name_goes_by_its_own() -> None:
    """One that has joined since the last deploy."""
    told = json.loads(facts.files(FakeEngine(MANAGER), HUB, "RUN", DOMAIN, {})["backup/cluster.json"])
    assert {one["host"] for one in told["homes"]} == {f"host-{MANAGER}", f"host-{WORKER}"}


def test_a_node_that_has_not_described_itself_goes_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has just joined, and has no home yet: the backup is made all the same."""
    engine, ask = FakeEngine(MANAGER), FakeEngine.get
    new = {"ID": "n9", "Description": {}, "Status": {"State": "unknown"}}
    monkeypatch.setattr(engine, "get", lambda path, **more: ask(engine, path, **more) + ([new] if path == "/nodes" else []))
    told = json.loads(files(engine)["backup/cluster.json"])
    assert (told["silent"], len(told["homes"])) == (["swarm-worker1"], 2)


def test_settings_that_are_gone_are_told() -> None:
    """A backup without them would be taken for a whole one."""
    engine = FakeEngine(MANAGER)
    engine.configs = {name: one for name, one in engine.configs.items() if not name.startswith("left")}
    with pytest.raises(Missing):
        files(engine)
