"""The operator's logins to registries, in the filter."""

import asyncio
from pathlib import Path

from aiohttp import ClientSession, UnixConnector, web

from hub.filter import logins, policy
from tests.unit.hub.asked import IMAGE
from tests.unit.hub.filter.engines import VERSION, Engine, beside, ruled
from tests.unit.hub.filter.sent import CREATE, SETTINGS, service

LOGIN = "eyJ1c2VybmFtZSI6ImFkYSJ9"


def test_each_registry_has_its_file(tmp_path: Path) -> None:
    """What is no login is left out: it goes into a header."""
    for name, text in (
        ("registry-login.private.lab:5000", f"{LOGIN}\n"),
        ("registry-login.broken", "a\r\nb"),
        ("registry-login.empty", ""),
        ("OTHER", LOGIN),
    ):
        (tmp_path / name).write_text(text)
    assert logins.load(tmp_path) == {"private.lab:5000": LOGIN}
    assert logins.load(tmp_path / "none") == {}


def test_a_login_goes_to_its_own_registry_alone() -> None:
    """An image without a registry, and one of another, have none."""
    known = {"private.lab:5000": LOGIN}
    assert logins.headers(known, "private.lab:5000/notebook@sha256:1") == {"X-Registry-Auth": LOGIN}
    assert [logins.headers(known, one) for one in ("private.lab/notebook", "notebook", "sha256:1", "")] == [{}] * 4


def test_a_new_service_has_the_login_of_its_images_registry_and_nothing_else_has() -> None:
    """What the hub itself sends as a login goes nowhere."""
    seen: list[tuple[str, str | None]] = []

    async def note(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, request.headers.get("X-Registry-Auth")))
        return web.json_response({})

    async def ask(socket: Path) -> None:
        async with ClientSession(connector=UnixConnector(str(socket)), headers={"X-Registry-Auth": "the hub's"}) as session:
            for method, path, body in (("POST", CREATE, service()), ("GET", f"{VERSION}/services", None)):
                async with session.request(method, f"http://docker{path}", json=body) as answer:
                    assert answer.status == 200, await answer.text()

    engine = Engine({"POST /services/create": note, "GET /services": note})
    for known in ({policy.registry(IMAGE): LOGIN}, {"other.lab": LOGIN}):
        asyncio.run(beside(engine, ruled(**SETTINGS), ask, logins=known))
    assert seen == [("POST", LOGIN), ("GET", None), ("POST", None), ("GET", None)]
