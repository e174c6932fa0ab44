"""Which homes of a class are saved where, and what is asked before."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarmhub.classes import archive
from swarmhub.host import Host
from swarmhub.notebooks import files
from swarmhub.notebooks.files import Content
from swarmhub.notebooks.homes import HomeRecord
from swarmhub.notebooks.leaving import Archive, LeavingHome, LeavingHomes
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2, FakeHost, FakeProgress, settings

HUB = "jupyterhub"
CONTENT = Content(12, 3_400_000)
ADA = LeavingHome("ada", "ada", WORKER1, {}, CONTENT, volume=f"{HUB}-home-ada", record=HomeRecord("c1", "x", "ada", "n2"))
LOST = HomeRecord("c9", f"{HUB}-home-zuse", "zuse", "gone")
TO = Archive("the archive", lambda *_: None)


def planned(found: LeavingHomes, *, keep: bool = False) -> list[str]:
    """Return what is done."""
    stop: Any = (lambda user: None) if found.working else None
    plan = archive.plan(found, settings(), [TO] * len(found.homes), FakeHost(), stop, keep=keep)
    return [change.sentence for change in plan.changes]


def test_servers_stop_then_homes_are_saved_and_freed(progress: FakeProgress) -> None:
    """What is gone is forgotten, so that its user starts anew; homes that are kept are only saved."""
    manager, found = FakeHost(answers={"DELETE /configs/c9": lambda _: None}), LeavingHomes((ADA,), (LOST,), ("ada",))
    assert planned(found) == [
        f"stop ada's server on {MANAGER}",
        f"save and free the home of ada, 3.4 MB, to the archive on {WORKER1}",
        f"forget the home of zuse, which is gone on {MANAGER}",
    ]
    archive.plan(found, settings(), [TO], manager, None, keep=False).changes[-1].apply(manager, progress)
    assert manager.engine.asked() == ["DELETE /configs/c9"]
    assert planned(replace(found, working=()), keep=True) == [f"save the home of ada, 3.4 MB, to the archive on {WORKER1}"]


def test_no_archive_is_written_over(tmp_path: Path) -> None:
    """Neither an earlier one, nor that of a second home."""
    (tmp_path / "ada.tar.gz").touch()
    found = archive.files([ADA, replace(ADA, host=WORKER2)], tmp_path, "image")
    assert [one.told for one in found] == [f"{tmp_path}/ada-2.tar.gz", f"{tmp_path}/ada-3.tar.gz"]


def test_a_file_has_a_name_that_file_systems_take(tmp_path: Path) -> None:
    """JupyterHub's names may be longer, and each letter of some scripts is three bytes."""
    one, other = archive.files([replace(ADA, user="伊" * 250), replace(ADA, user="伊" * 251)], tmp_path, "image")
    assert one.told != other.told
    Path(one.told).touch()


def test_the_question_names_what_is_lost() -> None:
    """Unsaved work, the only copy on the cluster, and what is gone already."""
    asked = archive.question(LeavingHomes((ADA,), (LOST,), ("ada",)), "on this machine", keep=False)
    assert asked == (
        "Servers that stop: ada; what is not saved there is lost. Then 1 home will be on this machine only. "
        "Gone already, and forgotten: the homes of zuse. Go on?"
    )
    assert archive.question(LeavingHomes((ADA,), (), ("ada",)), "x", keep=True).endswith("is lost. Go on?")


def test_a_home_is_a_file_here(tmp_path: Path, progress: FakeProgress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which its owner alone can read, in a folder that nobody else can open; then it is freed."""
    saved: list[str] = []

    def save(host: Host, image: str, mount: Any, name: str, file: Path, say: Any) -> Content:
        saved.append(f"{name} of {host.name} in {file}")
        return CONTENT

    monkeypatch.setattr(files, "save", save)
    manager = FakeHost(answers={"GET /services": [], "DELETE /configs/c1": lambda _: None})
    to, node = tmp_path / "archives" / "today", FakeHost(WORKER1)
    places = archive.files([ADA], to, "image")
    (change,) = archive.plan(LeavingHomes((ADA,), (), ()), settings(), places, manager, None, keep=False).changes
    change.apply(node, progress)
    assert saved == [f"ada of {WORKER1} in {to}/ada.tar.gz"]
    assert node.engine.asked() == [f"DELETE /volumes/{HUB}-home-ada"]
    assert (to.stat().st_mode & 0o777, "ada.tar.gz is whole: 12 files, 3.4 MB" in progress.lines[-1][1]) == (0o700, True)
