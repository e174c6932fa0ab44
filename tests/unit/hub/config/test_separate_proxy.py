"""A proxy that runs as a service of its own, as the hub looks after it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.proxy import ConfigurableHTTPProxy

from hub.config import separate_proxy
from hub.config.separate_proxy import SeparateProxy


class Proxy(SeparateProxy):
    """One whose API answers with these routes, and that counts how often it was told all of them."""

    def __init__(self, *routes: str) -> None:
        super().__init__(auth_token="token", app=SimpleNamespace(hub=SimpleNamespace(routespec="/")))
        self.routes: dict[str, Any] = {route: {} for route in routes}
        self.told = 0

    async def get_all_routes(self) -> dict[str, Any]:
        return self.routes

    async def restore_routes(self) -> None:
        self.told += 1


@pytest.mark.parametrize(("routes", "told"), [((), 1), (("/user/ada/",), 1), (("/", "/user/ada/"), 0)])
def test_one_that_has_started_anew_is_told_the_routes(routes: tuple[str, ...], told: int) -> None:
    """It knows none then, not even the hub's own."""
    proxy = Proxy(*routes)
    asyncio.run(proxy.check_running())
    assert proxy.told == told


def test_one_that_does_not_answer_is_asked_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address may be that of one that is gone, which refuses nothing: the look ends, and tells nobody the routes."""

    class Silent(Proxy):
        async def get_all_routes(self) -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

    monkeypatch.setattr(separate_proxy, "ANSWER_SECONDS", 0.01)
    proxy = Silent()
    asyncio.run(asyncio.wait_for(proxy.check_running(), 5))
    assert proxy.told == 0


def test_the_hub_neither_starts_nor_ends_it() -> None:
    """It only looks, from its start to its end."""

    async def run() -> list[bool]:
        proxy = Proxy("/")
        await proxy.start()
        running = [proxy._watch.is_running()]
        proxy.stop()
        return [*running, proxy._watch.is_running()]

    assert asyncio.run(run()) == [True, False]


def test_routes_of_users_domains_are_told_and_read_with_them() -> None:
    """As the proxy has them: behind a slash, and JupyterHub without."""
    proxy = SeparateProxy(auth_token="token", app=SimpleNamespace(), host_routing=True)
    assert proxy._routespec_to_chp_path("ada.hub.example.org/user/ada/") == "/ada.hub.example.org/user/ada"
    assert proxy._routespec_from_chp_path("/ada.hub.example.org/user/ada") == "ada.hub.example.org/user/ada/"
    assert proxy._routespec_from_chp_path("/") == "/"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (separate_proxy.DOOR, "http://hub:8081"),
        ("http://hub:8081", separate_proxy.DOOR),
        ("http://other:8081", "http://other:8081"),
    ],
    ids=["with limits", "past them, as a hub before told it", "to another hub"],
)
def test_the_way_to_the_hub_has_limits(monkeypatch: pytest.MonkeyPatch, target: str, told: str) -> None:
    """JupyterHub mends the route where it reads another target than the hub."""
    hub = SimpleNamespace(routespec="/", host="http://hub:8081")

    async def found(_: object) -> dict[str, Any]:
        return {"/": {"target": target}, "/user/ada/": {"target": "http://hub:8081"}}

    monkeypatch.setattr(ConfigurableHTTPProxy, "get_all_routes", found)
    routes = asyncio.run(SeparateProxy(auth_token="token", app=SimpleNamespace(hub=hub)).get_all_routes())
    assert [one["target"] for one in routes.values()] == [told, "http://hub:8081"]
