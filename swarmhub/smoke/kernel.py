"""Run code in a kernel of a user's server, over its websocket, as JupyterLab does."""

import asyncio
import json
import logging
import uuid
from urllib.parse import urlsplit

from swarmhub.errors import StepError
from swarmhub.host import Json
from swarmhub.people.api import HubApi

SECONDS = 60


def run(server: HubApi, code: str) -> str:
    """Start the server's default kernel, run code in it, and return what it answers; the kernel is ended.

    Raises:
        StepError: there is no kernel, it does not answer, or it answers with an error.

    """
    kernel = server.post("kernels", {})["id"]
    try:
        return _ask(server, kernel, code)
    finally:
        server.delete(f"kernels/{kernel}")


def _ask(server: HubApi, kernel: str, code: str) -> str:
    # `fab --list` does not wait for it.
    from websockets.exceptions import WebSocketException

    # With `fab --debug` it would print every header, and the token is one.
    logging.getLogger("websockets").setLevel(logging.WARNING)
    try:
        answer = asyncio.run(_answer(server, f"{server.path}kernels/{kernel}/channels", _request(code)))
    except TimeoutError as error:
        cause = f"its kernel does not answer within {SECONDS} s"
        raise StepError(server.host, cause, "Is the node overloaded? fab status") from error
    except (OSError, WebSocketException, ValueError) as error:
        remedy = "Does something between here and the hub block websockets?"
        raise StepError(server.host, f"its kernel's websocket breaks: {error}", remedy) from error
    if answer.failed:
        raise StepError(server.host, f"its kernel answers: {answer.failed}", "Does a notebook of this image run code?")
    return answer.text


async def _answer(server: HubApi, path: str, request: Json) -> "Answer":
    # Not the client with threads: on Python 3.11 one of a thousand of its TLS handshakes hangs.
    from websockets.asyncio.client import connect

    answer = Answer(request["header"]["msg_id"])
    plain = server.route.connect(server.proxy or server.host, server.port, SECONDS)
    plain.setblocking(False)
    async with asyncio.timeout(SECONDS):
        url = f"wss://{urlsplit(server.address).netloc}{path}"
        async with connect(url, sock=plain, ssl=server.trust, additional_headers=server.headers, proxy=None) as socket:
            await socket.send(json.dumps(request))
            while not answer.is_whole:
                answer.hear(json.loads(await socket.recv()))
    return answer


class Answer:
    """What a kernel says to one request: of its messages those that answer it, until it is idle again."""

    def __init__(self, request: str) -> None:
        self._request = request
        self.text, self.failed, self.is_whole = "", "", False

    def hear(self, message: Json) -> None:
        """Take a message of the kernel's."""
        if message["parent_header"].get("msg_id") != self._request:
            return
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "execute_result":
            self.text += content["data"]["text/plain"]
        elif kind == "stream":
            self.text += content["text"]
        elif kind == "error":
            self.failed = f"{content['ename']}: {content['evalue']}"
        elif kind == "status":
            self.is_whole = content["execution_state"] == "idle"


def _request(code: str) -> Json:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": uuid.uuid4().hex, "version": "5.4"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True}
    return {
        "channel": "shell",
        "header": header | {"username": "", "date": ""},
        "parent_header": {},
        "metadata": {},
        "content": content,
        "buffers": [],
    }
