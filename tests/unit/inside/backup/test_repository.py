"""The repository that backups are in."""

import json

from tests.unit.inside.backup.container import Container


def test_a_repository_is_made_once(container: Container) -> None:
    """The first backup makes it; who only reads is told that there is none."""
    assert container.do("open", make=True) == {"answer": {"made": False}}
    missing = container.do("open", repository=str(container.root / "other"))
    assert (missing["kind"], missing["failed"].startswith("repository does not exist")) == ("missing", True)


def test_without_a_snapshot_of_the_hub_those_of_others_are_told(container: Container) -> None:
    """By their tags; where there is one of the hub, nobody asks for them."""
    container.do("open", make=True)
    for name in ("b", "a"):
        one = {"id": name, "time": "2026-11-29T21:00:00Z", "hostname": "m", "tags": [f"swarmhub:{name}"], "paths": []}
        (container.root / "repository" / f"{name}.json").write_text(json.dumps(one))
    told = {name: container.do("list", tag=f"swarmhub:{name}")["answer"] for name in ("a", "c")}
    assert ([one["id"] for one in told["a"]["snapshots"]], told["a"]["others"]) == (["a"], [])
    assert (told["c"]["snapshots"], told["c"]["others"]) == ([], [["swarmhub:a"], ["swarmhub:b"]])


def test_snapshots_of_each_part_are_thinned_out(container: Container) -> None:
    """And what only they had goes, too."""
    done = container.do("forget", tag="swarmhub:jupyterhub", keep={"daily": 7})
    assert (done, (container.root / "repository" / "pruned").exists()) == ({"answer": {"removed": 2}}, True)
