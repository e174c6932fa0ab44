"""Find the servers that run without the hub's knowing them and remove them, and those that have ended without its knowing."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hub.shared.servers import spec
from hub.shared.told import FILE
from hub.spawner import news
from hub.spawner.service import Docker
from hub.spawner.starts import ENGINE_ERRORS, Nodes

SECONDS = 5.0
NOTEBOOKS, OWNER, _PROFILE, SERVER = spec.LABELS


@dataclass
class Sweep:
    """Looks again and again; what was unknown at two looks in a row is removed, and what has ended loses its route.

    The hub may have been replaced, or a start given up, before the engine had answered: nobody would stop such a server.
    """

    docker: Docker
    hub: str
    users: Callable[[], Iterable[Any]]
    nodes: Nodes
    log: logging.Logger
    file: Path = FILE
    _seen: frozenset[str] = field(default=frozenset())

    async def forever(self) -> None:
        """Look until the hub ends."""
        while True:
            try:
                await self.look()
            except ENGINE_ERRORS as error:
                self.log.warning("The engine does not say which servers there are: %s", error)
            except Exception:
                # Nothing else ends it, or servers that nobody knows would stay for good.
                self.log.exception("A look at the servers has failed; the next one is in %.0f s", SECONDS)
            await asyncio.sleep(SECONDS)

    async def look(self) -> None:
        """Look once."""
        found = await self.docker("services", filters={"label": f"{NOTEBOOKS}={self.hub}"})
        known = {user.name: user.spawners for user in self.users()}
        unknown = {one["ID"]: str(one["Spec"]["Name"]) for one in found if not is_known(one, known)}
        gone = {id_ for id_ in sorted(self._seen & unknown.keys()) if await self._is_removed(id_, unknown[id_])}
        self._seen = frozenset(unknown.keys() - gone)
        await self._end({spawner.object_id: spawner for of in known.values() for spawner in of.values() if spawner.ready})
        self._write([unknown[id_] for id_ in self._seen])

    async def _is_removed(self, id_: str, name: str) -> bool:
        """Remove a server, and tell whether that was possible: else it is tried at the next look, and the others go on."""
        self.log.warning("Removing %s, which the hub does not know", name)
        try:
            await self.docker("remove_service", id_)
        except ENGINE_ERRORS as error:
            self.log.warning("%s cannot be removed: %s", name, error)
            return False
        return True

    async def _end(self, ready: Mapping[str, Any]) -> None:
        """Let JupyterHub see which of the spawners that are ready, by their services, have a server that has ended.

        It asks every half a minute. Until then the proxy leads to the server's address, which another user's may have by now.
        """
        tasks: dict[str, list[Any]] = {id_: [] for id_ in ready}
        for task in await self.docker("tasks", filters={"label": f"{NOTEBOOKS}={self.hub}"}) if ready else ():
            tasks.get(task["ServiceID"], []).append(task)
        ended = [ready[id_] for id_, of in tasks.items() if news.status(of) is not None]
        await asyncio.gather(*(spawner.poll_and_notify() for spawner in ended))

    def _write(self, unknown: list[str]) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({"unknown": sorted(unknown), "avoided": [asdict(one) for one in self.nodes.told()]}))
        new.replace(self.file)


def is_known(service: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether a service is a server that one of the users' spawners, by user and by server, has or is making."""
    labels = service["Spec"]["Labels"]
    spawner = known.get(labels.get(OWNER), {}).get(labels.get(SERVER, ""))
    return spawner is not None and spawner.active and spawner.object_id in ("", service["ID"])
