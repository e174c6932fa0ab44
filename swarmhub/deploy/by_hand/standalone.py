"""A hub that runs as a plain container, as docker compose leaves it, and the servers of its DockerSpawner."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus

from swarmhub.engine import containers
from swarmhub.engine.swarm import specs
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.notebooks import servers
from swarmhub.parallel import every
from swarmhub.plan.plans import Change, Cost, Progress

# By this word in its image or command, or by one of these variables, something is a JupyterHub.
WORD = "jupyterhub"
VARIABLES = ("DOCKER_NOTEBOOK_IMAGE", "DOCKER_NETWORK_NAME", "OAUTH_CALLBACK_URL")
SOCKET = "/var/run/docker.sock"
# An engine starts such a container with itself, even one that was stopped.
ALWAYS, NEVER = "always", "no"
BACK = "docs/moving-in.md, Going back"


@dataclass(frozen=True)
class Standalone:
    """Containers on the manager, as its engine inspects them, that no service has made.

    `hubs` have the hub's volume, whether they run or not; `servers` are those that such hubs have started, and run.
    `others` are names of containers that run and may write to the volume.
    """

    hubs: tuple[Json, ...] = ()
    servers: tuple[Json, ...] = ()
    others: tuple[str, ...] = ()


def observe(manager: Host, volume: str, listed: Sequence[Json]) -> Standalone:
    """Ask what the `listed` containers are, which have the hub's volume, and which servers hubs among them have started."""
    found = [one for one in _inspected(manager, listed) if _mode(one, volume)]
    hubs = [one for one in found if _is_hub(one)]
    others = [_name(one) for one in found if one not in hubs and _runs(one) and _mode(one, volume) == "rw"]
    networks = sorted({network for hub in hubs for network in hub["NetworkSettings"]["Networks"]})
    started = _started(manager, networks) if networks else ()
    return Standalone(tuple(hubs), started, tuple(others))


def in_the_way(found: Standalone) -> Standalone:
    """Return the hubs that are in the way of the one that was deployed: those that run, or would run again with the engine."""
    return replace(found, hubs=tuple(one for one in found.hubs if _runs(one) or _policy(one) == ALWAYS))


def elsewhere(manager: Host) -> tuple[tuple[str, str], ...]:
    """Ask for the hubs that run as plain containers with any volume; return their names and their volumes'."""
    listed = manager.engine.get("/containers/json")
    hubs = [
        one
        for one in listed
        if containers.is_plain(one)
        and any(mount.get("Destination") == SOCKET for mount in one.get("Mounts") or [])
        and is_hub(one["Image"], [one["Command"]], ())
    ]
    return tuple(
        (one["Names"][0].lstrip("/"), mount["Name"]) for one in hubs for mount in one["Mounts"] if mount.get("Type") == "volume"
    )


def is_hub(image: str, words: Iterable[str], variables: Collection[str]) -> bool:
    """Tell by the image's name, the command's words and the variables whether something is a JupyterHub."""
    return any(WORD in word for word in (image.rpartition("/")[2], *words)) or bool(set(VARIABLES) & set(variables))


def refuse_others(found: Standalone, volume: str, manager: str) -> None:
    """Make sure that nothing but a known hub may write to the database that is to be taken over.

    Raises:
        StepError: a container does that is not known to be a JupyterHub; it may be one all the same.

    """
    if found.others:
        names = " ".join(found.others)
        cause = f"the volume {volume} is mounted in a container that does not look like a JupyterHub: {names}"
        raise StepError(manager, cause, f"Stop it until the new hub runs: docker stop {names}")


def taking(found: Standalone, hub: str, manager: str, gist: str) -> list[Change]:
    """Return what stops the hubs; they stay, so that an operator can go back. `gist` tells who is in their database."""
    return [
        Change(
            "take over",
            f"container {_name(one)}, made by hand,",
            manager,
            partial(_stop, one),
            cost=Cost.TAKEOVER,
            gist=f"{_stays(one)}; {gist}",
            undo=partial(_start_again, one, hub),
        )
        for one in found.hubs
    ]


def stopping(found: Standalone, manager: str) -> list[Change]:
    """Return what stops the servers, which no hub knows any more; their volumes stay."""
    if not found.servers:
        return []
    users = sorted({_user(one) for one in found.servers})
    act = partial(_stop_all, found.servers)
    return [Change("stop", "the servers of DockerSpawner", manager, act, cost=Cost.NOTEBOOKS_STOP, people=tuple(users))]


def image(found: Standalone) -> str:
    """Return the id of a hub's image, which can read its database; the name may be another image's by now."""
    return next((str(one["Image"]) for one in found.hubs), "")


def _inspected(manager: Host, listed: Sequence[Json]) -> list[Json]:
    asked = every([partial(manager.engine.find, f"/containers/{one['Id']}/json") for one in listed])
    return [one for one in asked if one]


def _mode(container: Json, volume: str) -> str:
    """Return how a container has a volume: rw, ro, or not at all."""
    found = [one for one in container["Mounts"] if one["Type"] == "volume" and one["Name"] == volume]
    return "" if not found else "rw" if any(one["RW"] for one in found) else "ro"


def _is_hub(container: Json) -> bool:
    config = container["Config"]
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    return is_hub(config["Image"], words, specs.environment(config))


def _runs(container: Json) -> bool:
    return bool(container["State"]["Running"])


def _started(manager: Host, networks: Sequence[str]) -> tuple[Json, ...]:
    listed = manager.engine.get("/containers/json", filters={"network": list(networks)})
    return tuple(one for one in _inspected(manager, [*filter(containers.is_plain, listed)]) if _user(one))


def _user(container: Json) -> str:
    return specs.environment(container["Config"]).get(servers.USER, "")


def _name(container: Json) -> str:
    return str(container["Name"].lstrip("/"))


def _policy(container: Json) -> str:
    return str(container["HostConfig"]["RestartPolicy"]["Name"])


def _stays(container: Json) -> str:
    how = "it stops" if _runs(container) else "it has stopped"
    kept = f"is kept (to go back to it: docker start {_name(container)})"
    return f"{how} and {'is removed (--rm)' if container['HostConfig']['AutoRemove'] else kept}"


def _stop(container: Json, manager: Host, _: Progress) -> None:
    """Stop it for good: with another restart policy it would come up with the engine, on the database of the new hub."""
    at = f"/containers/{container['Id']}"
    try:
        if _policy(container) not in ("", NEVER):
            manager.engine.post(f"{at}/update", {"RestartPolicy": {"Name": NEVER}})
        manager.engine.post(f"{at}/stop")
    except EngineError as error:
        if error.status != HTTPStatus.NOT_FOUND:  # it has ended by itself, and was removed
            raise


def _stop_all(found: Sequence[Json], manager: Host, progress: Progress) -> None:
    every([partial(_stop, one, manager, progress) for one in found])


def _start_again(container: Json, hub: str, manager: Host, progress: Progress) -> None:
    """Start a hub again that has run, unless the new hub exists: two would have one database open."""
    name = _name(container)
    if manager.engine.find(f"/services/{hub}"):
        progress.log(manager.name, f"to go back to {name}: docker service rm {hub}; docker start {name}; and see {BACK}")
        return
    if not _runs(container):
        progress.log(manager.name, f"the container {name} did not run before; to go back to it: docker start {name}")
        return
    manager.engine.post(f"/containers/{container['Id']}/update", {"RestartPolicy": {"Name": _policy(container)}})
    manager.engine.post(f"/containers/{container['Id']}/start")
    progress.log(manager.name, f"the container {name} runs again")
