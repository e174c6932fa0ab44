"""Do with the hub's database on a PostgreSQL server what is done with a file of SQLite, and move it from one to the other."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from swarmhub.inside.database import postgresql, sqlite

Answer = dict[str, Any]


def do(url: str, action: str, file: Path, copy: Path | str = "") -> Answer:
    """Do what the operator's side has asked for, and return the answer; `file` is where SQLite's is, or would be."""
    with TemporaryDirectory() as folder:
        now = Path(folder) / "now.sqlite"
        if action in MOVES:
            return MOVES[action](url, file, now)
        postgresql.snapshot(url, now)
        if action in ("try", "require"):
            _require_people(action, now, file)
        answer = sqlite.do(action, now, file.parent / sqlite.ACCESS, copy)
        if action == "restore":
            postgresql.load(now, url)
        return answer


def _require_people(action: str, now: Path, file: Path) -> None:
    """Make sure that a hub which has people does not start without them."""
    if sqlite.look(now)["users"]:
        return
    if action == "require":
        raise SystemExit("the PostgreSQL database that the secret names now has no users, and the hub's own has")
    if sqlite.look(file)["users"]:
        raise SystemExit(f"the PostgreSQL database has no users, and {file.name} in the hub's volume has")


def _try_in(url: str, file: Path, now: Path) -> Answer:
    return _load(url, file, now, stays=False)


def _move_in(url: str, file: Path, now: Path) -> Answer:
    return _load(url, file, now, stays=True)


def _load(url: str, file: Path, now: Path, *, stays: bool) -> Answer:
    if not file.exists():
        raise SystemExit(f"there is no {file.name} in the hub's volume: there is nothing to move")
    sqlite.require_hubs(file)
    sqlite.backup(file, now, sqlite.ROOTS)
    return _answer(now, postgresql.load(now, url, stays=stays))


def _try_out(url: str, _: Path, now: Path) -> Answer:
    postgresql.snapshot(url, now)
    if not now.exists():
        raise SystemExit("the PostgreSQL database has no tables: there is nothing to move")
    sqlite.require_hubs(now)
    return _answer(now, {})


def _move_out(url: str, file: Path, now: Path) -> Answer:
    answer = _try_out(url, file, now)
    sqlite.set_aside(file)
    sqlite.backup(now, file, sqlite.HUBS)
    return answer


MOVES: dict[str, Callable[[str, Path, Path], Answer]] = {
    "try-move-in": _try_in,
    "move-in": _move_in,
    "try-move-out": _try_out,
    "move-out": _move_out,
}


def _answer(now: Path, rows: postgresql.Rows) -> Answer:
    return {**sqlite.look(now), "tables": len(rows), "rows": sum(rows.values())}
