"""What a userlist changes at a hub that runs, and who is in."""

import copy
import io
import tarfile
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from hub.shared.people import listed
from hub.shared.people.userlist import Users
from swarmhub.engine import context
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from swarmhub.people import users
from swarmhub.people.api import ApiError, HubApi
from swarmhub.people.users import HubPeople, Person
from swarmhub.plan import plans
from swarmhub.plan.plans import Cost, Plan
from swarmhub.status.shell import ContainerLocation
from tests.unit.support.fakes import DOMAIN, MANAGER, NOW, Clock, FakeHost, FakeJournal, FakeProgress, settings

PLACE = ContainerLocation(MANAGER, "hub-1")
ACCESS = settings().access
LIST = "ada admin\ngrace\n"


@dataclass
class Hub:
    """The users of a hub's API; `busy` is how often it refuses to stop a server or to delete somebody."""

    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    busy: int = 0
    status: int = 400
    cause: str = "is in the process of stopping"
    asked: list[str] = field(default_factory=list)

    def users(self) -> list[Any]:
        return list(self.known.values())

    def find(self, path: str) -> Any:
        return copy.deepcopy(self.known.get(path.removeprefix("users/")))

    def post(self, path: str, body: Any) -> None:
        self.asked.append(f"POST {path} {body['usernames']} {body['admin']}")

    def patch(self, path: str, body: Any) -> None:
        self.asked.append(f"PATCH {path} {body['admin']}")

    def delete(self, path: str) -> None:
        self.asked.append(f"DELETE {path}")
        if self.busy:
            self.busy -= 1
            raise ApiError(DOMAIN, self.status, self.cause, "")
        _, name, *server = path.split("/")
        if server:
            self.known[name]["servers"].pop(unquote(server[-1]) if len(server) > 1 else "")
        else:
            del self.known[name]

    @property
    def api(self) -> HubApi:
        return self  # type: ignore[return-value]  # the part of it that is needed


def user(name: str, *, admin: bool = False, seen: str | None = None, servers: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return somebody as the hub's API gives them."""
    return {"name": name, "admin": admin, "last_activity": seen, "servers": {one: {} for one in servers}}


def found(*known: dict[str, Any], current: str = LIST, let_in: str = "", by_provider: str = "") -> HubPeople:
    """Return what was found at a hub."""
    files = {listed.CURRENT: current, listed.LET_IN: let_in or current, listed.BY_PROVIDER: by_provider}
    return HubPeople(listed.read(files), {one["name"]: one for one in known})


BOTH = (user("ada", admin=True), user("grace"))


def planned(userlist: str, seen: HubPeople, hub: Hub | None = None) -> Plan:
    """Return the plan."""
    return users.plan(userlist, seen, ACCESS, (hub or Hub()).api, PLACE)


def sentences(plan: Plan) -> list[str]:
    """Return what it does."""
    return [change.sentence.removesuffix(f" on {MANAGER}") for change in plan.changes]


def test_a_hub_in_line_with_the_list_is_left_alone() -> None:
    """Comments and the order do not count."""
    plan = planned("# the class\ngrace\nada admin\n", found(*BOTH))
    assert (plan.changes, plan.summary) == ((), "the hub is in line with the userlist: 2 people")


def test_who_is_new_is_let_in() -> None:
    """Admins and others apart, as the hub's API has it; that interrupts nobody."""
    plan = planned(f"{LIST}linus\nturing\nhopper admin\n", found(*BOTH))
    assert sentences(plan) == [
        "send the userlist to the hub",
        "add linus, turing to the hub",
        "add hopper to the hub as admin",
        "record that the hub has this userlist",
    ]
    assert {change.cost for change in plan.changes} == {Cost.NOTHING}


def test_who_is_named_no_more_is_removed_between_the_list_and_the_record() -> None:
    """With the list sent first they do not get in again; the record comes when nothing is left to do."""
    plan = planned("ada admin\n", found(*BOTH))
    assert sentences(plan) == [
        "send the userlist to the hub",
        "remove grace from the hub",
        "record that the hub has this userlist",
    ]
    assert users.gone(Users(frozenset({"ada"}), frozenset({"ada"})), found(*BOTH)) == ["grace"]


def test_a_run_that_was_interrupted_is_gone_on_with() -> None:
    """The list was sent and Grace has gone; Linus has not, and nothing is recorded."""
    seen = found(user("ada", admin=True), user("linus"), current="ada admin\n", let_in=f"{LIST}linus\n")
    assert sentences(planned("ada admin\n", seen)) == [
        "remove linus from the hub",
        "record that the hub has this userlist",
    ]


def test_a_removal_says_whose_servers_stop() -> None:
    """Of the others it says that they may no longer log in."""
    seen = found(user("ada", admin=True), user("grace", servers=("",)), user("linus"), current=f"{LIST}linus\n")
    removals = [change for change in planned("ada admin\n", seen).changes if change.verb == "remove"]
    assert [(change.cost, change.people) for change in removals] == [
        (Cost.NOTEBOOKS_STOP, ("grace",)),
        (Cost.REMOVAL, ("linus",)),
    ]


def test_who_got_in_otherwise_stays() -> None:
    """By the console, also as an admin, or by an organisation: no list has let them in."""
    grace = user("grace", admin=True)
    seen = found(user("ada", admin=True), grace, user("linus"), user("turing"), by_provider="turing\n")
    assert planned(LIST, seen).changes == ()


def test_admin_rights_follow_the_list() -> None:
    """Who has got 'admin' behind the name becomes one, who has lost it is none."""
    assert sentences(planned("ada\ngrace admin\n", found(*BOTH)))[1:3] == [
        "make grace an admin of the hub",
        "withdraw ada's admin rights at the hub",
    ]


@pytest.fixture
def host() -> FakeHost:
    """Return the host of the hub's container, which keeps that Ada and Grace are listed."""
    files = ("userlist.let-in", "deleted", "userlist")
    moves = [f"docker exec hub-1 mv -f /data/access/{name}.new /data/access/{name}" for name in files]
    packed = context.archive({f"access/{name}": LIST.encode() for name in (listed.CURRENT, listed.LET_IN)})
    return FakeHost(MANAGER, {"GET /containers/hub-1/archive": [packed]}, dict.fromkeys(moves, Output(0, "", "")))


def applied(plan: Plan, host: FakeHost) -> None:
    """Apply all changes."""
    for change in plan.changes:
        change.apply(host, FakeProgress())


def sent(content: bytes) -> dict[str, str]:
    """Return the files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {name: file.read().decode() for name in tar.getnames() if (file := tar.extractfile(name))}


def test_a_list_is_put_whole_into_the_place_of_the_one_before(host: FakeHost) -> None:
    """First who has been let in by either and who is removed, then the list: a hub that restarts in between knows whom to shut
    out.
    """
    applied(planned("ada admin\nlinus\n", found(*BOTH, user("linus")), Hub({"grace": user("grace")})), host)
    first, last = (request for request in host.engine.requests if request.method == "PUT")
    assert (first.path, first.params) == ("/containers/hub-1/archive", {"path": "/data/access"})
    assert sent(first.body) == {
        "userlist.let-in.new": "ada admin\ngrace\nlinus\n",
        "deleted.new": "grace\n",
        "userlist.new": "ada admin\nlinus\n",
    }
    assert sent(last.body) == {"userlist.let-in.new": "ada admin\nlinus\n"}
    assert [argv[-1].rpartition("/")[2] for argv in host.ran] == ["userlist.let-in", "deleted", "userlist", "userlist.let-in"]


def test_a_list_that_cannot_be_kept_is_told(host: FakeHost) -> None:
    """With the container's own words."""
    plan = planned("ada admin\nlinus\n", found(user("ada", admin=True), user("linus")))
    full = dict.fromkeys(host.commands, Output(1, "", "mv: cannot stat\n"))
    with pytest.raises(StepError, match="the userlist cannot be kept: mv: cannot stat"):
        applied(plan, FakeHost(MANAGER, host.engine.answers, full))


def test_people_and_bits_are_the_hubs_api(host: FakeHost) -> None:
    """All who are new in one request, each bit in one of its own."""
    hub = Hub()
    applied(planned("ada\ngrace admin\nlinus\nturing\n", found(*BOTH), hub), host)
    assert hub.asked == ["POST users ['linus', 'turing'] False", "PATCH users/grace True", "PATCH users/ada False"]


def test_who_is_removed_has_all_servers_stopped_first(host: FakeHost, clock: Clock) -> None:
    """JupyterHub refuses to delete whose servers run, and to stop what is starting: it is asked again.

    Before its version 6, a server could have any name.
    """
    hub = Hub({"grace": user("grace", servers=("", "gpu/1"))}, busy=1)
    seen = found(user("ada", admin=True), hub.known["grace"])
    applied(planned("ada admin\n", seen, hub), host)
    stops = ["DELETE users/grace/server", "DELETE users/grace/servers/gpu%2F1"]
    assert (hub.asked, hub.known) == ([stops[0], *stops, "DELETE users/grace"], {})


def test_named_servers_that_were_turned_off_are_told_at_once(host: FakeHost, clock: Clock) -> None:
    """The hub runs on with those that were started before, and refuses to stop them."""
    hub = Hub({"grace": user("grace", servers=("gpu",))}, busy=9999, cause="Named servers are not enabled.")
    seen = found(user("ada", admin=True), hub.known["grace"])
    with pytest.raises(StepError, match=r"limits\.named_servers is 0\. Set it to 1, then: fab deploy"):
        applied(planned("ada admin\n", seen, hub), host)
    assert clock.slept == []


def test_who_does_not_go_is_told(host: FakeHost, clock: Clock) -> None:
    """Within a minute."""
    hub = Hub({"grace": user("grace", servers=("",))}, busy=9999)
    with pytest.raises(StepError, match="grace is still in after 60 s: a server of theirs does not stop"):
        applied(planned("ada admin\n", found(user("ada", admin=True), hub.known["grace"]), hub), host)


def token(client: str) -> dict[str, Any]:
    """Return a token as the hub's API gives it."""
    return {"kind": "api_token", "oauth_client": client, "note": ""}


@pytest.mark.parametrize("wanted", ["ada admin\n", "ada admin\ngrace\n"], ids=["removed", "no admin any more"])
def test_in_whose_servers_somebody_was_is_told(host: FakeHost, clock: Clock, wanted: str) -> None:
    """What is open there stays open; their own servers are no matter."""
    grace = user("grace", admin=True)
    clients = ["JupyterHub", "Server at /user/ada/", "Server at /user/grace/", "Server at /user/a%20b/gpu/"]
    hub = Hub({"grace": grace, "grace/tokens": {"api_tokens": [token(one) for one in clients]}})
    progress = FakeProgress()
    for change in planned(wanted, found(user("ada", admin=True), grace, current="ada admin\ngrace admin\n"), hub).changes:
        if change.verb in ("remove", "withdraw"):
            change.apply(host, progress)
    told = "grace was in servers of others: a b/gpu, ada. What is open there ends when they are stopped"
    assert [line for _, line in progress.lines] == [told]


def test_a_name_that_somebody_else_has_is_told() -> None:
    """With the way to let them in."""
    seen = HubPeople(listed.read({listed.CURRENT: LIST, listed.OTHERS: "grace\n"}), {})
    (line,) = users.strangers(seen)
    assert line.startswith("somebody else has tried to log in as grace: ")
    assert line.endswith("To let it in, remove grace and add them again")


def volume(**files: str) -> FakeHost:
    """Return a manager whose hub's volume keeps these files; no hub runs."""
    packed = context.archive({f"access/{name}": text.encode() for name, text in files.items()})
    answers = {"POST /containers/create": {"Id": "c1"}, "DELETE /containers/c1": None, "PUT /containers/c1/archive": None}
    missing = EngineError(MANAGER, 404, "no such path")
    return FakeHost(MANAGER, {**answers, "GET /containers/c1/archive": [packed] if files else missing})


def sent_to(host: FakeHost) -> dict[str, str]:
    """Put a list of Ada alone into force on a volume, and return the files that are sent."""
    users.send_to_volume(settings(), "jupyterhub:new", "ada admin\n", MANAGER).apply(host, FakeProgress())
    bodies = [one.body for one in host.engine.requests if one.method == "PUT"]
    if not bodies:
        return {}
    with tarfile.open(fileobj=io.BytesIO(bodies[0])) as tar:
        return {name: opened.read().decode() for name in tar.getnames() if (opened := tar.extractfile(name))}


def test_where_no_hub_answers_the_list_goes_to_its_volume() -> None:
    """The next hub shuts out Grace, whom an earlier list has let in."""
    kept = {listed.CURRENT: LIST, listed.LET_IN: LIST, listed.IMAGE: LIST}
    assert sent_to(volume(**kept)) == {
        listed.CURRENT: "ada admin\n",
        listed.LET_IN: LIST,
        listed.DELETED: "grace\n",
    }


@pytest.mark.parametrize(
    "files", [{}, {listed.CURRENT: LIST, listed.IMAGE: "ada admin\n"}], ids=["no hub yet", "an older list"]
)
def test_a_list_that_is_no_newer_is_not_sent_to_the_volume(files: dict[str, str]) -> None:
    """The first hub goes by its image's; one that was sent after a deploy of this list stays."""
    assert sent_to(volume(**files)) == {}


def test_what_the_hub_keeps_is_read_from_its_container() -> None:
    """As the engine packs a folder."""
    content = {"access/userlist": LIST, "access/userlist.let-in": f"{LIST}linus\n", "access/by-provider": "turing\n"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(folder := tarfile.TarInfo("access"))
        folder.type = tarfile.DIRTYPE
        for name, text in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    whole = packed.getvalue()
    host = FakeHost(MANAGER, {"GET /containers/hub-1/archive": [whole[:700], whole[700:]]})
    kept = users.read(host, PLACE, "github")
    assert [*kept.removed, *kept.by_provider] == ["linus", "turing"]


def test_what_a_hub_keeps_is_bounded() -> None:
    """Somebody who has broken into it may have filled the folder: this machine's memory is not."""
    left = iter([b"\0" * (1 << 20)] * 100)
    host = FakeHost(MANAGER)
    host.engine.download = lambda _, **params: (part for part in left)  # type: ignore[method-assign]
    with pytest.raises(StepError, match="more than 64 MB in /data/access"):
        users.read(host, PLACE, "github")
    assert len([*left]) == 35


def test_a_broken_connection_is_not_taken_for_a_hub_that_never_was() -> None:
    """Nobody would be removed by the hub that starts next."""
    host = volume(**{listed.CURRENT: LIST})
    host.engine.answers["GET /containers/c1/archive"] = StepError(MANAGER, "the connection broke", "Run this again")
    with pytest.raises(StepError, match="the connection broke"):
        sent_to(host)


def test_a_hub_of_before_is_told() -> None:
    """It has no such folder; the next deploy brings one that has."""
    host = FakeHost(MANAGER, {"GET /containers/hub-1/archive": EngineError(MANAGER, 404, "no such path")})
    with pytest.raises(StepError, match=r"The hub is of an older release: fab deploy"):
        users.read(host, PLACE, "github")


def test_everybody_is_shown_with_why_they_are_in() -> None:
    """Also who is listed and unknown to the hub, or listed no more and not removed yet; other providers are named."""
    known = [user(name) for name in ("ada", "linus", "turing", "hopper")]
    seen = found(*known, current=LIST, let_in=f"{LIST}hopper\n", by_provider="turing\n")
    assert {one.name: one.source for one in users.people(seen, ACCESS)} == {
        "ada": "userlist",
        "grace": "userlist",
        "hopper": "removed: fab users-sync",
        "linus": "console",
        "turing": "organisation",
    }
    (*_, turing) = users.people(seen, settings(access={"provider": "google"}).access)
    assert (turing.name, turing.source) == ("turing", "google")


def test_a_row_is_as_one_says_it() -> None:
    """How long ago, and which servers; JupyterHub's default server has no name."""
    people = [
        Person("ada", True, "userlist", NOW - timedelta(hours=3), ("", "gpu")),
        Person("grace", False, "console", None, ()),
        Person("linus", False, "console", NOW - timedelta(days=9), ()),
    ]
    assert users.rows(people, NOW) == [
        ("ada", "admin", "userlist", "3 h ago", "default, gpu"),
        ("grace", "", "console", "never", ""),
        ("linus", "", "console", "9 d ago", ""),
    ]
    assert users.styles(people) == ["green", "dim", ""]


def test_machines_get_the_same() -> None:
    """Times in ISO 8601, null for never."""
    seen = found(user("ada", admin=True, seen="2026-11-15T09:00:00Z", servers=("",)))
    assert users.as_json(users.people(seen, ACCESS)) == [
        {"name": "ada", "admin": True, "from": "userlist", "last_seen": "2026-11-15T09:00:00+00:00", "servers": [""]},
        {"name": "grace", "admin": False, "from": "userlist", "last_seen": None, "servers": []},
    ]


@dataclass
class Refusing(Hub):
    """A hub that does not delete Grace."""

    def delete(self, path: str) -> None:
        if path == "users/grace":
            raise ApiError(DOMAIN, 403, "no", "")
        super().delete(path)


def test_who_cannot_be_removed_keeps_nobody_else_in() -> None:
    """Linus, who comes later, goes; that all is done is not recorded."""
    known = {one["name"]: one for one in (user("grace"), user("linus"))}
    hub = Refusing(copy.deepcopy(known))
    seen = found(user("ada", admin=True), *known.values(), current="ada admin\n", let_in=f"{LIST}linus\n")
    hosts: Any = {MANAGER: None}
    with pytest.raises(StepError, match="no"):
        plans.apply(planned("ada admin\n", seen, hub), hosts, FakeProgress(), FakeJournal())
    assert [*hub.known] == ["grace"]


def test_an_error_of_the_hubs_own_is_tried_again() -> None:
    """Somebody who keeps asking for a server makes the hub fail in between; then they are out."""
    hub = Hub({"grace": user("grace")}, busy=1, status=500)
    seen = found(user("ada", admin=True), user("grace"), current="ada admin\n", let_in=LIST)
    (removal,) = [change for change in planned("ada admin\n", seen, hub).changes if change.verb == "remove"]
    removal.apply(FakeHost(MANAGER), FakeProgress())
    assert hub.known == {}
