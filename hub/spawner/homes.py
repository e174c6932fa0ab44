"""On which node a user's home is: a Swarm config for each, which outlives the hub's database."""

import asyncio
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from http import HTTPStatus
from pathlib import Path

from docker.errors import APIError

from hub.shared.servers.mounts import HOME, HOMES, MARKER, NODE, USER, Home
from hub.shared.servers.nodes import barred, hostname
from hub.spawner.news import ASK
from hub.spawner.service import Docker

# A file server that hangs holds its caller for ever.
FILE_SECONDS = 20.0
FILE_THREADS = 8
AGAIN = "If the node has it, the mount came after the hub's container: end that container, and the next one sees it"


class NotHere(Exception):  # noqa: N818 - it is a message for people
    """The home cannot be had now: in plain words, and the label of the reason."""

    def __init__(self, words: str, reason: str, detail: str) -> None:
        super().__init__(words)
        self.words, self.reason, self.detail = words, reason, detail


async def reach(docker: Docker, home: Home, owner: str, everywhere: Iterable[str] = ()) -> str | None:
    """Make a home's folder where one is needed; return the id of the node that has the home, if one has.

    `everywhere` are the constraints that every server has.

    Raises:
        NotHere: its file server or its node does not answer.

    """
    if home.folder:
        await have_folder(home.folder, owner, is_marked=bool(home.marker))
    node = await find(docker, home.record) if home.record else None
    if node:
        await node_up(docker, node, home.record, everywhere)
    return node


async def find(docker: Docker, volume: str, user: str | None = None) -> str | None:
    """Return the id of the node that has the home, or None where there is none yet, or none of this user."""
    for one in await docker("configs", filters={"name": volume}):
        labels = one["Spec"].get("Labels") or {}
        # The filter takes beginnings, too; and what somebody else has made under that name tells of no home.
        if one["Spec"]["Name"] == volume and NODE in labels and user in (None, labels.get(USER)):
            return str(labels[NODE])
    return None


async def node_up(docker: Docker, node: str, volume: str, everywhere: Iterable[str] = ()) -> None:
    """Make sure that the node that has a home takes servers.

    Raises:
        NotHere: it does not; an empty home elsewhere would be worse than none.

    """
    how = f"docker config rm {volume} gives that home up, and the next start makes an empty one"
    try:
        found = await docker("inspect_node", node)
    except APIError as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise
        words = "Your files are on a node that is no longer part of the cluster. Ask your administrator for them."
        raise NotHere(words, "home-gone", f"{volume} is on node {node}, which has left the swarm; {how}") from None
    name, state, availability = hostname(found), found["Status"]["State"], found["Spec"]["Availability"]
    if state != "ready":
        words = f"Your files are on {name}, which does not answer at the moment. They are kept; try again when it is back."
        raise NotHere(words, "home-down", f"{volume} is on {name}, which is {state}; {how}")
    if availability != "active":
        words = f"Your files are on {name}, which is being serviced. They are kept; try again when it is back."
        raise NotHere(words, "home-drained", f"{volume} is on {name}, which is set to {availability}: fab undrain {name}")
    if constraint := barred(found, everywhere):
        words = f"Your files are on {name}, where servers no longer run. They are kept. Ask your administrator for them."
        raise NotHere(words, "home-barred", f"{volume} is on {name}, and hosts.toml keeps servers off it ({constraint}); {how}")


async def remember(docker: Docker, volume: str, service: str, user: str, node: str) -> bool:
    """Keep it on the cluster that a user's home is on a node from now on; tell whether nothing was kept of it before."""
    try:
        await docker("create_config", volume, b"{}", labels={HOME: service, USER: user, NODE: node})
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:  # two named servers of one user were started at once
            raise
        return False
    return True


async def forget(docker: Docker, volume: str) -> None:
    """Take it back: nothing was ever written there."""
    try:
        await docker("remove_config", volume)
    except APIError as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise


async def have_folder(name: str, owner: str, *, is_marked: bool = False) -> None:
    """Make a user's folder on the file server, unless it is there; none where there should be a marker and is none.

    That is so where the mount came, or was renewed, after the hub's container. The nodes then decide: they need the marker,
    and the folder that is there already.

    Raises:
        NotHere: the server refuses, or does not answer.

    """
    made = asyncio.wrap_future(_threads().submit(make_folder, name, owner, is_marked=is_marked))
    try:
        await asyncio.wait_for(made, FILE_SECONDS)
    except TimeoutError:
        words = f"The file server that has your home does not answer. {ASK}"
        raise NotHere(words, "home", f"{name}: no answer within {FILE_SECONDS:.0f} s") from None
    except OSError as error:
        words = f"Your home cannot be made on the file server. {ASK}"
        how = f"; does it take root's rights away (root_squash)? Then make it there, for {owner}"
        hint = how if isinstance(error, PermissionError) else ""
        raise NotHere(words, "home", f"{name}: {error}{hint}") from None


@cache
def _threads() -> ThreadPoolExecutor:
    """Return threads for files alone: those that a file server holds are no longer there for the engine."""
    return ThreadPoolExecutor(FILE_THREADS)


def make_folder(name: str, owner: str, above: Path = Path(HOMES), *, is_marked: bool = False) -> None:
    """Make a user's folder on the file server, unless it is there; `owner` is UID:GID.

    Raises:
        OSError: it cannot be made.

    """
    if is_marked and not _is_folder(above / MARKER):
        print(f"{above / name} is not made: the hub does not see the mount. {AGAIN}", file=sys.stderr, flush=True)
        return
    folder = above / name
    if folder.is_dir():
        return
    user, _, group = owner.partition(":")
    # Owned before it has its name: nobody finds one that is not theirs.
    part = above / f".{name}.new"
    part.mkdir(mode=0o700, exist_ok=True)
    os.chown(part, int(user), int(group))
    part.rename(folder)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a mount that is stale
        return False
