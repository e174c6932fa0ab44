"""The repository that backups are in."""

from tests.unit.inside.backup.container import Container


def test_a_repository_is_made_once(container: Container) -> None:
    """The first backup makes it; who only reads is told that there is none."""
    assert container.do("open", make=True) == {"answer": {"made": False}}
    missing = container.do("open", repository=str(container.root / "other"))
    assert (missing["kind"], missing["failed"].startswith("repository does not exist")) == ("missing", True)


def test_snapshots_of_each_part_are_thinned_out(container: Container) -> None:
    """And what only they had goes, too."""
    done = container.do("forget", tag="swarmhub:jupyterhub", keep={"daily": 7})
    assert (done, (container.root / "repository" / "pruned").exists()) == ({"answer": {"removed": 2}}, True)
