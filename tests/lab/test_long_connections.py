"""What notebooks need of the proxy: uploads without an end, connections that are silent for long, large headers, compression.

About thirty-five seconds.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from lab import topology
from tests.lab.counting import unverified
from tests.lab.support import HUB, PROXY, Lab

PORT = 9000
# Three gigabytes went by in 99 s, with the websockets silent meanwhile: what is kept on the way is seen with less.
SIZE, PART = 2**29, 2**20
SOCKETS = 600
URL = f"https://127.0.0.1:{topology.MANAGER.ports[443]}/user/eve"
# In a server, next to what the hub knows of it: it counts what it is given, and gives back what it is told.
SERVER = f"""
import asyncio, gzip, tornado.httpserver, tornado.web, tornado.websocket
@tornado.web.stream_request_body
class Upload(tornado.web.RequestHandler):
    size = 0
    def prepare(self): self.request.connection.set_max_body_size(2**40)
    def data_received(self, part): self.size += len(part)
    def post(self): self.write(str(self.size))
class Echo(tornado.websocket.WebSocketHandler):
    def check_origin(self, _): return True
    def on_message(self, message): self.write_message(message)
class Text(tornado.web.RequestHandler):
    def get(self):
        kind = self.get_argument("kind")
        content = kind.encode() * 2000
        self.set_header("Content-Type", kind)
        if self.get_argument("packed", ""):
            self.set_header("Content-Encoding", "gzip")
            content = gzip.compress(content)
        self.write(content)
class Told(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Set-Cookie", "large=" + "x" * 9000)
        self.write(dict(cookies=len(self.request.headers.get("Cookie", "")), port=self.request.connection.context.address[1]))
async def main():
    paths = [("upload", Upload), ("socket", Echo), ("text", Text), ("told", Told)]
    tornado.web.Application([("/user/eve/" + name, one) for name, one in paths]).listen({PORT})
    await asyncio.Event().wait()
asyncio.run(main())
"""
LISTENS = f"/opt/venv/bin/python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {PORT}))' 2>/dev/null"
API = 'curl -sS -H "Authorization: token $(cat /run/secrets/PROXY_TOKEN)" http://jupyterhub-proxy-api:8001/api/routes/user/eve'


@pytest.fixture(scope="module")
def notebook(settled: Lab) -> Iterator[Lab]:
    """Give the proxy the way to a server that takes all."""
    settled.start_server("ada")
    settled.in_server("ada", f"nohup /opt/venv/bin/python3 -c '{SERVER}' > /tmp/said 2>&1 &")
    address = settled.in_server("ada", "hostname -i").split()[0]
    route = json.dumps({"target": f"http://{address}:{PORT}"})
    settled.execute(HUB, "sh", "-c", f"{API} -X POST -d '{route}'")
    settled.wait(lambda: settled.in_server("ada", f"{LISTENS} && echo yes || true"), 10, "it does not listen")
    yield settled
    settled.execute(HUB, "sh", "-c", f"{API} -X DELETE")
    settled.stop_server("ada")
    settled.forget_homes()


def memory(lab: Lab) -> int:
    """Return the bytes of memory that the proxy's programs have."""
    text = lab.execute(PROXY, "sh", "-c", "grep -hs VmRSS /proc/[0-9]*/status || true")  # one may end meanwhile
    return sum(int(line.split()[1]) for line in text.splitlines()) * 1024


async def body() -> AsyncIterator[bytes]:
    """Give the parts of an upload."""
    for _ in range(SIZE // PART):
        yield b"x" * PART


def test_an_upload_and_silent_connections_go_on(notebook: Lab) -> None:
    """Six hundred websockets from one address are silent while half a gigabyte goes by; none of it is kept on the way."""
    before, during = memory(notebook), 0

    async def run() -> tuple[str, list[str], int]:
        connector = aiohttp.TCPConnector(ssl=unverified(), limit=0)
        async with aiohttp.ClientSession(connector=connector, headers={"Host": topology.DOMAIN}) as session:
            sockets = [await session.ws_connect(f"{URL}/socket") for _ in range(SOCKETS)]
            posting = asyncio.ensure_future(session.post(f"{URL}/upload", data=body()))
            await asyncio.sleep(0)
            most = 0
            while not posting.done():
                most = max(most, await asyncio.to_thread(memory, notebook))
            told = await (await posting).text()
            for number, one in enumerate(sockets):
                await one.send_str(str(number))
            return told, [await one.receive_str(timeout=10) for one in sockets], most

    told, echoed, during = asyncio.run(run())
    assert (told, echoed) == (str(SIZE), [str(number) for number in range(SOCKETS)])
    assert during - before < SIZE / 4, (before, during)
    assert "/var/lib/nginx/body/" not in notebook.docker("diff", notebook.container(PROXY))


def test_a_connection_may_be_silent_for_a_day(notebook: Lab) -> None:
    """The proxy's own patience with a notebook, as it runs: what is shorter goes for the hub alone."""
    text = notebook.execute(PROXY, "cat", "/run/nginx.conf")
    general = text.split("server {", 1)[0]
    assert ("proxy_read_timeout 1d;" in general, "proxy_send_timeout 1d;" in general) == (True, True)


def test_a_flood_of_lines_of_a_server_fills_no_disk(notebook: Lab) -> None:
    """Whatever a user prints into its log: their node keeps 100 MB of it."""
    node = notebook.node_of("ada")
    listed = notebook.docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={HUB}-ada", node=node)
    kept = notebook.docker("inspect", listed, "--format", "{{json .HostConfig.LogConfig.Config}}", node=node)
    assert json.loads(kept) == {"max-size": "20m", "max-file": "5"}


def test_large_cookies_are_taken_both_ways(notebook: Lab) -> None:
    """15 kB of them in a request, by a server and by the hub, and 9 kB that an answer sets."""

    async def run() -> tuple[int, int, int]:
        headers = {"Host": topology.DOMAIN, "Cookie": f"other={'x' * 15000}"}
        connector = aiohttp.TCPConnector(ssl=unverified())
        async with aiohttp.ClientSession(connector=connector, headers=headers, max_field_size=2**16) as session:
            of_server = await session.get(f"{URL}/told")
            of_hub = await session.get(f"{URL.removesuffix('/user/eve')}/hub/login")
            return (await of_server.json())["cookies"], len(of_server.headers["Set-Cookie"]), of_hub.status

    cookies, told, status = asyncio.run(run())
    assert (cookies >= 15000, told >= 9000, status) == (True, True, 200)


@pytest.mark.parametrize(
    ("query", "encoding"),
    [
        ("kind=application/json", "gzip"),
        ("kind=text/plain", "gzip"),
        ("kind=text/event-stream", None),
        ("kind=image/png", None),
        ("kind=application/json&packed=1", "gzip"),
    ],
)
def test_texts_are_compressed_once(notebook: Lab, query: str, encoding: str | None) -> None:
    """And neither events nor pictures; what comes compressed goes on as it is."""

    async def run() -> tuple[str | None, bytes]:
        connector = aiohttp.TCPConnector(ssl=unverified())
        async with aiohttp.ClientSession(connector=connector, headers={"Host": topology.DOMAIN}) as session:
            answer = await session.get(f"{URL}/text?{query}")
            return answer.headers.get("Content-Encoding"), await answer.read()

    found, content = asyncio.run(run())
    kind = query.partition("=")[2].partition("&")[0]
    assert (found, content) == (encoding, kind.encode() * 2000)


def test_a_connection_to_a_server_is_used_again(notebook: Lab) -> None:
    """Though browsers' own are others."""

    async def ask() -> int:
        connector = aiohttp.TCPConnector(ssl=unverified(), force_close=True)
        async with aiohttp.ClientSession(connector=connector, headers={"Host": topology.DOMAIN}) as session:
            return int((await (await session.get(f"{URL}/told", max_field_size=2**16)).json())["port"])

    ports = [asyncio.run(ask()) for _ in range(5)]
    assert len(set(ports)) < len(ports), ports


def test_every_process_of_the_proxy_may_have_many_files(notebook: Lab) -> None:
    """Whatever the engine's default is: on some hosts that is 1024, and each websocket takes two."""
    limits = notebook.execute(PROXY, "sh", "-c", "grep -h 'Max open files' /proc/[0-9]*/limits || true")
    assert {line.split()[3] for line in limits.splitlines()} == {"16384"}
