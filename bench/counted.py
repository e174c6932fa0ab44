"""A kernel that counts, and the websockets that listen to it: which of them break, and whether the kernel goes on."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from swarmhub.errors import StepError
from swarmhub.people.api import HubApi

# It ends by itself, should nobody end it.
COUNT = "import time\nfor number in range(9000):\n    print(number, flush=True)\n    time.sleep(0.2)"
SECONDS, PAUSE_SECONDS = 30, 0.1


class Count:
    """A kernel of a server's that counts; `open` is how many websockets listen to it."""

    def __init__(self, server: HubApi, sockets: int) -> None:
        self.open, self._last = 0, -1
        self._server, self._sockets = server, sockets
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listening: list[Future[None]] = []
        self._kernel = ""

    @staticmethod
    @contextmanager
    def going(server: HubApi, sockets: int) -> Iterator["Count"]:
        """Let a kernel count for as long as this is open, with so many websockets."""
        count = Count(server, sockets)
        count._thread.start()
        try:
            count._kernel = server.post("kernels", {})["id"]
            count.listen_again(COUNT)
            yield count
        finally:
            count.end()
            count._loop.call_soon_threadsafe(count._loop.stop)
            count._thread.join()
            count._loop.close()

    def listen_again(self, code: str = "") -> None:
        """Open the websockets that are missing, and run code over the first of them, if any is given."""
        missing = range(self._sockets - self.open)
        self._listening += [
            asyncio.run_coroutine_threadsafe(self._listen("" if number else code), self._loop) for number in missing
        ]
        deadline = time.monotonic() + SECONDS
        while self.open < self._sockets or self._last < 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.open} of {self._sockets} websockets listen, the count is at {self._last}")
            time.sleep(PAUSE_SECONDS)

    def goes_on(self, seconds: float) -> bool:
        """Tell whether the same kernel still counts; a websocket that broke is opened again to hear it."""
        deadline = time.monotonic() + seconds
        while not self._is_there():
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE_SECONDS)
        self.listen_again()
        last = self._last
        while self._last == last and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
        return self._last > last

    def _is_there(self) -> bool:
        """Tell whether the kernel is there; while hub and proxy come back, nobody knows."""
        with suppress(StepError):
            return self._server.find(f"kernels/{self._kernel}") is not None
        return False

    def end(self) -> None:
        """End the kernel and its websockets."""
        listening, self._listening = self._listening, []
        for one in listening:
            one.cancel()
        with suppress(StepError):  # it ends with its server, too
            self._server.delete(f"kernels/{self._kernel}")

    async def _listen(self, code: str) -> None:
        """Hear the kernel until the websocket breaks, or this is cancelled."""
        server = self._server
        plain = server.route.connect(server.proxy or server.host, server.port, SECONDS)
        plain.setblocking(False)
        url = f"wss://{urlsplit(server.address).netloc}{server.path}kernels/{self._kernel}/channels"
        with suppress(WebSocketException, OSError):
            async with connect(url, sock=plain, ssl=server.trust, additional_headers=server.headers, proxy=None) as socket:
                self.open += 1
                try:
                    if code:
                        await socket.send(json.dumps(_request(code)))
                    async for message in socket:
                        self._hear(json.loads(message))
                finally:
                    self.open -= 1

    def _hear(self, message: dict[str, dict[str, str]]) -> None:
        if message["header"]["msg_type"] == "stream":
            # A line break may come alone.
            self._last = max([self._last, *map(int, message["content"]["text"].split())])


def _request(code: str) -> dict[str, object]:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": uuid.uuid4().hex, "version": "5.4"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True}
    whole = {"header": header | {"username": "", "date": ""}, "channel": "shell", "content": content}
    return {**whole, "parent_header": {}, "metadata": {}, "buffers": []}
