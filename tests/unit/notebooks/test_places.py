"""The folders of the nodes that homes and shared folders are in."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarmhub.errors import StepError
from swarmhub.host import Output
from swarmhub.notebooks import places
from swarmhub.notebooks.places import Places, Wanted
from swarmhub.settings.schema.notebook import Folder
from tests.unit.doctor.answers import SpeakingHost
from tests.unit.support.fakes import once, settings

SHARED = "/mnt/shared/homes"
COURSE = Folder(type="path", path="/mnt/course", mount="/home/jovyan/course")
WRITTEN = Folder(type="path", path="/mnt/course", name="team", mount="/srv/course", read_only=False)
ITSELF = Folder(type="path", path="/mnt/course", mount="/srv/course", read_only=False)
SCRIPT = ("sh", "-c", places.SCRIPT, "sh", "/", ".swarmhub")


@pytest.mark.parametrize(
    ("home", "folders", "wants"),
    [
        ({}, [], {}),
        ({"type": "path", "path": SHARED}, [], {SHARED: Wanted(is_written=True, is_markable=True)}),
        ({"type": "path", "path": SHARED, "keep": False}, [], {}),
        ({"type": "nfs", "server": "files", "path": SHARED}, [], {}),
        ({}, [COURSE], {"/mnt/course": Wanted(is_written=False, is_markable=True)}),
        ({}, [COURSE, WRITTEN], {"/mnt/course": Wanted(is_written=True, is_markable=True)}),
        ({}, [ITSELF], {"/mnt/course": Wanted(is_written=True, is_markable=False)}),
    ],
)
def test_settings_say_which_folders_are_needed(home: dict[str, Any], folders: list[Folder], wants: dict[str, Wanted]) -> None:
    """Those of type path, for homes and for shared folders; what people write to itself can have no marker."""
    given = settings(home=home).model_copy(update={"folders": tuple(folders)})
    assert places.wanted(given) == wants


@pytest.mark.parametrize(
    ("said", "takes"),
    [
        ("volumes xfs rw,relatime,prjquota", True),
        ("volumes xfs rw,relatime,noquota", False),
        ("volumes ext4 rw,relatime,prjquota", False),
        ("", None),
    ],
)
def test_quotas_need_xfs_that_is_mounted_for_them(said: str, takes: bool | None) -> None:
    """A host that does not let its folder of volumes be seen is unknown."""
    assert places.parse(said).takes_quota is takes


@pytest.mark.parametrize(("code", "asks_again"), [(0, False), (places.PLAIN_USER, True)])
def test_what_a_plain_user_may_not_see_is_asked_as_root(code: int, asks_again: bool) -> None:
    """A folder below one that only root may enter seems to be missing; so does Docker's own, and its quotas."""
    host = SpeakingHost(
        answers={"GET /images/json": [{"Id": "any"}], **once("volumes xfs rw,prjquota", "mounted /mnt/course")},
        sh=Output(code, "missing /mnt/course\n", ""),
    )
    found = places.observe(host, ["/mnt/course"], "/var/lib/docker")
    expected = Places({"/mnt/course": "mounted"}, takes_quota=True) if asks_again else Places({"/mnt/course": "missing"}, None)
    assert found == expected


def test_script_runs_in_a_real_shell(tmp_path: Path) -> None:
    """On this machine it tells a folder, a mount and nothing there from each other, and the file system of a folder."""
    where = ("/etc", "/proc", f"{tmp_path}/a b")
    done = subprocess.run([*SCRIPT, *where], capture_output=True, text=True, check=False)
    found = places.parse(done.stdout)
    assert found.folders == {"/etc": "own", "/proc": "mounted", f"{tmp_path}/a b": "missing"}
    assert found.takes_quota is False


def test_a_folder_whose_file_server_hangs_is_given_up(tmp_path: Path) -> None:
    """After five seconds; what is killed then is told from what is missing."""
    (tmp_path / "stat").write_text('#!/bin/sh\n[ "$1" = -c ] && exec /usr/bin/stat "$@"\nkill -9 $$\n')
    (tmp_path / "stat").chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([*SCRIPT, "/mnt/homes"], capture_output=True, text=True, check=True, env=path)
    assert places.parse(done.stdout).folders == {"/mnt/homes": "silent"}


@pytest.mark.parametrize("said", ["Stale file handle", "Transport endpoint is not connected", "Input/output error"])
def test_a_mount_that_is_broken_is_told_from_one_that_is_missing(tmp_path: Path, said: str) -> None:
    """As NFS, FUSE and CIFS say it."""
    (tmp_path / "stat").write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec /usr/bin/stat "$@"\necho "stat: {said}" >&2; exit 1\n')
    (tmp_path / "stat").chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([*SCRIPT, "/mnt/homes"], capture_output=True, text=True, check=True, env=path)
    assert places.parse(done.stdout).folders == {"/mnt/homes": "stale"}


def test_a_mount_point_may_have_spaces(tmp_path: Path) -> None:
    """The kernel writes them in octal; what is mounted there is told like any other."""
    (there := tmp_path / "my homes").mkdir()
    at = str(there).replace(" ", "\\040")
    (tmp_path / "mounts").write_text(f"1 0 8:1 / / rw - ext4 a rw\n2 1 0:44 /all\\040homes {at} ro - nfs4 nas:/x ro\n")
    shim = (
        'for one; do shift; [ "$one" = /proc/self/mountinfo ] && one=$MOUNTS; set -- "$@" "$one"; done; exec /usr/bin/awk "$@"'
    )
    (tmp_path / "awk").write_text(f"#!/bin/sh\n{shim}\n")
    (tmp_path / "awk").chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MOUNTS": str(tmp_path / "mounts")}
    done = subprocess.run([*SCRIPT, str(there)], capture_output=True, text=True, check=False, env=variables)
    found = places.parse(done.stdout)
    assert (found.themselves, found.readonly) == (frozenset({str(there)}), frozenset({str(there)}))
    assert found.real[str(there)] == ("0:44", "all homes")


def test_the_marker_is_seen(tmp_path: Path) -> None:
    """And whether root may write there, and whether the folder is a mount point."""
    (tmp_path / "one" / ".swarmhub").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    done = subprocess.run([*SCRIPT, one, other, "/proc"], capture_output=True, text=True, check=False)
    found = places.parse(done.stdout)
    assert (found.marked, found.themselves) == (frozenset({one}), frozenset({"/proc"}))
    assert found.writable >= {one, other}


def where(**states: str) -> dict[str, Places]:
    """Return how nodes have the shared folder, to which root may write."""
    return {host: Places({SHARED: state}, None, writable=frozenset({SHARED})) for host, state in states.items()}


HOMES = {SHARED: Wanted(is_written=True, is_markable=True)}
COPIES = {SHARED: Wanted(is_written=False, is_markable=True)}


@pytest.mark.parametrize(
    ("wants", "states", "marked_on"),
    [
        (HOMES, {"m": "mounted", "w": "mounted"}, ["m"]),
        (HOMES, {"m": "missing", "w": "mounted"}, ["w"]),
        (HOMES, {"m": "own"}, ["m"]),
        (COPIES, {"m": "own", "w": "own"}, ["m", "w"]),
        (COPIES, {"m": "own", "w": "mounted"}, ["w"]),
    ],
)
def test_a_folder_is_marked_where_it_is_mounted(wants: dict[str, Wanted], states: dict[str, str], marked_on: list[str]) -> None:
    """Once where people write, for it is the same on all nodes; copies to read may be on each node's own disk."""
    changes = places.marking(wants, where(**states), (), "m")[SHARED]
    assert [one.host for one in changes] == marked_on


def test_nothing_is_done_where_a_node_has_the_marker() -> None:
    """A node without it has not mounted the folder: it starts no servers."""
    found = where(m="own", w="mounted")
    found["w"] = replace(found["w"], marked=frozenset({SHARED}))
    assert places.marking(HOMES, found, {SHARED}, "m") == {}


@pytest.mark.parametrize(
    ("states", "required", "cause"),
    [
        ({"m": "own", "w": "own"}, [], "is on each node's own disk"),
        ({"m": "missing", "w": "stale"}, [], "no node has"),
        ({"m": "mounted", "w": "mounted"}, [SHARED], "is not what it was"),
        ({"m": "missing", "w": "missing"}, [SHARED], "is not what it was"),
    ],
)
def test_what_is_not_mounted_is_refused(states: dict[str, str], required: list[str], cause: str) -> None:
    """Also where the marker was there before: another file system is, or none."""
    with pytest.raises(StepError, match=cause):
        places.marking(HOMES, where(**states), required, "m")


def test_a_folder_that_root_may_not_write_to_is_marked_by_hand() -> None:
    """The remedy says how; one that is only read does without."""
    found = {"m": Places({SHARED: "mounted"}, None)}
    with pytest.raises(StepError) as refused:
        places.marking(HOMES, found, (), "m")
    assert refused.value.remedy.endswith(f"mkdir {SHARED}/.swarmhub")
    assert places.marking(COPIES, found, (), "m") == {SHARED: []}


def test_a_mount_point_that_people_write_to_is_refused() -> None:
    """They could put a link in the marker's place; without one, nothing tells a node that has lost the mount."""
    wants = {SHARED: Wanted(is_written=True, is_markable=False)}
    found = where(m="mounted")
    assert places.marking(wants, found, (), "m") == {SHARED: []}
    found["m"] = replace(found["m"], themselves=frozenset({SHARED}))
    with pytest.raises(StepError, match="is itself a mount point"):
        places.marking(wants, found, (), "m")


def test_where_a_folder_really_is(tmp_path: Path) -> None:
    """Through links, on this machine's own file systems."""
    (homes_ := tmp_path / "homes").mkdir()
    (tmp_path / "link").symlink_to(homes_)
    where = (str(homes_), str(tmp_path / "link"), str(tmp_path / "gone"))
    done = subprocess.run([*SCRIPT, *where], capture_output=True, text=True, check=True)
    real = places.parse(done.stdout).real
    assert set(real) == {*where[:2]}
    assert real[where[0]] == real[where[1]]
    assert real[where[0]][-1] == "homes"
