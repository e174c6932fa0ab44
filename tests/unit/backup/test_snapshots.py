"""Which backups there are, by what restic lists, and which one is meant."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from swarmhub.backup import snapshots
from swarmhub.backup.snapshots import Backup, Listing, Snapshot
from swarmhub.errors import StepError, UsageError
from tests.unit.backup.answers import answering, repository
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost

SUMMARY = {"total_files_processed": 3, "total_bytes_processed": 2000, "data_added_packed": 500}


def listed(run: str, part: str, host: str, id_: str = "") -> dict[str, Any]:
    """Return a snapshot as restic lists it."""
    return {
        "id": id_ or f"{run}-{part}-{host}",
        "time": f"2026-11-{run[6:8]}T21:00:00.123456789Z",
        "hostname": host,
        "tags": ["swarmhub:jupyterhub", f"run:{run}", f"part:{part}"],
        "paths": ["/homes"],
        "summary": SUMMARY,
    }


WHOLE, HALF = "20261128-210000", "20261129-210000"
LISTED = [
    listed(HALF, "homes", WORKER1),
    listed(WHOLE, "hub", MANAGER),
    listed(WHOLE, "homes", WORKER1),
    {**listed(WHOLE, "hub", MANAGER), "tags": None},
]


def known(snapshots_: Sequence[Any] = LISTED, drills: Sequence[Any] = (), others: Sequence[Sequence[str]] = ()) -> Listing:
    """Return what a repository has."""
    return Listing("sftp:nas:/srv", "jupyterhub", snapshots.read(snapshots_), tuple(drills), tuple(others))


def test_the_snapshots_of_a_run_are_one_backup() -> None:
    """The oldest first; what somebody else has saved there is none."""
    found = snapshots.read(LISTED)
    assert [(one.run, one.hub is not None, [*one.homes]) for one in found] == [
        (WHOLE, True, [WORKER1]),
        (HALF, False, [WORKER1]),
    ]


def test_the_backups_are_shown_the_newest_first() -> None:
    """With what each holds, and what of it was new; one that was cut off says so."""
    rows = snapshots.rows(known())
    assert rows[0] == (HALF, "2026-11-29 21:00:00", "missing", WORKER1, "3", "2.0 kB", "500 bytes", "-")
    assert rows[1] == (WHOLE, "2026-11-28 21:00:00", "yes", WORKER1, "6", "4.0 kB", "1.0 kB", "-")


def test_how_the_last_drill_has_ended_is_shown() -> None:
    """With the backup that was tried."""
    drills = [
        {"backup": WHOLE, "at": f"2026-11-{day}T01:02:03+00:00", "outcome": outcome}
        for day, outcome in ((28, "failed"), (29, "passed"))
    ]
    assert [row[-1] for row in snapshots.rows(known(LISTED, drills))] == ["-", "passed 2026-11-29 01:02"]
    assert [len(one["drills"]) for one in snapshots.values(known(LISTED, drills))] == [2, 0]


def test_the_backups_are_values_for_scripts() -> None:
    """With restic's own ids."""
    found = snapshots.values(known())
    assert found[0]["hub"] == f"{WHOLE}-hub-{MANAGER}"
    assert (found[1]["hub"], found[1]["homes"], found[1]["added"]) == (None, {WORKER1: f"{HALF}-homes-{WORKER1}"}, 500)


def test_the_newest_whole_backup_is_meant() -> None:
    """Unless the beginning of another one's name is typed."""
    assert (snapshots.choose(known(), "").run, snapshots.choose(known(), "20261128").run) == (WHOLE, WHOLE)


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("20261130", "there is no backup 20261130; see what there is: fab backups"),
        ("2026", "2026 is the beginning of 2 backups"),
        (HALF, "has not been brought to its end: the hub is missing in it"),
    ],
)
def test_what_is_no_backup_is_refused(typed: str, wrong: str) -> None:
    """With where to see what there is."""
    with pytest.raises(UsageError, match=wrong):
        snapshots.choose(known(), typed)


def test_without_a_whole_backup_there_is_no_way_back() -> None:
    """One was cut off only."""
    with pytest.raises(UsageError, match="there is no whole backup yet; see what there is: fab backups"):
        snapshots.choose(known(LISTED[:1]), "")


OTHERS = {
    "nothing": ([], "has no backup yet. Make one: fab backup"),
    "somebody's": (
        [[], ["etc"]],
        "has no backup of any hub: its snapshots are somebody else's. Set backup.repository in hosts.toml",
    ),
    "other hubs'": (
        [["swarmhub:b", "part:hub"], ["swarmhub:a"], ["swarmhub:b"], []],
        "has no backup of the hub jupyterhub, but of a, b. "
        "Set backup.repository in hosts.toml to where the backups of jupyterhub are; or hub.service, to the hub",
    ),
}


@pytest.mark.parametrize(("others", "lack"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("typed", ["", "20261130"])
def test_a_repository_without_a_backup_of_this_hub_is_told_with_what_it_has(others: Any, lack: str, typed: str) -> None:
    """And what to set, whichever backup is asked for; `fab backups` would show none."""
    with pytest.raises(UsageError, match=re.escape(f"sftp:nas:/srv {lack}")):
        snapshots.choose(known((), others=others), typed)


def test_a_repository_whose_snapshots_are_all_damaged_is_told_as_such() -> None:
    """An empty list would look as if nothing had ever been saved."""
    host = FakeHost(MANAGER, answering({"answer": {"snapshots": [], "damaged": 2}}))
    with pytest.raises(StepError, match="none of its 2 snapshots can be read"):
        snapshots.observe(host, repository())
    host = FakeHost(MANAGER, answering({"answer": {"snapshots": LISTED, "damaged": 0}}))
    found = snapshots.observe(host, repository())
    assert (len(found.backups), found.lack) == (2, "")
    host = FakeHost(MANAGER, answering({"answer": {"snapshots": [], "damaged": 0, "others": [["swarmhub:other"]]}}))
    assert "has no backup of the hub jupyterhub, but of other" in snapshots.observe(host, repository()).lack


def test_a_node_that_was_away_has_its_homes_in_an_earlier_backup() -> None:
    """All that is lost comes back, if not all of it as of the same night."""

    def made(day: int, **homes: str) -> Backup:
        at = datetime(2026, 11, day, tzinfo=UTC)
        saved = {host: Snapshot(id_, host, at, 0, 0, 0) for host, id_ in homes.items()}
        return Backup(f"202611{day}", Snapshot("h", MANAGER, at, 0, 0, 0), saved)

    made_so_far = (made(27, a="a27", b="b27"), made(28, a="a28"), made(29, a="a29", b="b29"))
    found = snapshots.completed(made_so_far[1], Listing("", "", made_so_far))
    assert {host: one.id for host, one in found.homes.items()} == {"a": "a28", "b": "b27"}
    assert found.earlier == {"b"}
