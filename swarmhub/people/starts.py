"""Start and stop people's servers through the hub, as the admin console does."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.notebooks import servers
from swarmhub.parallel import gather
from swarmhub.people.api import ApiError, HubApi, of_server, of_user
from swarmhub.plan.plans import Progress
from swarmhub.wait import until

STOP_SECONDS = 60


def start_all(api: HubApi, names: Sequence[str], most: int, say: Callable[[str], object]) -> dict[str, StepError]:
    """Start servers, at most so many at a time; return who got none, and why.

    After a Ctrl-C no other is started, and who has one by then is said.
    """
    over, started = threading.Event(), list[str]()

    def begin(name: str) -> None:
        if not over.is_set() and start(api, name, over):
            started.append(name)
            say(f"{name}'s server runs ({len(started)} of {len(names)})")

    try:
        answers = gather([partial(begin, name) for name in names], most)
    except KeyboardInterrupt:
        over.set()
        say(f"started so far: {', '.join(started) or 'nobody'}; what was starting may still come")
        raise
    return {name: one for name, one in zip(names, answers, strict=True) if isinstance(one, StepError)}


def start(api: HubApi, name: str, over: threading.Event, options: Json = None) -> bool:
    """Start a user's server and wait until it answers; return False if it is `over` before.

    `options` are what the page before a start asks for, and "node": the id of the node to take.

    Raises:
        StepError: it does not come; the cause is the hub's own.

    """
    path = of_server(name)
    try:
        # Without any, JupyterHub takes those of the last time: a profile that may be gone.
        api.post(path, {"user_options": options or {}})
    except ApiError as error:
        if "already running" in error.cause:
            return True
        raise
    for event in api.events(f"{path}/progress"):
        if over.is_set():
            return False
        if event.get("failed"):
            raise StepError(api.host, str(event["message"]), "Its log: fab logs")
        if event.get("ready"):
            return True
    raise StepError(api.host, "the hub does not say what became of the start", "See: fab status")


@dataclass(frozen=True)
class Stopper:
    """Stop all servers of a user, and wait until nothing of them runs on any node."""

    api: HubApi
    user: str
    hub: str
    nodes: Sequence[Host]

    def __call__(self, host: Host, progress: Progress) -> None:
        """Do it; `host` is a manager.

        Raises:
            StepError: they do not stop in time.

        """
        services = [one.service for one in servers.observe(host, self.hub) if one.user == self.user]
        model = self.api.find(of_user(self.user)) or {}
        for server in model.get("servers") or {}:
            self.api.delete(of_server(self.user, server))
        cause = f"{self.user}'s server still runs after {STOP_SECONDS} s"
        until(
            lambda: not self._runs(host, services),
            STOP_SECONDS,
            lambda: StepError(host.name, cause, "See: fab status; then run this again"),
        )

    def _runs(self, manager: Host, services: Sequence[str]) -> bool:
        if any(one.user == self.user for one in servers.observe(manager, self.hub)):
            return True
        # A container ends after its service is gone, and may write until then.
        return any(containers.of_service(node, name) for node in self.nodes for name in services)
