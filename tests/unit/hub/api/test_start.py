"""Where people are led whose server fails at once."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.handlers.pages import SpawnHandler
from tornado.web import HTTPError, RedirectHandler

from hub.api.start import StartHandler, leading_on


class Page(StartHandler):
    """The page without a request."""

    def __init__(self) -> None:
        self.led: list[str] = []

    def redirect(self, url: str, *_: Any, **__: Any) -> None:
        """Keep where somebody is led."""
        self.led.append(url)


def asked(monkeypatch: pytest.MonkeyPatch, *, failed: bool) -> list[str]:
    """Ask for a server, of which JupyterHub says an error at once."""

    async def fails(*_: Any) -> None:
        raise HTTPError(500, "exit code 1")

    monkeypatch.setattr(SpawnHandler, "_wrap_spawn_single_user", fails)
    page = Page()
    asyncio.run(page._wrap_spawn_single_user(None, "", "", SimpleNamespace(_failed=failed), "/hub/spawn-pending/ada"))
    return page.led


def test_a_server_that_fails_at_once_leads_to_the_page_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that fails later."""
    assert asked(monkeypatch, failed=True) == ["/hub/spawn-pending/ada"]


def test_what_is_refused_before_it_begins_is_told_on_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chooses something else there."""
    with pytest.raises(HTTPError, match="exit code 1"):
        asked(monkeypatch, failed=False)


def test_it_takes_the_place_of_jupyterhubs_own_page() -> None:
    """Whatever else there is stays."""
    given = [("/hub/spawn", SpawnHandler), ("/", RedirectHandler, {"url": "/hub"})]
    assert leading_on(given) == [("/hub/spawn", StartHandler), ("/", RedirectHandler, {"url": "/hub"})]
