"""What runs in the container of a backup: with a stand-in for restic that keeps snapshots as folders."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from swarmhub.inside.backup import __main__ as program
from swarmhub.inside.backup import places, restic

SCHEMA = Path(__file__).parents[1] / "database" / "dumps" / "5.2.1.sql"
# Of restic: a snapshot is a folder, its name a number. What it says and its exit codes are those of restic 0.18.
RESTIC = """#!{python}
import json, os, shutil, sys, tarfile
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
elif act in ("backup", "forget") and (root / "lock").exists():
    end(11, "unable to create lock in backend: repository is already locked exclusively by PID 9 on host")
elif act == "backup":
    number = str(len(list(root.iterdir())))
    outs = [word for flag, word in zip(rest, rest[1:]) if flag == "--exclude"]
    for path in rest[rest.index("--") + 1:]:
        is_out = lambda one: one.is_fifo() or any(one.match(out) for out in outs)
        ignore = lambda folder, names: [one for one in names if is_out(Path(folder, one))]
        shutil.copytree(path, root / number / path[1:], symlinks=True, ignore=ignore)
        # What is no file, folder or link comes back as an empty file, if it is directly in the folder that is dumped.
        [(root / number / path[1:] / one.name).touch() for one in Path(path).iterdir() if one.is_fifo()]
    print(json.dumps({{"message_type": "status", "bytes_done": 5, "total_bytes": 10}}))
    is_partly = not (root / "all-is-read").exists()
    error = {{"message_type": "error", "error": {{"message": "gone"}}, "item": "/x"}}
    for during in ("scan", "archival") if is_partly else ():
        print(json.dumps(error | {{"during": during}}), file=sys.stderr)
    sums = {{"total_files_processed": 1, "total_bytes_processed": 10, "data_added_packed": 4, "total_duration": 0.5}}
    print(json.dumps({{"message_type": "summary", "snapshot_id": number, **sums}}))
    sys.exit(3 if is_partly else 0)
elif act == "snapshots":
    kept = [json.loads(one.read_text()) for one in sorted(root.glob("*.json"))]
    print(json.dumps([one for one in kept if "--tag" not in rest or after("--tag") in one["tags"]]))
elif act == "unlock":
    (root / "lock").unlink() if (root / "lock").exists() and (root / "lock").read_text() == "stale" else None
elif act == "forget":
    part = after("--tag").partition("part:")[2]
    print(json.dumps([{{"remove": [1, 2]}}, {{"remove": None}}] if part == "hub" else []))
    (root / "pruned").touch() if "--prune" in rest else None
elif act == "dump" and "--archive" in rest:
    number, _, path = rest[-2].partition(":")
    if (root / "damaged").exists():
        end(1, "Fatal: pack is damaged")
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        for one in sorted((root / number / path[1:]).iterdir()):
            tar.add(one, "/" + one.name)
elif act == "dump":
    print((root / rest[-2] / rest[-1][1:]).read_text(), end="")
elif act == "restore":
    number, _, path = rest[2].partition(":")
    source, target = root / number / path[1:], Path(after("--target"))
    if not source.is_dir():
        end(1, f"path {{path[1:]}}: not {{'a directory' if source.exists() else 'found'}}")
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

        def hear(text: str, **_: Any) -> None:
            told = json.loads(text)
            answers.append(told["part"]) if "part" in told else self.said.append(told)

        modules = (program, restic)
        for module in modules:
            module.__dict__["print"] = hear
        try:
            program.main({"repository": str(self.root / "repository"), "password": self.password, "action": action, **job})
        finally:
            for module in modules:
                del module.__dict__["print"]
        found: dict[str, Any] = json.loads("".join(answers))
        return found

    @property
    def repository(self) -> Path:
        """Return the folder with the snapshots."""
        return self.root / "repository"

    def save_hub(self) -> str:
        """Save the hub, and return the snapshot's name."""
        folders = [str(folder) for folder in (places.DATA, places.STAGE, places.CERTIFICATES)]
        outs = [f"{places.DATA}/{name}" for name in ("jupyterhub.sqlite", "before-restore-*")]
        done = self.do("save", is_hub=True, paths=folders, excludes=outs, tags=["a:b"], node="m")
        return str(done["answer"]["snapshot"])

    def lose(self) -> None:
        """Lose the manager: nothing of the hub is left."""
        for folder in (places.DATA, places.STAGE, places.CERTIFICATES):
            for one in folder.rglob("*"):
                one.rename(self.root / f"gone-{len(list(self.root.iterdir()))}") if one.parent == folder else None


def users() -> set[str]:
    """Return who is in the hub's database."""
    with closing(sqlite3.connect(places.DATA / "jupyterhub.sqlite")) as opened:
        return {name for (name,) in opened.execute("select name from users")}


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(one.name for one in folder.iterdir())
