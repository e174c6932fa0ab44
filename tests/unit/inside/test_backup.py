"""What runs in the container of a backup: with a stand-in for restic that keeps snapshots as folders."""

import json
import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from swarmhub.inside import backup
from swarmhub.inside.backup import Failed

SCHEMA = Path(__file__).parent / "databases" / "5.2.1.sql"
# Of restic: a snapshot is a folder, its name a number. What it says and its exit codes are those of restic 0.18.
RESTIC = """#!{python}
import json, os, shutil, sys
from pathlib import Path

def end(code, message):
    print(json.dumps({{"message_type": "exit_error", "code": code, "message": message}}), file=sys.stderr)
    sys.exit(code)

words = sys.argv[1:]
def after(flag, among=words):
    return among[among.index(flag) + 1]

if words == ["version"]:
    print("restic 0.18.0")
    sys.exit()
root = Path(Path(after("--repository-file")).read_text())
password = Path(after("--password-file")).read_text()
rest = words[words.index("-o") + 2:]
act = rest[0]
if act == "init":
    root.mkdir()
    (root / "password").write_text(password)
elif not root.is_dir():
    end(10, "Fatal: repository does not exist: unable to open config file\\nIs there a repository?")
elif (root / "password").read_text() != password:
    end(12, "Fatal: wrong password or no key found")
elif act == "backup":
    number = str(len(list(root.iterdir())))
    outs = [word for flag, word in zip(rest, rest[1:]) if flag == "--exclude"]
    for path in rest[rest.index("--") + 1:]:
        ignore = lambda folder, names: [one for one in names if any(Path(folder, one).match(out) for out in outs)]
        shutil.copytree(path, root / number / path[1:], symlinks=True, ignore=ignore)
    print(json.dumps({{"message_type": "status", "bytes_done": 5, "total_bytes": 10}}))
    error = {{"message_type": "error", "error": {{"message": "gone"}}, "during": "archival", "item": "/x"}}
    print(json.dumps(error), file=sys.stderr)
    sums = {{"total_files_processed": 1, "total_bytes_processed": 10, "data_added_packed": 4, "total_duration": 0.5}}
    print(json.dumps({{"message_type": "summary", "snapshot_id": number, **sums}}))
    sys.exit(3)
elif act == "dump":
    print((root / rest[-2] / rest[-1][1:]).read_text(), end="")
elif act == "restore":
    number, _, path = rest[2].partition(":")
    source, target = root / number / path[1:], Path(after("--target"))
    if not source.is_dir():
        end(1, f"path {{path[1:]}}: not found")
    if (root / "damaged").exists():
        target.mkdir()
        error = {{"message_type": "error", "error": {{"message": "file is too short"}}, "item": "/big"}}
        print(json.dumps(error), file=sys.stderr)
        end(1, "Fatal: There were 1 errors")
    if "--include" in rest:
        name = after("--include")[1:].replace("\\\\", "")
        target.mkdir()
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        elif (source / name).exists():
            shutil.copy2(source / name, target / name)
    else:
        shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)
"""


class Container:
    """The container, in a folder of the test: what a job answers, and what it says on the way."""

    def __init__(self, root: Path) -> None:
        self.root, self.password = root, "right"
        self.said: list[dict[str, Any]] = []

    def do(self, action: str, **job: Any) -> dict[str, Any]:
        """Do a job, and return what it prints in the end."""
        answers: list[str] = []
        original = print

        def hear(text: str, **_: Any) -> None:
            told = json.loads(text)
            answers.append(told["part"]) if "part" in told else self.said.append(told)

        backup.__dict__["print"] = hear
        try:
            backup.main({"repository": str(self.root / "repository"), "password": self.password, "action": action, **job})
        finally:
            backup.__dict__["print"] = original
        found: dict[str, Any] = json.loads("".join(answers))
        return found

    def save_hub(self) -> str:
        """Save the hub, and return the snapshot's name."""
        folders = [str(folder) for folder in (backup.DATA, backup.STAGE, backup.CERTIFICATES)]
        outs = [f"{backup.DATA}/{name}" for name in ("jupyterhub.sqlite", "before-restore-*")]
        done = self.do("save", is_hub=True, paths=folders, excludes=outs, tags=["a:b"], node="m")
        return str(done["answer"]["snapshot"])

    def lose(self) -> None:
        """Lose the manager: nothing of the hub is left."""
        for folder in (backup.DATA, backup.STAGE, backup.CERTIFICATES):
            for one in folder.rglob("*"):
                one.rename(self.root / f"gone-{len(list(self.root.iterdir()))}") if one.parent == folder else None


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """Return a container with the files of a hub with three users, and a repository."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "restic"
    program.write_text(RESTIC.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    places = {"SECRETS": "secrets", "STAGE": "backup", "DATA": "data", "CERTIFICATES": "certificates", "CACHE": "cache"}
    for name, folder in places.items():
        monkeypatch.setattr(backup, name, tmp_path / folder)
    (backup.DATA / "access").mkdir(parents=True)
    (backup.DATA / "access" / "userlist").write_text("ada admin\n")
    (backup.DATA / "jupyterhub_cookie_secret").write_text("cookies")
    backup.STAGE.mkdir()
    (backup.STAGE / "cluster.json").write_text("{}")
    (backup.CERTIFICATES / "live").mkdir(parents=True)
    (backup.CERTIFICATES / "live" / "chain.pem").write_text("chain")
    with closing(sqlite3.connect(backup.DATA / "jupyterhub.sqlite")) as opened:
        opened.executescript(SCHEMA.read_text())
    made = Container(tmp_path)
    made.do("open", make=True)
    return made


def users() -> set[str]:
    """Return who is in the hub's database."""
    with closing(sqlite3.connect(backup.DATA / "jupyterhub.sqlite")) as opened:
        return {name for (name,) in opened.execute("select name from users")}


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(one.name for one in folder.iterdir())


def test_a_repository_is_made_once(container: Container) -> None:
    """The first backup makes it; who only reads is told that there is none."""
    assert container.do("open", make=True) == {"answer": {"made": False}}
    missing = container.do("open", repository=str(container.root / "other"))
    assert (missing["kind"], missing["failed"].startswith("repository does not exist")) == ("missing", True)


def test_a_wrong_password_is_told_as_such(container: Container) -> None:
    """By restic's exit code, in one line."""
    container.password = "wrong"
    assert container.do("open") == {"failed": "wrong password or no key found", "kind": "password"}


def test_what_does_not_answer_is_told_before_restic_tries_for_minutes(container: Container) -> None:
    """With the address that was asked."""
    said = container.do("open", repository="rest:http://127.0.0.1:1/x")
    assert (said["kind"], said["failed"].startswith("127.0.0.1:1 does not answer: ")) == ("silent", True)


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("/mnt/backup", None),
        ("sftp:backup@nas.example.org:/srv/backup", ("nas.example.org", 22)),
        ("sftp:nas:relative", ("nas", 22)),
        ("sftp://backup@nas.example.org:2222//srv/backup", ("nas.example.org", 2222)),
        ("s3:https://s3.example.org:9000/bucket", ("s3.example.org", 9000)),
        ("s3:s3.example.org/bucket", ("s3.example.org", 443)),
        ("rest:http://user:secret@backup.example.org:8000/hub", ("backup.example.org", 8000)),
        ("rest:http://backup.example.org/", ("backup.example.org", 80)),
    ],
)
def test_the_address_of_a_repository(repository: str, address: tuple[str, int] | None) -> None:
    """As restic reads it; a folder has none."""
    assert backup._address(repository) == address


def test_a_backup_says_what_it_saves(container: Container) -> None:
    """How far it is on the way, what was new, and what could not be read; the secrets are for nobody else."""
    done = container.do("save", is_hub=True, paths=[str(backup.STAGE)], tags=["a:b"], node="m")
    answer = done["answer"]
    assert container.said == [{"done": 5, "total": 10}]
    assert (answer["bytes"], answer["added"], answer["unread"]) == (10, 4, ["/x: gone"])
    assert {stat.S_IMODE(one.stat().st_mode) for one in backup.SECRETS.iterdir() if one.name != "said"} == {0o600}


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
    (backup.DATA / "jupyterhub.sqlite").write_bytes(b"no database at all, and long enough to be read as one" * 50)
    done = container.do("save", is_hub=True, paths=[str(backup.STAGE)], tags=["a:b"], node="m")
    assert (done["kind"], "the hub's database" in done["failed"]) == ("database", True)


def test_a_lost_hub_comes_back_as_it_was(container: Container) -> None:
    """Users, cookies, the userlist in force, and the certificate, as there is none."""
    snapshot = container.save_hub()
    container.lose()
    chain = str(backup.CERTIFICATES / "live" / "chain.pem")
    done = container.do("restore-hub", snapshot=snapshot, time="T", chain=chain)
    assert done == {"answer": {"aside": "", "kept": [], "certificate": True, "users": 3}}
    assert names(backup.DATA) == ["access", "jupyterhub.sqlite", "jupyterhub_cookie_secret"]
    assert (len(users()), Path(chain).read_text()) == (3, "chain")


def test_a_lost_hub_comes_back_with_the_userlist_of_now(container: Container) -> None:
    """That of the backup may name somebody who was removed since: the hub goes by the list in force, and who was let in."""
    snapshot = container.save_hub()
    container.lose()
    container.do("restore-hub", snapshot=snapshot, time="T", userlist="grace admin\n")
    file = backup.DATA / "access" / "userlist"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("grace admin\n", 0o660)


def test_what_is_there_is_set_aside(container: Container) -> None:
    """For root alone. A certificate that is there stays."""
    snapshot = container.save_hub()
    (backup.DATA / "jupyterhub_cookie_secret").write_text("newer")
    (backup.CERTIFICATES / "live" / "chain.pem").write_text("newer")
    done = container.do("restore-hub", snapshot=snapshot, time="T", chain=str(backup.CERTIFICATES / "live" / "chain.pem"))
    aside = backup.DATA / "before-restore-T"
    assert (done["answer"]["aside"], done["answer"]["certificate"]) == (aside.name, False)
    assert (backup.DATA / "jupyterhub_cookie_secret").read_text() == "cookies"
    assert (aside / "jupyterhub_cookie_secret").read_text() == "newer"
    assert (stat.S_IMODE(aside.stat().st_mode), names(aside)) == (0o700, ["jupyterhub.sqlite", "jupyterhub_cookie_secret"])
    assert (backup.CERTIFICATES / "live" / "chain.pem").read_text() == "newer"


def test_who_was_removed_since_stays_out(container: Container) -> None:
    """The userlist in force and the deleted accounts are those of now."""
    someone = sorted(users())[0]
    snapshot = container.save_hub()
    (backup.DATA / "access" / "deleted").write_text(f"{someone}\n")
    (backup.DATA / "access" / "userlist").write_text("other admin\n")
    done = container.do("restore-hub", snapshot=snapshot, time="T", userlist="older admin\n")
    assert done["answer"]["kept"] == ["access"]
    assert someone not in users()
    assert (backup.DATA / "access" / "userlist").read_text() == "other admin\n"


def test_a_restore_that_was_cut_off_can_be_run_again(container: Container) -> None:
    """What had come so far goes; nothing was replaced."""
    snapshot = container.save_hub()
    (backup.DATA / "restoring-before").mkdir()
    container.do("restore-hub", snapshot=snapshot, time="T")
    assert "restoring-before" not in names(backup.DATA)


def test_a_damaged_backup_replaces_nothing(container: Container) -> None:
    """All has come and is whole, or all stays as it was."""
    snapshot, before = container.save_hub(), names(backup.DATA)
    (container.root / "repository" / "damaged").touch()
    done = container.do("restore-hub", snapshot=snapshot, time="T")
    assert (done["failed"], names(backup.DATA)) == ("/big: file is too short", before)


def test_a_backup_that_is_not_what_was_saved_replaces_nothing(container: Container) -> None:
    """By the manifest's sums."""
    snapshot, before = container.save_hub(), names(backup.DATA)
    (container.root / "repository" / snapshot / str(backup.STAGE)[1:] / "cluster.json").write_text("another")
    done = container.do("restore-hub", snapshot=snapshot, time="T")
    assert (done["failed"], done["kind"], names(backup.DATA)) == ("cluster.json is not what was saved", "damaged", before)


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


def test_a_home_comes_back_whole(container: Container, home: Path) -> None:
    """With its mode, for its owner could not enter it otherwise; what was there is in a folder of it."""
    home.chmod(0o700)
    done = restored(container, home)
    assert done["answer"] == {"place": "", "aside": "before-restore-T"}
    assert (home / "work" / "notes [1].txt").read_text() == "before"
    assert (home / "before-restore-T" / "work" / "notes [1].txt").read_text() == "after"
    assert stat.S_IMODE(home.stat().st_mode) == 0o750


def test_what_is_in_no_backup_is_told(container: Container, home: Path) -> None:
    """And the home is as it was."""
    done = restored(container, home, "work/other.txt")
    assert (done["failed"], done["kind"], names(home)) == ("work/other.txt is not in this backup", "nothing", ["work"])


def test_the_job_is_removed_as_soon_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the password."""
    file = tmp_path / "job.json"
    file.write_text('{"password": "x"}')
    monkeypatch.setattr(backup, "JOB", file)
    assert (backup.load(), file.exists()) == ({"password": "x"}, False)


def test_a_panic_is_told_by_its_first_line() -> None:
    """As of a config that is cut off: restic 0.18 ends so."""
    assert backup._cause(["panic: runtime error: slice bounds out of range", "", "goroutine 1 [running]:"]).startswith(
        "panic: runtime"
    )


def test_a_long_answer_comes_in_pieces(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine would break the line."""
    monkeypatch.setattr(backup, "LONGEST", 20)
    assert container.do("open") == {"answer": {"made": False}}


def test_what_is_no_backup_of_a_hub_is_refused(container: Container) -> None:
    """Somebody else's snapshot, for example."""
    with pytest.raises(Failed, match="it has no manifest"):
        backup._check()


def test_a_server_that_refuses_for_long_is_told_with_its_own_words(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As S3 without the bucket: restic tries again and again."""
    program = container.root / "bin" / "restic"
    program.write_text(
        "#!/bin/sh\necho 'Stat(<config/>) returned error, retrying after 1s: no such bucket' >&2\nexec sleep 60\n"
    )
    monkeypatch.setattr(backup, "ASK_SECONDS", 0.5)
    said = container.do("open")
    assert said == {"failed": "the repository does not answer within 0 s: no such bucket", "kind": "silent"}
