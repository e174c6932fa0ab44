"""What many people do at once."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest

from lab import topology
from tests.lab.counting import unverified
from tests.lab.support import HUB, PROXY, Lab
from tests.lab.test_long_connections import URL, notebook
from tests.lab.tokens import token_of
from tests.report import Row
from tests.scorecard.counts import times

__all__ = ["notebook"]
pytestmark = pytest.mark.timeout(1800)
RSS = "grep -hs VmRSS /proc/[0-9]*/status || true"
HEALTH = f"https://127.0.0.1:{topology.MANAGER.ports[443]}/hub/api/user"
# How often a tab asks whose server has gone, and for how long all of it lasts.
ASKING_SECONDS, LASTS_SECONDS, ANSWER_SECONDS = 10, 60, 1


def test_load(notebook: Lab, seen: Row) -> None:
    """20. 50 stub servers start at once; 300 websockets are idle, and 500 tabs ask for servers that have gone."""
    users = [f"card{number}" for number in range(times(50))]
    with ThreadPoolExecutor(len(users)) as pool:
        started = [*pool.map(lambda user: _timed(notebook, user), users)]
    seen(f"{len(users)} servers started at once: all do, p95 {_p95(started):.0f} s")
    token = token_of(notebook, "ada")
    sockets, tabs = times(300), times(500)
    answers = asyncio.run(_idle(token, sockets, tabs))
    memory = {name: _memory(notebook, name) >> 20 for name in (HUB, PROXY)}
    seen(f"with {sockets} idle websockets and {tabs} tabs: {len(answers)} answers of the hub, p95 {_p95(answers):.2f} s")
    seen(f"memory: {', '.join(f'{name} {size} MB' for name, size in memory.items())}")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(notebook.stop_server, users))
    notebook.forget_homes()
    assert _p95(answers) <= ANSWER_SECONDS


async def _idle(token: str, sockets: int, tabs: int) -> list[float]:
    """Return how long the hub's answers take meanwhile, in seconds."""
    connector = aiohttp.TCPConnector(ssl=unverified(), limit=0)
    answers: list[float] = []
    async with aiohttp.ClientSession(connector=connector, headers={"Host": topology.DOMAIN}) as session:
        opened = [await session.ws_connect(f"{URL}/socket") for _ in range(sockets)]
        asking = [asyncio.create_task(_tab(session, number)) for number in range(tabs)]
        end = time.monotonic() + LASTS_SECONDS
        while time.monotonic() < end:
            began = time.monotonic()
            async with session.get(HEALTH, headers={"Authorization": f"token {token}"}) as answer:
                assert (answer.status, json.loads(await answer.text())["name"]) == (200, "ada")
            answers.append(time.monotonic() - began)
            await asyncio.sleep(0.1)
        for number, one in enumerate(opened):
            await one.send_str(str(number))
            assert await one.receive_str(timeout=10) == str(number)
        await asyncio.gather(*asking)
    return answers


async def _tab(session: aiohttp.ClientSession, number: int) -> None:
    """Ask as JupyterLab does in a tab whose server has gone; tabs do not ask all at the same moment."""
    await asyncio.sleep(ASKING_SECONDS * (number % 100) / 100)
    for _ in range(LASTS_SECONDS // ASKING_SECONDS):
        async with session.get(
            f"{URL.removesuffix('/user/eve')}/user/gone{number}/api/kernels", allow_redirects=False
        ) as answer:
            await answer.read()
        await asyncio.sleep(ASKING_SECONDS)


def _timed(lab: Lab, user: str) -> float:
    began = time.monotonic()
    lab.start_server(user)
    return time.monotonic() - began


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def _memory(lab: Lab, service: str) -> int:
    return sum(int(line.split()[1]) for line in lab.execute(service, "sh", "-c", RSS).splitlines()) * 1024
