"""A shell in somebody's home without a server of theirs: in a container on the node that has the files, as their owner."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from hub.shared.people.names import Names
from hub.shared.servers import mounts
from swarmhub.cluster.nodes import Member
from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.notebooks import homes
from swarmhub.run.look import Look
from swarmhub.services.hub import service as hub_service
from swarmhub.settings import Settings, handed
from swarmhub.status.shell import SHELL

# A run that comes by removes what killed runs have left: this may be open for longer.
LABEL = "swarmhub.shell"
# The owner may be anybody: the image's own user, a number of an institute. On a file server root may see no more than whose.
SCRIPT = f"""exec chroot --userspec="$(stat -c %u:%g "$1")" / sh -c 'cd "$1" && {{ {SHELL}; }}' sh "$1" """


@dataclass(frozen=True)
class HomeLocation:
    """A host that reaches a home, and how it is mounted."""

    host: str
    mounts: tuple[Json, ...]


def of(settings: Settings, look: Look, manager: str, name: str) -> HomeLocation:
    """Return where a home is, by its user or by the name of its volume.

    Raises:
        StepError: nobody keeps one, there is none, or there are several.

    """
    if not settings.home.keep:
        raise StepError(manager, "hosts.toml keeps no homes: home.keep = false", "")
    return (
        _on_node(settings, look, manager, name) if settings.home.is_on_one_node else _elsewhere(settings, look, manager, name)
    )


def _on_node(settings: Settings, look: Look, manager: str, name: str) -> HomeLocation:
    present = look.present()
    found = [(host, one) for host in present for one in look.homes(host) if name in (one.user, one.name)]
    if len(several := {one.name for _, one in found}) > 1:
        raise StepError(manager, f"{name} has several homes: {', '.join(sorted(several))}", "Name one of them with --home")
    records = [one for one in look.places() if name in (one.user, one.name)]
    hosts = {member.node: host for host, member in look.members().items() if isinstance(member, Member)}
    recorded = [hosts.get(one.node, "") for one in records]
    if records and not any(recorded):
        cause = f"the home of {name} is on node {records[0].node}, which does not answer, or which hosts.toml does not name"
        raise StepError(manager, cause, "Compare: fab nodes")
    if not found:
        others = homes.names(one.user for host in present for one in look.homes(host) if one.user)
        raise StepError(manager, f"there is no home of {name}", f"Users with a home: {others}" if others else "Nobody has one")
    host, volume = next(((host, one) for host, one in found if host in recorded), found[0])
    # It is there: nothing of the image is to be copied into it.
    options = {"NoCopy": True}
    mount = {"Type": "volume", "Source": volume.name, "Target": settings.home.mount, "VolumeOptions": options}
    return HomeLocation(host, (mount,))


def _elsewhere(settings: Settings, look: Look, manager: str, name: str) -> HomeLocation:
    service = look.service().service
    marked = handed.marked(hub_service.settings_of(service["Spec"])) if service else frozenset[str]()
    table = handed.tables(settings)["home"]
    home = mounts.home({"home": {**table, "marked": table.get("path") in marked}}, settings.hub.service, Names(name))
    return HomeLocation(manager, (*home.marker, home.mount) if home else ())


@contextmanager
def opened(host: Host, settings: Settings, place: HomeLocation, *, terminal: bool) -> Iterator[tuple[str, ...]]:
    """Make the container, give the command that opens the shell, and remove the container in the end.

    Raises:
        StepError: the node does not have the home.

    """
    try:
        with containers.made(host, _body(settings, place, terminal=terminal)) as container:
            yield ("docker", "start", "--attach", "--interactive", container)
    except EngineError as error:
        raise StepError(
            host.name,
            f"cannot open {place.mounts[-1]['Source']}: {error}",
            "Is that a user with a home, and is it mounted there? fab doctor",
        ) from error


def _body(settings: Settings, place: HomeLocation, *, terminal: bool) -> Mapping[str, object]:
    where = settings.home.mount
    return {
        "Image": settings.notebook.image,
        "User": "0",
        "Env": [f"HOME={where}"],
        "Entrypoint": ["sh", "-c", SCRIPT, "sh"],
        "Cmd": [where],
        "WorkingDir": "/",
        "Tty": terminal,
        "OpenStdin": True,
        "StdinOnce": True,
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": {LABEL: settings.hub.service},
        "HostConfig": {"Mounts": list(place.mounts), "NetworkMode": "none"},
    }
