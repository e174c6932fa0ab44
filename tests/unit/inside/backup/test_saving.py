"""What is saved, and what a backup says of it."""

import json
import stat

from swarmhub.inside.backup import places
from tests.unit.inside.backup.container import Container


def test_a_backup_says_what_it_saves(container: Container) -> None:
    """How far it is on the way, what was new, and what could not be read; the secrets are for nobody else."""
    done = container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")
    answer = done["answer"]
    assert container.said == [{"done": 5, "total": 10}]
    assert (answer["bytes"], answer["added"], answer["unread"]) == (10, 4, ["/x: gone"])
    assert {stat.S_IMODE(one.stat().st_mode) for one in places.SECRETS.iterdir() if one.name != "said"} == {0o600}


def test_the_manifest_has_sums_and_numbers_of_rows(container: Container) -> None:
    """Of the copy that SQLite has made, which is whole."""
    snapshot = container.save_hub()
    found = json.loads(
        container.do("read", snapshot=snapshot, names=["../backup/manifest.json"])["answer"]["../backup/manifest.json"]
    )
    assert found["database"]["rows"]["users"] == 3
    assert (found["database"]["schema"], found["database"]["integrity"]) == ("4621fec11365", "ok")
    assert {"cluster.json", "jupyterhub.sqlite", "data/jupyterhub_cookie_secret"} <= found["files"].keys()
    assert found["restic"] == "restic 0.18.0"


def test_a_damaged_database_is_not_saved(container: Container) -> None:
    """A backup of it would be taken for a good one."""
    (places.DATA / "jupyterhub.sqlite").write_bytes(b"no database at all, and long enough to be read as one" * 50)
    done = container.do("save", is_hub=True, paths=[str(places.STAGE)], tags=["a:b"], node="m")
    assert (done["kind"], "the hub's database" in done["failed"]) == ("database", True)
