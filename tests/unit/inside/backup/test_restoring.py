"""What is put back, and what is set aside."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from hub.config import data
from swarmhub.inside.backup import places, restoring
from swarmhub.inside.backup.places import Failed
from tests.unit.inside.backup.container import Container, names, users

# What a restore that was cut off has left.
LEFT = "restoring-20261130-120000"


def test_a_lost_hub_comes_back_as_it_was(container: Container) -> None:
    """Users, cookies, the userlist in force, and the certificate, as there is none."""
    snapshot = container.save_hub()
    container.lose()
    chain = str(places.CERTIFICATES / "live" / "chain.pem")
    done = container.do("restore-hub", snapshot=snapshot, time="T", chain=chain)
    answer = done["answer"]
    assert (answer["aside"], answer["kept"], answer["certificate"], answer["users"]) == ("", [], True, 3)
    assert (answer["rows"]["users"], answer["versions"]) == (3, {"restic": "restic 0.18.0", "schema": "4621fec11365"})
    assert names(places.DATA) == ["access", "jupyterhub.sqlite", "jupyterhub_cookie_secret"]
    assert (len(users()), Path(chain).read_text()) == (3, "chain")


def test_a_lost_hub_comes_back_with_the_userlist_of_now(container: Container) -> None:
    """That of the backup may name somebody who was removed since: the hub goes by the list in force, and who was let in."""
    snapshot = container.save_hub()
    container.lose()
    container.do("restore-hub", snapshot=snapshot, time="T", userlist="grace admin\n")
    file = places.DATA / "access" / "userlist"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("grace admin\n", 0o660)


def test_what_is_there_is_set_aside(container: Container) -> None:
    """For root alone. A certificate that is there stays."""
    snapshot = container.save_hub()
    (places.DATA / "jupyterhub_cookie_secret").write_text("newer")
    (places.CERTIFICATES / "live" / "chain.pem").write_text("newer")
    done = container.do("restore-hub", snapshot=snapshot, time="T", chain=str(places.CERTIFICATES / "live" / "chain.pem"))
    aside = places.DATA / "before-restore-T"
    assert (done["answer"]["aside"], done["answer"]["certificate"]) == (aside.name, False)
    assert (places.DATA / "jupyterhub_cookie_secret").read_text() == "cookies"
    assert (aside / "jupyterhub_cookie_secret").read_text() == "newer"
    assert (stat.S_IMODE(aside.stat().st_mode), names(aside)) == (0o700, ["jupyterhub.sqlite", "jupyterhub_cookie_secret"])
    assert (places.CERTIFICATES / "live" / "chain.pem").read_text() == "newer"


def test_who_was_removed_since_stays_out(container: Container) -> None:
    """The userlist in force and the deleted accounts are those of now."""
    someone = sorted(users())[0]
    snapshot = container.save_hub()
    (places.DATA / "access" / "deleted").write_text(f"{someone}\n")
    (places.DATA / "access" / "userlist").write_text("other admin\n")
    done = container.do("restore-hub", snapshot=snapshot, time="T", userlist="older admin\n")
    assert done["answer"]["kept"] == ["access"]
    assert someone not in users()
    assert (places.DATA / "access" / "userlist").read_text() == "other admin\n"


def test_a_restore_that_was_cut_off_can_be_run_again(container: Container) -> None:
    """What had come so far goes; nothing was replaced."""
    snapshot = container.save_hub()
    (places.DATA / LEFT).mkdir()
    container.do("restore-hub", snapshot=snapshot, time="T")
    assert LEFT not in names(places.DATA)


def test_no_hub_starts_with_half_of_its_data(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the restore is killed while it puts all in place; the next one brings the rest."""
    snapshot, rename = container.save_hub(), Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path.name == "jupyterhub.sqlite" and target.parent == places.DATA:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            container.do("restore-hub", snapshot=snapshot, time="20261130-120000")
    with pytest.raises(SystemExit, match="fab restore was interrupted"):
        data.require_whole(places.DATA, 0)
    assert "answer" in container.do("restore-hub", snapshot=snapshot, time="20261130-120001")
    data.require_whole(places.DATA, 0)
    assert len(users()) == 3


def test_a_backup_without_certificates_is_restored_all_the_same(container: Container) -> None:
    """It was made while a reverse proxy had TLS: a deploy gets the certificate. The data are there, and nothing is damaged."""
    paths = [str(places.DATA), str(places.STAGE)]
    snapshot = container.do("save", is_hub=True, paths=paths, excludes=[], tags=["a:b"], node="m")["answer"]["snapshot"]
    container.lose()
    answer = container.do("restore-hub", snapshot=snapshot, time="T", chain="/nowhere/chain.pem")["answer"]
    assert (answer["users"], answer["certificate"]) == (3, False)


def test_a_damaged_backup_replaces_nothing(container: Container) -> None:
    """All has come and is whole, or all stays as it was."""
    snapshot, before = container.save_hub(), names(places.DATA)
    (container.root / "repository" / "damaged").touch()
    done = container.do("restore-hub", snapshot=snapshot, time="T")
    assert (done["failed"], names(places.DATA)) == ("/big: file is too short", before)


def test_a_backup_that_is_not_what_was_saved_replaces_nothing(container: Container) -> None:
    """By the manifest's sums."""
    snapshot, before = container.save_hub(), names(places.DATA)
    (container.root / "repository" / snapshot / str(places.STAGE)[1:] / "cluster.json").write_text("another")
    done = container.do("restore-hub", snapshot=snapshot, time="T")
    assert (done["failed"], done["kind"], names(places.DATA)) == ("cluster.json is not what was saved", "damaged", before)


@pytest.fixture
def home(container: Container) -> Path:
    """Return a home of which there is a backup, `1`, and which has changed since."""
    folder = container.root / "homes" / "ada"
    (folder / "work").mkdir(parents=True)
    folder.chmod(0o750)
    (folder / "work" / "notes [1].txt").write_text("before")
    container.do("save", paths=[str(folder.parent)], tags=["a:b"], node="w")
    (folder / "work" / "notes [1].txt").write_text("after")
    return folder


def restored(container: Container, home: Path, part: str = "", to: str = "") -> dict[str, Any]:
    """Put back the home, or a part of it."""
    return container.do("restore-home", snapshot="1", path=str(home), target=str(home), part=part, to=to, time="T")


def test_a_file_comes_back_in_its_place(container: Container, home: Path) -> None:
    """Beside it is what was there."""
    done = restored(container, home, "work/notes [1].txt")
    assert done == {"answer": {"place": "work/notes [1].txt", "aside": "work/notes [1].txt.before-restore-T"}}
    assert (home / "work" / "notes [1].txt").read_text() == "before"
    assert (home / "work" / "notes [1].txt.before-restore-T").read_text() == "after"
    assert names(home) == ["work"]


def test_a_file_comes_into_a_folder_of_its_own(container: Container, home: Path) -> None:
    """And nothing else changes."""
    done = restored(container, home, "work/notes [1].txt", "found/here")
    assert done["answer"] == {"place": "found/here/notes [1].txt", "aside": ""}
    assert (home / "work" / "notes [1].txt").read_text() == "after"


@pytest.mark.parametrize(("part", "to"), [("work/notes [1].txt", ""), ("work/notes [1].txt", "work/deeper")])
def test_nothing_is_put_behind_a_link(container: Container, home: Path, part: str, to: str) -> None:
    """The owner could turn a folder into one that leads to the repository, or to the cache: nothing there is renamed."""
    elsewhere = container.root / "elsewhere"
    (home / "work").rename(elsewhere)
    (home / "work").symlink_to(elsewhere)
    (home / LEFT).symlink_to(elsewhere)
    done = restored(container, home, part, to)
    assert (done["kind"], done["failed"].split(" is ")[0]) == ("link", "work")
    assert (names(home), names(elsewhere), (elsewhere / "notes [1].txt").read_text()) == (["work"], ["notes [1].txt"], "after")


def test_a_home_comes_back_whole(container: Container, home: Path) -> None:
    """With its mode, for its owner could not enter it otherwise; what was there is in a folder of it."""
    home.chmod(0o700)
    done = restored(container, home)
    assert done["answer"] == {"place": "", "aside": "before-restore-T"}
    assert (home / "work" / "notes [1].txt").read_text() == "before"
    assert (home / "before-restore-T" / "work" / "notes [1].txt").read_text() == "after"
    assert stat.S_IMODE(home.stat().st_mode) == 0o750


def test_what_its_user_has_called_like_a_restore_stays(container: Container, home: Path) -> None:
    """Whatever comes back: nobody's folder is removed for its name."""
    (home / "restoring-furniture").mkdir()
    (home / "restoring-furniture" / "oak.txt").write_text("mine")
    for part in ("work/notes [1].txt", ""):
        assert "answer" in restored(container, home, part)
        assert (home / "restoring-furniture" / "oak.txt").read_text() == "mine"


def test_a_home_comes_back_a_second_time(container: Container, home: Path) -> None:
    """The backup has what the first time has set aside, and so has the home: the one takes the place of the other."""
    restored(container, home)
    container.do("save", paths=[str(home.parent)], tags=["a:b"], node="w")
    (home / "before-restore-T" / "since").touch()
    job = {"snapshot": "2", "path": str(home), "target": str(home)}
    assert container.do("restore-home", **job, time="U") == {"answer": {"place": "", "aside": "before-restore-U"}}
    assert names(home) == ["before-restore-T", "before-restore-U", "work"]
    assert names(home / "before-restore-T") == ["work"]
    assert names(home / "before-restore-U" / "before-restore-T") == ["since", "work"]


def test_a_file_with_the_longest_name_comes_back(container: Container, home: Path) -> None:
    """What was there gets a name that a file system takes."""
    name = "é" * 127 + "."
    (home / name).write_text("before")
    container.do("save", paths=[str(home.parent)], tags=["a:b"], node="w")
    (home / name).write_text("after")
    job = {"snapshot": "2", "path": str(home), "target": str(home), "part": name, "time": "20261130-120000"}
    aside = container.do("restore-home", **job)["answer"]["aside"]
    assert ((home / name).read_text(), (home / aside).read_text()) == ("before", "after")
    assert aside.endswith("é.before-restore-20261130-120000")


@pytest.mark.parametrize(("part", "to"), [("work/notes [1].txt", ""), ("work/notes [1].txt", "work/deeper")])
def test_nothing_can_be_put_into_what_is_a_file_now(container: Container, home: Path, part: str, to: str) -> None:
    """Its owner has a file where the folder was; the home is as it was, and what helps is told."""
    (home / "work" / "notes [1].txt").unlink()
    (home / "work").rmdir()
    (home / "work").write_text("a file now")
    done = restored(container, home, part, to)
    assert (done["kind"], done["failed"].split(" is ")[0], names(home)) == ("link", "work", ["work"])


@pytest.mark.parametrize("part", ["work/other.txt", "other/notes.txt", "work/notes [1].txt/more"])
def test_what_is_in_no_backup_is_told(container: Container, home: Path, part: str) -> None:
    """And the home is as it was; above it may be a file, or a link."""
    done = restored(container, home, part)
    assert (done["failed"].endswith("is not in this backup"), done["kind"], names(home)) == (True, "nothing", ["work"])


@pytest.mark.parametrize(
    "manifest",
    [None, "{", "[]", "null", '{"witnesses": []}', '{"made": "", "files": []}', '{"made": "", "files": {}, "database": 5}'],
)
def test_what_is_no_backup_of_a_hub_is_refused(container: Container, manifest: str | None) -> None:
    """Somebody else's snapshot, for example, or one of homes."""
    if manifest is not None:
        (places.STAGE / "manifest.json").write_text(manifest)
    with pytest.raises(Failed, match="it has no manifest"):
        restoring._check()


@pytest.fixture
def saved(container: Container, home: Path) -> Path:
    """Return a file of a home that was saved, in `2`, with its sum."""
    container.do("save", paths=[str(places.HOMES), str(places.STAGE)], tags=["a:b"], node="w")
    return home / "work" / "notes [1].txt"


def test_a_drill_opens_a_file_of_a_home(container: Container, saved: Path) -> None:
    """As it was when it was saved, whatever has become of it."""
    saved.write_text("later")
    answer = container.do("open-home", snapshot="2")["answer"]["opened"]
    assert (answer["home"], answer["bytes"]) == ("ada", 5)


def test_a_drill_tells_a_file_that_is_not_what_was_saved(container: Container, saved: Path) -> None:
    """Of the same size and time: nobody has changed it, so the backup is damaged."""
    there = container.root / "repository" / "2" / str(saved)[1:]
    times = there.stat()
    there.write_text("AFTER")
    os.utime(there, ns=(times.st_atime_ns, times.st_mtime_ns))
    done = container.do("open-home", snapshot="2")
    assert (done["kind"], done["failed"]) == ("damaged", "a file of the home ada is not what was saved")


def test_a_drill_passes_over_what_was_changed_while_it_was_saved(container: Container, saved: Path) -> None:
    """That tells nothing of the backup."""
    (container.root / "repository" / "2" / str(saved)[1:]).write_text("changed in between")
    assert container.do("open-home", snapshot="2") == {"answer": {"opened": None}}
