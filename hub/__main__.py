"""Run JupyterHub, and beside it what looks after servers that it does not know."""

import asyncio
import os
from functools import partial
from typing import Any

from jupyterhub import app

from hub.spawner import engine
from hub.spawner.spawner import SwarmSpawner
from hub.spawner.sweep import Sweep


class JupyterHub(app.JupyterHub):  # type: ignore[misc]  # jupyterhub has no types
    """JupyterHub as it is: the name is that of its options and of its log."""

    _sweeping: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Start, and look after the servers from then on."""
        await super().start()
        if issubclass(self.spawner_class, SwarmSpawner):
            users = self.users.values
            sweep = Sweep(_ask(), os.environ["DOCKER_SERVICE_NAME"], users, SwarmSpawner.nodes, self.log)
            self._sweeping = asyncio.ensure_future(sweep.forever())


def _ask() -> Any:
    client = engine.connect()

    async def ask(method: str, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(partial(getattr(client, method), *args, **kwargs))

    return ask


if __name__ == "__main__":
    JupyterHub.launch_instance()
