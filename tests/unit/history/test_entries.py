"""What was done to the cluster: entries that outlive every operator's machine."""

from dataclasses import asdict, replace

import pytest

from swarmhub.engine.swarm import configs
from swarmhub.history import entries
from swarmhub.history.entries import Entry
from swarmhub.host import EngineError
from tests.unit.support.fakes import MANAGER, FakeHost

HUB = "jupyterhub"
ENTRY = Entry(
    "2026-11-15T10:00:00+00:00", 12.5, "ada@desk", "0a1b2c3d", "deploy", ("create network jupyter on swarm-manager1",), "done"
)


def test_an_entry_is_read_as_it_was_written() -> None:
    """Nothing of an entry is lost on the cluster."""
    host = FakeHost()
    entries.write(host, HUB, ENTRY)
    assert entries.observe(host, HUB) == (ENTRY,)


def test_the_newest_entry_comes_first() -> None:
    """Entries are read by the time at which their runs began, whichever was written first."""
    host = FakeHost()
    for second in (5, 1, 3):
        entries.write(host, HUB, replace(ENTRY, began=f"2026-11-15T10:00:0{second}+00:00"))
    assert [entry.began[17:19] for entry in entries.observe(host, HUB)] == ["05", "03", "01"]


def test_two_runs_that_begin_in_one_second_leave_two_entries() -> None:
    """Their names differ all the same."""
    host = FakeHost()
    entries.write(host, HUB, ENTRY)
    entries.write(host, HUB, replace(ENTRY, who="grace@lap"))
    assert {entry.who for entry in entries.observe(host, HUB)} == {"ada@desk", "grace@lap"}


def test_only_the_last_entries_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest one goes when there are too many: Swarm keeps them in every manager's memory."""
    monkeypatch.setattr(entries, "KEPT", 2)
    host = FakeHost()
    for minute in range(4):
        entries.write(host, HUB, replace(ENTRY, began=f"2026-11-15T10:0{minute}:00+00:00"))
    assert [entry.began[14:16] for entry in entries.observe(host, HUB)] == ["03", "02"]


def test_an_old_entry_that_another_run_has_removed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs may end at once: what one of them has cleared away, the other finds gone."""
    monkeypatch.setattr(entries, "KEPT", 1)
    host = FakeHost()
    entries.write(host, HUB, ENTRY)
    host.engine.answers["DELETE /configs/c1"] = EngineError(MANAGER, 404, "config c1 not found")
    entries.write(host, HUB, replace(ENTRY, began="2026-11-15T11:00:00+00:00"))
    assert "DELETE /configs/c1" in host.engine.asked()


def test_an_entry_of_a_newer_version_is_read() -> None:
    """What this version does not know of an entry it leaves out."""
    host = FakeHost()
    configs.create(host, "swarmhub-history-1", {entries.LABEL: "entry"}, asdict(ENTRY) | {"ticket": "OPS-1"})
    assert entries.observe(host, HUB) == (ENTRY,)


def test_other_configs_are_no_entries() -> None:
    """The operator's own Swarm configs are left alone."""
    host = FakeHost()
    configs.create(host, "swarmhub-history-of-mine", {}, {"any": "thing"})
    assert entries.observe(host, HUB) == ()


def test_another_hubs_entries_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are neither shown nor removed; those of an older swarmhub, which does not say whose they are, are everybody's."""
    monkeypatch.setattr(entries, "KEPT", 2)
    host = FakeHost()
    entries.write(host, f"{HUB}-two", ENTRY)
    configs.create(
        host, "swarmhub-history-20251115T100000-aaaaaa", {entries.LABEL: entries.OF_ANY}, asdict(ENTRY) | {"who": "old"}
    )
    entries.write(host, HUB, replace(ENTRY, who="grace@lap"))
    assert [one.who for one in entries.observe(host, HUB)] == ["grace@lap", "old"]
    entries.write(host, HUB, replace(ENTRY, began="2026-11-15T11:00:00+00:00"))
    assert [[one.who for one in entries.observe(host, hub)] for hub in (HUB, f"{HUB}-two")] == [
        ["ada@desk", "grace@lap"],
        ["ada@desk"],
    ]


def test_an_entrys_name_is_one_that_swarm_takes() -> None:
    """Swarm takes letters, digits, hyphens and dots, 64 of them at most."""
    host = FakeHost()
    entries.write(host, HUB, ENTRY)
    (name,) = host.engine.configs.names
    assert (name.startswith("swarmhub-history-20261115T100000-"), name.replace("-", "").isalnum(), len(name) <= 64) == (
        True,
        True,
        True,
    )
