"""A hub in memory: users, their servers and files, as its API and its engine show them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from swarmhub.people.api import ApiError, HubApi
from tests.unit.support.fakes import MANAGER, FakeHost, server_of

STAMP = "2026-11-15T10:00:00Z"
SERVICE = "jupyterhub"


@dataclass
class FakeHub:
    """What the hub knows; `refuses` says whose starts fail and why, and `on_start` is told of each."""

    users: set[str] = field(default_factory=set)
    running: dict[str, dict[str, str]] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    options: list[dict[str, str]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    elsewhere: bool = False
    keeps: bool = True
    on_start: Callable[[str], object] = str

    def api(self) -> "FakeApi":
        return FakeApi(self)

    def manager(self) -> FakeHost:
        """Return a manager whose engine runs the servers."""
        return FakeHost(MANAGER, self.answers)

    @property
    def answers(self) -> dict[str, Any]:
        """Return what the manager's engine says of the servers."""
        return {"GET /services": lambda _: self._services(), "GET /tasks": lambda _: self._tasks()}

    def _services(self) -> list[Any]:
        return [server_of(user) for user in self.running]

    def _tasks(self) -> list[Any]:
        status = {"State": "running", "Timestamp": STAMP}
        return [
            {
                "ServiceID": user,
                "CreatedAt": STAMP,
                "NodeID": "n9" if self.elsewhere else options["node"],
                "Status": status,
            }
            for user, options in self.running.items()
        ]


@dataclass(frozen=True)
class FakeApi:
    """The API of a hub, or of a user's server."""

    hub: FakeHub
    user: str = ""
    host: str = "hub.example.org"

    def server(self, user: str) -> "FakeApi":
        return replace(self, user=user)

    def users(self) -> Iterator[Any]:
        yield from ({"name": name} for name in sorted(self.hub.users))

    def get(self, path: str) -> Any:
        found = self.find(path)
        if found is None:
            raise ApiError(self.host, 404, "the hub answers 404: Not Found", "")
        return found

    def find(self, path: str) -> Any:
        if self.user:
            return self.hub.files.get(self.user)
        name = path.split("/")[1]
        return {"servers": {"": {}} if name in self.hub.running else {}} if name in self.hub.users else None

    def post(self, path: str, body: Any = None) -> Any:
        _, _, rest = path.partition("/")
        if path == "users":
            self.hub.users |= set(body["usernames"])
        else:
            name = rest.partition("/")[0]
            self.hub.on_start(name)
            self.get(f"users/{name}")
            self.hub.running[name] = body["user_options"]
            self.hub.options.append(body["user_options"])

    def put(self, path: str, body: Any) -> Any:
        self.hub.files[self.user] = body

    def delete(self, path: str, body: Any = None) -> None:
        if self.user:
            self.hub.files.pop(self.user, None)
            return
        _, name, *server = path.split("/")
        self.hub.running.pop(name, None)
        if not self.hub.keeps:
            self.hub.files.clear()
        if not server:
            self.hub.users.discard(name)

    def events(self, path: str) -> Iterator[Any]:
        name = path.split("/")[1]
        if name in self.hub.refuses:
            self.hub.running.pop(name, None)
            yield {"failed": True, "message": self.hub.refuses[name]}
        else:
            yield {"ready": True}


def as_api(api: FakeApi) -> HubApi:
    """Return it for whoever wants the real one."""
    return api  # type: ignore[return-value]
