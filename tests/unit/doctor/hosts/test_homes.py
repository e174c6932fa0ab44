"""A folder that every node mounts, and quotas."""

import pytest

from swarmhub.doctor.hosts import homes
from swarmhub.errors import StepError
from swarmhub.host import Host
from swarmhub.notebooks.places import Places, Wanted
from swarmhub.settings.schema.clashes.volumes import areas
from swarmhub.settings.schema.notebook import Folder
from tests.unit.doctor.answers import SpeakingHost, seen
from tests.unit.support.fakes import MANAGER, WORKER1, settings

SHARED = "/mnt/shared/homes"
COURSE = Folder(type="path", path="/mnt/course", mount="/home/jovyan/course")
WRITTEN = Folder(type="path", path="/mnt/course", mount="/srv/course", read_only=False)
WANTED = Wanted(is_written=True, is_markable=True)
THERE = Places({SHARED: "mounted"}, takes_quota=None)


def levels(wants: dict[str, Wanted], *states: str) -> list[str]:
    """Judge a folder that is so on the hosts, in their order."""
    found = {str(number): Places(dict.fromkeys(wants, state), None) for number, state in enumerate(states)}
    return [one.level for one in homes.judge_folders(wants, found)]


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
    assert levels({SHARED: Wanted(is_written, is_markable=True)}, *states) == expected


def test_missing_folder_names_it_and_the_remedy() -> None:
    """One line a host."""
    found = {MANAGER: THERE, WORKER1: Places({SHARED: "missing"}, None)}
    _, one = homes.judge_folders({SHARED: WANTED}, found)
    assert (one.host, one.text) == (WORKER1, f"has no {SHARED}")
    assert one.remedy.startswith("Mount it there")


@pytest.mark.parametrize(("takes", "level"), [(True, "ok"), (False, "failure"), (None, "warning")])
def test_host_without_quotas_fails(takes: bool | None, level: str) -> None:
    """What cannot be told warns."""
    assert [one.level for one in homes.judge_quota({MANAGER: Places({}, takes)})] == [level]


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (Places({SHARED: "silent"}, None), "does not answer within 5 s"),
        (Places({SHARED: "stale"}, None), "is a mount that is broken"),
        (Places({SHARED: "mounted"}, None), "is not mounted, or another file system is"),
        (Places({SHARED: "mounted"}, None, marked=frozenset({SHARED}), readonly=frozenset({SHARED})), "is mounted read-only"),
    ],
)
def test_what_keeps_servers_from_a_host_is_told(here: Places, said: str) -> None:
    """The hub takes the folder for marked, so a host without the marker starts none, be it the only one."""
    (finding,) = homes.judge_folders({SHARED: WANTED}, {MANAGER: here}, frozenset({SHARED}))
    assert (finding.level, said in finding.text, bool(finding.remedy)) == ("failure", True, True)


@pytest.mark.parametrize(
    ("owner", "is_told"),
    [
        ((1000, 0, 0o755), False),
        ((0, 100, 0o775), False),
        ((0, 0, 0o1777), False),
        ((0, 0, 0o755), True),
        ((1000, 0, 0o555), True),
    ],
)
def test_a_shared_folder_that_people_may_not_write_to_warns(owner: tuple[int, int, int], is_told: bool) -> None:
    """Though the settings say that they do."""
    given = settings().model_copy(update={"folders": (WRITTEN, COURSE)})
    found = homes.judge_rights(given, {MANAGER: Places({}, None, owners={"/mnt/course": owner, "/elsewhere": (0, 0, 0)})})
    assert [one.text.partition(":")[0] for one in found] == ["people may not write to /mnt/course"] * is_told


def test_nothing_is_asked_where_nothing_is_needed() -> None:
    """Homes on volumes without a quota need no look."""
    host = SpeakingHost()
    assert homes.examine(settings(), {MANAGER: host}, {MANAGER: seen()}, MANAGER) == []
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
    found = homes.examine(wanted, hosts, looked, MANAGER)
    assert [(one.host, one.level) for one in found] == [(WORKER1, "failure"), (MANAGER, "ok"), (MANAGER, "ok")]


LINKED = Folder(type="path", path="/mnt/course", mount="/course")


@pytest.mark.parametrize(
    ("course", "is_refused"),
    [(("8:1", "course"), False), (("8:1", "homes", "ada"), True), (("8:2", "homes", "ada"), False), (("8:1", "homes"), False)],
)
def test_a_folder_that_is_really_in_what_people_write_fails(course: tuple[str, ...], is_refused: bool) -> None:
    """A link or a mount on the host may lead there, whatever the settings say."""
    wanted = settings(home={"type": "path", "path": SHARED}).model_copy(update={"folders": (LINKED,)})
    real = {SHARED: ("8:1", "homes"), "/mnt/course": course}
    mounted = areas(wanted.model_dump(mode="json"))
    found = homes.judge_links(mounted, {MANAGER: Places({}, None, real)})
    assert [one.text for one in found] == [f"/mnt/course is really in {SHARED}, where people write"] * is_refused
