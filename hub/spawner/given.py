"""What a start is made of: the settings for its user, the home, and where it may go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyterhub import orm

from hub.shared import http_proxy, operator_token
from hub.shared.people.names import Names
from hub.shared.people.owners import Owner
from hub.shared.servers import mounts, nodes, spec
from hub.shared.servers.choice import server_for
from hub.spawner import homes, numbers, profiles
from hub.spawner.news import News

# Packages of `pip install --user` and the settings below ~/.jupyter: either can keep a server from starting.
BARE = {
    **{"PYTHONNOUSERSITE": "1", "JUPYTERHUB_DISABLE_USER_CONFIG": "1"},
    **{"JUPYTER_CONFIG_DIR": "/tmp/jupyter", "JUPYTER_DATA_DIR": "/tmp/jupyter/data", "IPYTHONDIR": "/tmp/ipython"},  # noqa: S108
}
# Where a server's home is, for what looks at it as it starts: hub/notebook/jupyter_server_config.py.
HOME = "SWARMHUB_HOME"


@dataclass(frozen=True)
class Given:
    """What a start is made of: [notebook]'s keys, the profile's name, mounts and constraints.

    `volume` is the home that it makes, if it makes one; `is_free` tells whether it may go to any node,
    `is_bare` whether it goes without the packages and settings in the home; `owner` is as whom it runs.
    """

    server: Mapping[str, Any]
    profile: str
    mounts: list[Any]
    placed: list[str]
    volume: str
    is_free: bool
    is_bare: bool = False
    home: str = ""
    owner: Owner | None = None

    def is_of_node(self, news: News) -> bool:
        """Tell whether a refusal is the node's matter, and not that of a folder which is nowhere: the node has the mount."""
        is_marked = any(one["Target"].startswith(mounts.MARKED) for one in self.mounts)
        return news.reason != "home" or not is_marked or mounts.MARKER in news.detail


async def gather(spawner: Any) -> Given:
    """Return what the start of a spawner is made of, with the home's folder made where one is needed.

    Raises:
        NotOffered: the profile is none for this user.
        NotHere: the home cannot be had now, or its owner is not known.

    """
    tables, groups = spawner.tables, [*(group.name for group in spawner.user.groups), *_acted(spawner)]
    chosen = profiles.chosen(tables, groups, spawner.user_options)
    # What JupyterHub's own options, its group overrides or a hook of conf.d say holds where hosts.toml is silent.
    own = {key: value for key, trait in spec.SIZES.items() if (value := getattr(spawner, trait))}
    server = {"home_mount": tables["home"]["mount"]} | own | server_for(tables, spawner.user.name, groups, chosen)
    names = Names(spawner.user.name, spawner.name, chosen["name"] if chosen else "")
    home = mounts.home(tables, spawner.prefix, names, server["home_mount"])
    if home and home.former and await _is_there(spawner, home.former):
        home = home.former  # made by an earlier release: it keeps its name
    owner = await numbers.of(spawner)
    owned = str(owner or tables["home"]["owner"])
    node = await homes.reach(spawner.docker, home, owned, nodes.everywhere(tables)) if home else None
    shared = mounts.folders(tables, spawner.prefix, names, groups)
    mounted = _once([*((*home.marker, home.mount) if home else ()), *shared])
    at = [*_wish(spawner), *([f"node.id=={node}"] if node else [])]
    volume = "" if node or not home else home.record
    placed = [*spec.constraints(server), *at]
    where = home.mount["Target"] if home else ""
    bare = _is_bare(spawner)
    return Given(server, names.profile, mounted, placed, volume, is_free=not at, is_bare=bare, home=where, owner=owner)


def environment(spawner: Any, given: Given) -> dict[str, str]:
    """Return the variables of a server: JupyterHub's own, the settings', and what leaves the home's packages out."""
    found: dict[str, str] = spawner.get_env() | http_proxy.of_servers(spawner.tables) | spec.environment(given.server)
    found |= numbers.environment(spawner.user.name, given.server["home_mount"]) if given.owner else {}
    found |= {HOME: given.home} if given.home else {}
    return found | BARE if given.is_bare else found


async def command(spawner: Any, server: Mapping[str, Any]) -> list[str] | None:
    """Return what the container runs; None for the image's own command, for which nobody has to be asked."""
    if chosen := server.get("command"):
        return [*chosen, *spawner.get_args()]
    found: list[str] | None = await spawner.get_command() if spawner.cmd or spawner.get_args() else None
    return found


def _is_bare(spawner: Any) -> bool:
    """Tell whether this one start is to go without what is in the home; the next one, by the same options, is not."""
    said = dict(spawner.user_options)
    if said.pop(profiles.BARE, None) is None:
        return False
    spawner.user_options = said
    if spawner.orm_spawner is not None:
        spawner.orm_spawner.user_options = said
    return True


def _once(mounted: list[Any]) -> list[Any]:
    """Return mounts without the markers that are there before: folders of one path have the same one."""
    return [one for place, one in enumerate(mounted) if one not in mounted[:place]]


async def _is_there(spawner: Any, home: mounts.Home) -> bool:
    """Tell whether a home of a user is recorded; one that every node reaches is by the name of its volume, on no node."""
    return await homes.find(spawner.docker, home.record or home.mount["Source"], spawner.user.name) is not None


def _acted(spawner: Any) -> list[str]:
    """Return the groups as whose member the operator's smoke test acts: where the provider manages them, it can join none."""
    asker, said = getattr(spawner.handler, "current_user", None), spawner.user_options.get("groups", [])
    is_operator = isinstance(asker, orm.Service) and asker.name == operator_token.NAME
    return [str(one) for one in said] if is_operator and isinstance(said, list) else []


def _wish(spawner: Any) -> list[str]:
    """Return the constraint to the node that an administrator or a service asks for, in the request of this very start.

    Options that are stored may be the user's own, and an administrator who starts the server again does not see them.
    """
    asker = getattr(spawner.handler, "current_user", None)
    read = getattr(spawner.handler, "get_server_json_body", None)  # of the API's requests; pages wish for no node
    wish = str(((read() if read else {}).get("user_options") or {}).get("node", ""))
    may = isinstance(asker, orm.Service) or bool(getattr(asker, "admin", False))
    return [f"node.id=={wish}"] if may and wish.isalnum() else []
