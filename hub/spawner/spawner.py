"""Start single-user servers as services of the swarm, and follow them until they answer."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dockerspawner
from docker.errors import APIError
from docker.types import EndpointSpec
from jupyterhub.spawner import SpawnException
from traitlets import Dict, List, default

from hub.shared import services
from hub.shared.people import listed
from hub.shared.servers import extras, mounts, nodes, spec
from hub.shared.servers.spec import Extra
from hub.spawner import given, homes, profiles
from hub.spawner import news as reading
from hub.spawner.news import News
from hub.spawner.service import Service, answers, refusal
from hub.spawner.starts import ENGINE_ERRORS, Ended, Nodes, Start, Tasks

THREADS = 8
LISTS = Path("/data") / listed.FOLDER
TOLD_SECONDS = 0.2
NOTEBOOKS, OWNER, _PROFILE, SERVER = spec.LABELS
# Ends of a start that a package or a setting in the home may have caused.
MAY_BE_IN_HOME = ("exit", "timeout")
# Why Swarm may find no node for a server.
NO_NODE = ("placement", "resources")


class SwarmSpawner(dockerspawner.SwarmSpawner):  # type: ignore[misc]  # dockerspawner has no types
    """dockerspawner's SwarmSpawner, with specs from hosts.toml, that follows the engine instead of sleeping.

    Servers are reached by address instead of by name. A server that is stopped and
    started again keeps its name and gets another address. JupyterHub 6 resolves names
    through aiodns, which keeps an answer for as long as Docker's DNS lets it, 600 s: the
    hub would go on asking the old server, and would give the new one up after `http_timeout`.
    """

    tables: Any = Dict(config=True, help="The tables of hosts.toml that the hub is handed.")
    configs: Any = List(config=True, help="Swarm configs that every server gets, as docker-py's ConfigReference.")

    _threads: ThreadPoolExecutor | None = None
    _news: tuple[News, ...] = ()
    _tasks = Tasks()
    nodes = Nodes()
    # The domain and port, and the path, that the server was started for; nothing where the hub has its whole domain for all.
    _netloc = ""
    # What it has said of how it is used: hub.shared.servers.idleness.Use.state.
    use: Mapping[str, Any] = {}

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Return the threads in which all spawners ask the engine; dockerspawner has one, where every start waits."""
        cls = type(self)
        if cls._threads is None:
            cls._threads = ThreadPoolExecutor(THREADS)
        return cls._threads

    @default("object_name")
    def _object_name_default(self) -> str:
        return mounts.short(services.server(super()._object_name_default(), self.prefix))

    @property
    def _service(self) -> Service:
        return Service(self.docker, self.object_id)

    @property
    def _own_netloc(self) -> str:
        url = urlsplit(self.user.url)
        path, below, _ = url.path.partition("/user/")
        return f"{url.netloc}{path if below else ''}"

    async def start(self) -> tuple[str, int]:
        """Start the server and return its address when it answers.

        Raises:
            SpawnException: it does not come; the message is for the person who waits.

        """
        try:
            return await self._start()
        except Ended as end:
            said = "".join(f"\n    {line}" for line in end.lines)
            raise self._failure(end.words, end.news.reason, f"{end.news.detail}{said}") from None
        except homes.NotHere as error:
            raise self._failure(error.words, error.reason, error.detail) from None
        except ENGINE_ERRORS as error:
            if why := refusal(error):
                raise self._failure(f"The cluster refuses to start your server. {reading.ASK}", "refused", why) from None
            words = "The cluster does not answer as it should at the moment. Try again in a minute."
            raise self._failure(words, "engine", str(error)) from error

    def clear_state(self) -> None:
        """Forget the last start: JupyterHub calls this before each one, and somebody may ask for its progress at once."""
        super().clear_state()
        self._news, self.use = (), {}

    def get_state(self) -> dict[str, Any]:
        """Return what is kept of a server while the hub is away."""
        return {**super().get_state(), "netloc": self._netloc, "use": self.use}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what was kept."""
        super().load_state(state)
        self._netloc, self.use = state.get("netloc", ""), state.get("use", {})

    async def poll(self) -> int | None:
        """Return None while the server runs or is being placed, else its exit code."""
        if not self.object_id:
            return await self._remove_unknown()
        if self._netloc != self._own_netloc:
            where = self._netloc or "the hub's domain"
            self.log.warning("Stopping %s: it was started for %s, and would send people there", self.object_name, where)
            with contextlib.suppress(*ENGINE_ERRORS):
                await self.remove_object()
            return 0
        code = await self._code()
        is_told = False
        # A hub that starts asks each server for `http_timeout`, and stops one that does not answer: its node's network may
        # only be down. So that check waits here as long as the server runs; what is open in a browser goes on.
        while code is None and self._check_pending and self.server and not await self._answers():
            if not is_told:
                self.log.warning("%s runs and does not answer the hub; waiting for it", self.object_name)
                is_told = True
            code = await self._code()
        return code

    async def _answers(self) -> bool:
        return await answers((self.server.ip, self.server.port), f"{self.server.base_url}api")

    async def _code(self) -> int | None:
        """Return None while the engine does not say that the server has ended, else its exit code; take it away then."""
        try:
            tasks = await self._service.tasks()
        except ENGINE_ERRORS as error:
            # To JupyterHub, an exception here means that the server has stopped.
            self.log.warning("The engine does not say how %s is, which counts as running: %s", self.object_name, error)
            return None
        code = reading.status(tasks)
        if code is not None:
            await self._clear_away(tasks)
        return code

    async def _remove_unknown(self) -> int | None:
        """Remove a server of this user's whose id is not known; return that it does not run, or None while that is not known.

        The hub was replaced, or the start was given up, before the engine had answered. Nobody waits for the server, and
        JupyterHub does not know its address.
        """
        try:
            found = await self.docker("inspect_service", self.object_name)
            labels = found["Spec"].get("Labels") or {}
            if [labels.get(name) for name in (NOTEBOOKS, OWNER, SERVER)] == [self.prefix, self.user.name, self.name]:
                self.log.warning("Removing %s, whose start nobody waits for", self.object_name)
                self.object_id = found["ID"]
                await self.remove_object()
        except ENGINE_ERRORS as error:
            # The filter shows only what is the hub's.
            if getattr(error, "status_code", 0) not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
                self.log.warning(
                    "The engine does not say whether %s runs, which counts as running: %s", self.object_name, error
                )
                return None
        return 0

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what happens as it happens, until JupyterHub has heard enough."""
        told = 0
        while True:
            for news in self._news[told:]:
                told += 1
                yield {"progress": news.progress, "message": news.message}
            await asyncio.sleep(TOLD_SECONDS)

    async def create_object(self, avoided: Iterable[str] = ()) -> dict[str, Any]:
        """Create the service, for any node but those that are `avoided`, and return the engine's answer."""
        container = {
            "args": await given.command(self, self._given.server),
            "env": given.environment(self, self._given),
            "mounts": self._given.mounts,
            **(self._given.owner.container if self._given.owner else {}),
            "configs": list(self.configs),
        }
        where = nodes.placement(self.extra_placement_spec, self.tables["notebook"])
        extra = Extra(self.extra_container_spec, self.extra_resources_spec, where, self.extra_task_spec)
        if wrong := [*extras.replacing(vars(extra))]:  # a hook has set it, which no check has seen
            raise self._failure(f"Your server's settings contradict each other. {reading.ASK}", "settings", "; ".join(wrong))
        values = (self.prefix, self.user.name, self._given.profile, self.name)
        placed = [*self._given.placed, *(f"node.id!={node}" for node in avoided)]
        created: dict[str, Any] = await self.docker(
            "create_service",
            task_template=spec.task_template(self._given.server, container, placed, self.network_name, extra),
            endpoint_spec=EndpointSpec(**self.extra_endpoint_spec),
            name=self.object_name,
            labels={**self._given.server["labels"], **dict(zip(spec.LABELS, values, strict=True))},
        )
        return created

    async def _start(self) -> tuple[str, int]:
        # They may ask on with a token until the hub has deleted them, which it does not do while a server starts.
        if self.user.name in listed.load(LISTS, self.tables["access"]["provider"]).removed:
            words = f"You may no longer use this hub. {reading.ASK}"
            raise self._failure(words, "removed", f"the userlist in force no longer names {self.user.name}")
        self._given = await given.gather(self)
        self._netloc = self._own_netloc
        self.image, self.default_url = self._given.server["image"], self._given.server["default_url"]
        # It may have kept the name that it ran by under an older hub, which one of the hub's own services may have now.
        self.object_name = self._object_name_default()
        await self._make_way()
        since = time.monotonic()
        try:
            return await self._somewhere(since)
        except Ended as end:
            if self._given.is_bare or not end.is_for_room:
                raise
            self._tell(replace(end.news, message="Your home is full: starting once more, without what is in it", failed=""))
            self._given = replace(self._given, is_bare=True)
            return await self._somewhere(since)

    async def _somewhere(self, since: float) -> tuple[str, int]:
        """Start the server; once more elsewhere, if a node has refused it, or everywhere, if too many nodes are avoided."""
        avoided = self.nodes.avoided(self.image) if self._given.is_free else []
        try:
            return await self._once(since, avoided)
        except Ended as end:
            first, news = end, end.news
            if not self._given.is_free or not (news.is_refusal or (avoided and news.reason in NO_NODE)):
                raise
        if first.news.is_refusal:
            self._tell(replace(first.news, message=f"{first.news.failed} Trying another node", failed=""))
        try:
            return await self._once(since, self.nodes.avoided(self.image) if first.news.is_refusal else ())
        except Ended as second:
            raise (first if first.news.is_refusal and second.news.reason in NO_NODE else second) from None

    async def _once(self, since: float, avoided: Iterable[str]) -> tuple[str, int]:
        """Start the server on a node that is not avoided; what refuses it is avoided from then on."""
        self.object_id = (await self.create_object(avoided))[self.object_id_key]
        self.log.info("Created service %s (%s)", self.object_name, self.object_id)
        start = Start(
            self._service,
            self._tasks,
            hub=self.prefix,
            user=self.user.name,
            network=self.network_name,
            needs=spec.needs(self._given.server),
            volume=self._given.volume,
            limit=self.tables["notebook"]["start_timeout"],
            since=since,
            log=self.log,
            tell=self._tell,
        )
        try:
            return await start.follow(self.port, f"{self.server.base_url}api")
        except Ended as end:
            if end.news.is_refusal:
                self.log.warning("%s refuses %s: %s", end.news.host, self.object_name, end.news.detail)
                if self._given.is_of_node(end.news):
                    self.nodes.avoid(end.news.node, self.image, end.news.host, end.news.detail)
            # JupyterHub stops only what runs; the service of a task that has ended would stay.
            await self.remove_object()
            raise

    def _tell(self, news: News) -> None:
        self._news = (*self._news, news)

    async def _make_way(self) -> None:
        """Remove what an earlier start has left, and nothing else of that name.

        Raises:
            SpawnException: it is no server of this user's, or another one.

        """
        try:
            found = await self.get_object()
        except APIError as error:
            if error.status_code != HTTPStatus.FORBIDDEN:
                raise
            found = {"Spec": {}}  # the filter shows nothing of what is not the hub's
        if not found:
            return
        labels = found["Spec"].get("Labels") or {}
        found_of = (labels.get(NOTEBOOKS), labels.get(OWNER), labels.get(SERVER, self.name))  # older hubs did not say which
        if found_of != (self.prefix, self.user.name, self.name):
            self.object_id = ""  # whoever stops this server is not to stop that one
            words = f"Your server cannot have its name: the cluster has something else that is called so. {reading.ASK}"
            raise self._failure(words, "name", f"there is a service of that name that is not this server of {self.user.name}")
        self.log.warning("Removing %s, which an earlier start has left", self.object_name)
        await self.remove_object()

    def _failure(self, words: str, reason: str, detail: str) -> SpawnException:
        log = f"{self.object_name} does not start ({reason}): {detail}"
        failure = SpawnException(words, reason=reason, log_message=log)
        failure.jupyterhub_message = words
        failure.bare = profiles.bare(self.user_options) if reason in MAY_BE_IN_HOME else ""
        return failure

    async def _clear_away(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Remove the service of a server that has ended; its last words go into the log."""
        news = reading.read(tasks, {})
        with contextlib.suppress(*ENGINE_ERRORS):
            lines = await self._service.last_lines() if tasks else []
            self.log.warning("%s has ended: %s %s", self.object_name, news.failed, news.detail)
            for line in lines:
                self.log.warning("    %s", line)
            await self.remove_object()

    async def remove_object(self) -> None:
        """Remove the service; that it is gone already is no error."""
        try:
            await super().remove_object()
        except APIError as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
        # Whoever polls from now on, such as JupyterHub after a start that was refused, is not to ask for it again.
        self.object_id = ""
