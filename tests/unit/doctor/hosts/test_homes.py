"""A folder that every node mounts, and quotas."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from swarmhub.doctor.hosts import homes
from swarmhub.doctor.hosts.homes import Places
from swarmhub.errors import StepError
from swarmhub.host import Host, Output
from swarmhub.settings.schema.notebook import Folder
from swarmhub.settings.schema.volumes import areas
from tests.unit.doctor.answers import SpeakingHost, seen
from tests.unit.support.fakes import MANAGER, WORKER1, once, settings

SHARED = "/mnt/shared/homes"
COURSE = Folder(type="path", path="/mnt/course", mount="/home/jovyan/course")
WRITTEN = Folder(type="path", path="/mnt/course", mount="/srv/course", read_only=False)
THERE = Places({SHARED: "mounted"}, takes_quota=None)


def levels(wants: dict[str, bool], *states: str) -> list[str]:
    """Judge a folder that is so on the hosts, in their order."""
    found = {str(number): Places(dict.fromkeys(wants, state), None) for number, state in enumerate(states)}
    return [one.level for one in homes.judge_folders(wants, found)]


@pytest.mark.parametrize(
    ("home", "folders", "wants"),
    [
        ({}, [], {}),
        ({"type": "path", "path": SHARED}, [], {SHARED: True}),
        ({"type": "path", "path": SHARED, "keep": False}, [], {}),
        ({"type": "nfs", "server": "files", "path": SHARED}, [], {}),
        ({}, [COURSE], {"/mnt/course": False}),
        ({}, [COURSE, WRITTEN], {"/mnt/course": True}),
    ],
)
def test_settings_say_which_folders_are_needed(home: dict[str, Any], folders: list[Folder], wants: dict[str, bool]) -> None:
    """Those of type path, for homes and for shared folders, and whether people write there."""
    given = settings(home=home).model_copy(update={"folders": tuple(folders)})
    assert homes.needed(given) == wants


@pytest.mark.parametrize(
    ("is_written", "states", "expected"),
    [
        (True, ("mounted", "mounted"), ["ok", "ok"]),
        (True, ("mounted", "missing"), ["ok", "failure"]),
        (False, ("mounted", "own"), ["ok", "failure"]),
        (True, ("own", "own"), ["failure", "failure"]),
        (False, ("own", "own"), ["ok", "ok"]),
        (True, ("own",), ["ok"]),
    ],
)
def test_folder_is_the_same_one_on_every_host(is_written: bool, states: tuple[str, ...], expected: list[str]) -> None:
    """What is on a host's own disk is another one; copies are as good to read, and one host has nobody to share with."""
    assert levels({SHARED: is_written}, *states) == expected


def test_missing_folder_names_it_and_the_remedy() -> None:
    """One line a host."""
    found = {MANAGER: THERE, WORKER1: Places({SHARED: "missing"}, None)}
    _, one = homes.judge_folders({SHARED: True}, found)
    assert (one.host, one.text) == (WORKER1, f"has no {SHARED}")
    assert one.remedy.startswith("Mount it there")


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
    assert homes.parse(said).takes_quota is takes


@pytest.mark.parametrize(("takes", "level"), [(True, "ok"), (False, "failure"), (None, "warning")])
def test_host_without_quotas_fails(takes: bool | None, level: str) -> None:
    """What cannot be told warns."""
    assert [one.level for one in homes.judge_quota({MANAGER: Places({}, takes)})] == [level]


def test_nothing_is_asked_where_nothing_is_needed() -> None:
    """Homes on volumes without a quota need no look."""
    host = SpeakingHost()
    assert homes.examine(settings(), {MANAGER: host}, {MANAGER: seen()}) == []
    assert host.ran == []


def test_hosts_that_answer_are_asked() -> None:
    """One that does not answer is said elsewhere, one that breaks is a finding."""
    wanted = settings(home={"quota": "5G"}).model_copy(update={"folders": (COURSE,)})
    hosts: dict[str, Host] = {
        MANAGER: SpeakingHost(sh="volumes xfs rw,prjquota\nmounted /mnt/course\n"),
        WORKER1: SpeakingHost(WORKER1, sh=StepError(WORKER1, "cannot reach it", "Is it up?")),
        "gone": SpeakingHost("gone"),
    }
    looked = {MANAGER: seen(), WORKER1: seen(WORKER1), "gone": seen("gone", probe=None)}
    found = homes.examine(wanted, hosts, looked)
    assert [(one.host, one.level) for one in found] == [(WORKER1, "failure"), (MANAGER, "ok"), (MANAGER, "ok")]


@pytest.mark.parametrize(("code", "asks_again"), [(0, False), (homes.PLAIN_USER, True)])
def test_what_a_plain_user_may_not_see_is_asked_as_root(code: int, asks_again: bool) -> None:
    """A folder below one that only root may enter seems to be missing; so does Docker's own, and its quotas."""
    host = SpeakingHost(
        answers={"GET /images/json": [{"Id": "any"}], **once("volumes xfs rw,prjquota", "mounted /mnt/course")},
        sh=Output(code, "missing /mnt/course\n", ""),
    )
    found = homes.observe(host, "/var/lib/docker", ["/mnt/course"])
    expected = Places({"/mnt/course": "mounted"}, takes_quota=True) if asks_again else Places({"/mnt/course": "missing"}, None)
    assert found == expected


def test_script_runs_in_a_real_shell(tmp_path: Path) -> None:
    """On this machine it tells a folder, a mount and nothing there from each other, and the file system of a folder."""
    where = ("/", "/etc", "/proc", f"{tmp_path}/a b")
    done = subprocess.run(["sh", "-c", homes.SCRIPT, "sh", *where], capture_output=True, text=True, check=False)
    found = homes.parse(done.stdout)
    assert found.folders == {"/etc": "own", "/proc": "mounted", f"{tmp_path}/a b": "missing"}
    assert found.takes_quota is False


def test_a_folder_whose_file_server_hangs_is_given_up(tmp_path: Path) -> None:
    """After five seconds; what is killed then is told from what is missing."""
    (tmp_path / "stat").write_text('#!/bin/sh\n[ "$1" = -c ] && exec /usr/bin/stat "$@"\nkill -9 $$\n')
    (tmp_path / "stat").chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", homes.SCRIPT, "sh", "/", "/mnt/homes"], capture_output=True, text=True, check=True, env=path
    )
    assert homes.parse(done.stdout).folders == {"/mnt/homes": "silent"}
    (finding,) = homes.judge_folders({"/mnt/homes": True}, {MANAGER: homes.parse(done.stdout)})
    assert (finding.level, "sudo umount -l /mnt/homes" in finding.remedy) == ("failure", True)


def test_where_a_folder_really_is(tmp_path: Path) -> None:
    """Through links, on this machine's own file systems."""
    (homes_ := tmp_path / "homes").mkdir()
    (tmp_path / "link").symlink_to(homes_)
    where = ("/", str(homes_), str(tmp_path / "link"), str(tmp_path / "gone"))
    done = subprocess.run(["sh", "-c", homes.SCRIPT, "sh", *where], capture_output=True, text=True, check=True)
    real = homes.parse(done.stdout).real
    assert set(real) == {*where[1:3]}
    assert real[where[1]] == real[where[2]]
    assert real[where[1]][-1] == "homes"


LINKED = Folder(type="path", path="/mnt/course", mount="/course")


@pytest.mark.parametrize(
    ("course", "is_refused"),
    [(("8:1", "course"), False), (("8:1", "homes", "ada"), True), (("8:2", "homes", "ada"), False), (("8:1", "homes"), False)],
)
def test_a_folder_that_is_really_in_what_people_write_fails(course: tuple[str, ...], is_refused: bool) -> None:
    """A link or a mount on the host may lead there, whatever the settings say."""
    wanted = settings(home={"type": "path", "path": SHARED}).model_copy(update={"folders": (LINKED,)})
    real = {SHARED: ("8:1", "homes"), "/mnt/course": course}
    places = areas(wanted.model_dump(mode="json"))
    found = homes.judge_links(places, {MANAGER: Places({}, None, real)})
    assert [one.text for one in found] == [f"/mnt/course is really in {SHARED}, where people write"] * is_refused
