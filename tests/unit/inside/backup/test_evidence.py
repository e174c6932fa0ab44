"""What drills have shown."""

from swarmhub.inside.backup import evidence, places
from tests.unit.inside.backup.container import Container


def test_the_evidence_of_drills_is_kept(container: Container) -> None:
    """The last ones; a file that is none is begun again."""
    places.EVIDENCE.mkdir()
    (places.EVIDENCE / "drills.json").write_text("no JSON")
    for number in range(evidence.KEPT + 1):
        container.do("keep-evidence", evidence={"number": number})
    assert [one["number"] for one in evidence.known()] == list(range(1, evidence.KEPT + 1))
