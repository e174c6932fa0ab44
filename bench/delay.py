"""Make the lab's nodes far away: a proxy before their SSH ports holds every byte back for half the round trip."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

HERE = "127.0.0.1"
SIZE = 65536


@contextmanager
def far_away(ports: Sequence[int], seconds: float) -> Iterator[dict[int, int]]:
    """Give ports on this machine that lead to the others, with a round trip of so many seconds."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen(port: int) -> asyncio.Server:
        return await asyncio.start_server(lambda reader, writer: _joined(reader, writer, port, seconds / 2), HERE)

    try:
        servers = [asyncio.run_coroutine_threadsafe(listen(port), loop).result() for port in ports]
        yield {port: server.sockets[0].getsockname()[1] for port, server in zip(ports, servers, strict=True)}
    finally:
        asyncio.run_coroutine_threadsafe(_end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, half: float) -> None:
    """Pass on what either side sends; TCP's own handshake takes a round trip, too."""
    with suppress(asyncio.CancelledError):  # that is the end of all
        await asyncio.sleep(2 * half)
        there, back = await asyncio.open_connection(HERE, port)
        await asyncio.gather(_passing(reader, back, half), _passing(there, writer, half))


async def _passing(source: asyncio.StreamReader, to: asyncio.StreamWriter, half: float) -> None:
    loop, on_the_way = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()

    async def arrive() -> None:
        while True:
            due, data = await on_the_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                to.close()
                return
            to.write(data)
            await to.drain()

    arriving = asyncio.create_task(arrive())
    with suppress(ConnectionError):
        while data := await source.read(SIZE):
            on_the_way.put_nowait((loop.time() + half, data))
    on_the_way.put_nowait((loop.time() + half, b""))
    with suppress(ConnectionError):
        await arriving
