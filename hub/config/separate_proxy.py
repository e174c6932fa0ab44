"""JupyterHub's proxy where it runs as a service of its own: started and stopped by Swarm, told its routes by the hub."""

import asyncio
from typing import Any

from jupyterhub.proxy import ConfigurableHTTPProxy
from tornado.ioloop import PeriodicCallback

# The address of a proxy that has been replaced does not refuse a connection: it says nothing, for half a minute.
ANSWER_SECONDS = 2
# The way to the hub within the proxy's container, where its limits are: hub/proxy/hub.conf.
DOOR = "http://127.0.0.1:8002"


class SeparateProxy(ConfigurableHTTPProxy):  # type: ignore[misc]  # it has no types
    """A proxy that may start anew at any time, and then knows no route; stock JupyterHub finds out after five minutes."""

    _watch: Any = None

    async def start(self) -> None:
        """Begin to look after its routes."""
        self._watch = PeriodicCallback(self.check_running, 1000 * self.check_running_interval)
        self._watch.start()

    def stop(self) -> None:
        """Look no longer; it goes on."""
        if self._watch:
            self._watch.stop()

    def add_hub_route(self, hub: Any) -> Any:
        """Route what is nobody's server to the hub, by the way that has limits."""
        return self.add_route(hub.routespec, DOOR, {"hub": True})

    async def get_all_routes(self) -> Any:
        """Return the routes; to JupyterHub, the one by that way leads to the hub, and one past it does not."""
        routes, hub = await super().get_all_routes(), self.app.hub
        if found := routes.get(hub.routespec):
            found["target"] = {DOOR: hub.host, hub.host: DOOR}.get(found["target"], found["target"])
        return routes

    async def check_running(self) -> None:
        """Tell it all routes if it has not the hub's own."""
        try:
            routes = await asyncio.wait_for(self.get_all_routes(), ANSWER_SECONDS)
        except TimeoutError:  # it is asked again soon
            return
        if self.app.hub.routespec not in routes:
            self.log.warning("The proxy has restarted: telling it the routes")
            await self.restore_routes()
