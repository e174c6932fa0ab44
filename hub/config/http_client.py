"""What the hub asks outside, such as a login's provider, by an HTTP proxy: tornado's own client knows none."""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from hub.config import extra
from hub.shared import http_proxy

# tornado's own, where a request says none.
SECONDS = 20.0
NO_ANSWER = 599


def configure(table: Mapping[str, Any], secrets: Path) -> None:
    """Let all that asks by tornado, as JupyterHub's authenticators do, go by the proxy of a table, if it names one.

    Other programs learn of it by their environment, which others than the hub may read: not of one that is a secret.
    """
    if not table.get("url"):
        return
    if isinstance(table["url"], str):
        os.environ.update(http_proxy.variables(table["url"], table["no_proxy"]))
    url = extra.revealed(table["url"], secrets)
    AsyncHTTPClient.configure(ProxyingClient, proxy=url, no_proxy=tuple(table["no_proxy"]))


class ProxyingClient(SimpleAsyncHTTPClient):
    """tornado's client, which asks by aiohttp what is not ours: that knows proxies."""

    def initialize(self, *args: Any, proxy: str = "", no_proxy: Iterable[str] = (), **options: Any) -> None:
        """Take the proxy's address and what does not go by it, besides what tornado's client takes."""
        super().initialize(*args, **options)
        self._proxy, self._no_proxy = proxy, tuple(no_proxy)
        self._running: set[asyncio.Future[None]] = set()

    def fetch_impl(self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]) -> None:
        """Ask, and give the answer to the callback."""
        if http_proxy.goes_past(str(urlsplit(request.url).hostname), self._no_proxy):
            super().fetch_impl(request, callback)
            return
        asked = asyncio.ensure_future(self._ask(request, callback))
        self._running.add(asked)  # asyncio itself would forget it
        asked.add_done_callback(self._running.discard)

    async def _ask(self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]) -> None:
        try:
            response = await self._answer(request)
        except TimeoutError:
            response = _failed(request, f"no answer by the proxy within {request.request_timeout or SECONDS:g} s")
        except aiohttp.ClientHttpProxyError as error:
            response = _failed(request, f"the proxy answers {error.status}: {error.message}")
        except (aiohttp.ClientError, OSError) as error:
            # Not its words: they may have the proxy's address, with a password.
            response = _failed(request, f"the proxy does not lead there: {type(error).__name__}")
        callback(response)

    async def _answer(self, request: HTTPRequest) -> HTTPResponse:
        patience = aiohttp.ClientTimeout(total=request.request_timeout or SECONDS)
        auth = aiohttp.BasicAuth(request.auth_username, request.auth_password or "") if request.auth_username else None
        async with (
            aiohttp.ClientSession(timeout=patience, auth=auth) as session,
            session.request(
                request.method,
                request.url,
                data=request.body,
                headers=[*request.headers.get_all()],
                proxy=self._proxy,
                allow_redirects=bool(request.follow_redirects),
                ssl=request.validate_cert is not False,
            ) as found,
        ):
            headers = HTTPHeaders()
            for name, value in found.headers.items():
                headers.add(name, value)
            content = BytesIO(await found.read())
            return HTTPResponse(request, found.status, headers, content, effective_url=str(found.url), reason=found.reason)


def _failed(request: HTTPRequest, why: str) -> HTTPResponse:
    error = HTTPClientError(NO_ANSWER, f"{urlsplit(request.url).hostname}: {why}")
    return HTTPResponse(request, NO_ANSWER, error=error)
