"""The way back: what ran before runs again, with its database if that is asked for."""

import re

from tests.lab.going_back import WORKER, WayBack, releases
from tests.lab.support import Lab


def test_a_deploy_makes_a_release_and_copies_the_database(way_back: WayBack) -> None:
    """The copy is read by its owner only."""
    assert way_back.release_there["hub_image"] != way_back.release["hub_image"]
    assert way_back.access == "600"


def test_a_database_whose_schema_has_moved_on_is_not_left_behind(way_back: WayBack) -> None:
    """Rollback refuses it, and names the flag that takes the database back, too."""
    assert (way_back.refused.code, way_back.refused.err.count("\n")) == (1, 1)
    assert re.search(r"schema has moved on since release \d+ \(from older to \w+\)", way_back.refused.err)
    assert "--with-database" in way_back.refused.err


def test_what_ran_before_runs_again_with_its_database(way_back: WayBack) -> None:
    """With the image that it had, and with its users: without those who were removed, and with whom the userlist in force
    names. That is a release of its own, and nothing is left to change.
    """
    assert f"restore the hub's database from jupyterhub_backups: {way_back.release_there['copy']}" in way_back.back.out
    assert way_back.after.users.keys() == way_back.before.users.keys() - {"grace", "mallory"} | {"lovelace"}
    assert way_back.release["hub_image"] in way_back.after.spec
    assert way_back.last["number"] == way_back.release_there["number"] + 1
    assert way_back.left.code == 0, way_back.left.text


def test_labels_follow_the_hub_that_runs(way_back: WayBack) -> None:
    """The label of a profile's image that is not wanted any more goes after the update; the way back brings it before."""
    gone = f"unlabel {WORKER} (not wanted any more)"
    there, back = way_back.deployed.out, way_back.back.out
    assert there.rindex("update service") < there.rindex(gone)
    assert len(way_back.there.labels) == len(way_back.before.labels) - 1
    assert back.rindex(f"label {WORKER} (its images are there)") < back.rindex("update service")
    assert way_back.after.labels == way_back.before.labels


def test_unknown_release_is_refused(deployed: Lab) -> None:
    """A number that no release has: one line with the numbers that there are."""
    done = deployed.fab("rollback", "--release", "9999")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"there is no release 9999; known: {releases(deployed)[0]['number']}" in done.err
