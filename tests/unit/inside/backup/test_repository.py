"""The repository that backups are in."""

from tests.unit.inside.backup.container import Container


def test_a_repository_is_made_once(container: Container) -> None:
    """The first backup makes it; who only reads is told that there is none."""
    assert container.do("open", make=True) == {"answer": {"made": False}}
    missing = container.do("open", repository=str(container.root / "other"))
    assert (missing["kind"], missing["failed"].startswith("repository does not exist")) == ("missing", True)
