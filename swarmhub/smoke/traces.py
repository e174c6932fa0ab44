"""What smoke tests leave, and how it is removed: users, servers and homes whose names no person can have."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from hub.shared.people.userlist import SMOKE
from hub.shared.servers.mounts import HOME, HOMES, USER
from swarmhub.engine import containers
from swarmhub.engine.removal import Thing, remove_soon
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host
from swarmhub.notebooks import servers
from swarmhub.parallel import at_once
from swarmhub.people.api import HubApi
from swarmhub.plan.plans import remedy
from swarmhub.run.look import Look
from swarmhub.settings import Settings
from swarmhub.smoke import trial
from swarmhub.status import shell

# The userlist takes nobody who is called so.
PREFIX = SMOKE
# As the hub writes it in the names of volumes, configs and services.
ESCAPED = PREFIX.replace("-", "-2d")


def remove(settings: Settings, look: Look, api: HubApi, manager: Host, hosts: Mapping[str, Host]) -> list[StepError]:
    """Remove what this smoke test, or one that was killed, has left; return what could not be."""
    hub = settings.hub.service
    errors = _each(partial(_user, api, user["name"]) for user in api.users() if user["name"].startswith(PREFIX))
    # A hub whose database was put back knows nothing of a server that still runs.
    left = [one for one in servers.observe(manager, hub) if one.user.startswith(PREFIX)]
    errors += _each(partial(_remove, manager, "service", one.service, one.service) for one in left)
    errors += _each(partial(_volumes, host, hub) for host in hosts.values())
    errors += _each([partial(_configs, manager, hub)])
    if settings.home.keep and settings.home.type != "volume":
        errors += _each([partial(_folders, settings, look, manager, hosts)])
    return errors


def _user(api: HubApi, name: str) -> None:
    trial.stop(api, name)
    api.delete(f"users/{name}")


def _volumes(host: Host, hub: str) -> None:
    # The mount of a file server's folder has no label, and no content of its own.
    mounted = f"{hub}-home-{ESCAPED}"
    for one in host.engine.get("/volumes").get("Volumes") or []:
        if _is_ours(one.get("Labels"), hub) or (one["Name"].startswith(mounted) and (one.get("Options") or {}).get("device")):
            _remove(host, "volume", one["Name"], one["Name"])


def _configs(manager: Host, hub: str) -> None:
    for one in manager.engine.get("/configs"):
        if _is_ours(one["Spec"].get("Labels"), hub):
            _remove(manager, "config", one["Spec"]["Name"], one["ID"])


def _is_ours(labels: Mapping[str, str] | None, hub: str) -> bool:
    """Tell whether a home is one of the tests' by its labels: a user may be called nearly so."""
    return (labels or {}).get(HOME) == hub and (labels or {}).get(USER, "").startswith(PREFIX)


def _folders(settings: Settings, look: Look, manager: Host, hosts: Mapping[str, Host]) -> None:
    """Remove the homes on a file server, where the hub's container has made them."""
    if "{username}" not in settings.home.name:
        return
    name = settings.home.name.format(username=f"{PREFIX}*", servername="", profile="*")
    place = shell.of_hub(look, manager, settings.hub.service)
    find = ("find", HOMES, "-mindepth", "1", "-maxdepth", "1", "-name", name, "-exec", "rm", "-rf", "{}", "+")
    done = containers.execute(hosts[place.host], place.container, *find)
    if done.code:
        raise StepError(place.host, f"homes of smoke tests stay: {done.err.strip()}", f"Remove {name} there by hand")


def _remove(host: Host, kind: str, name: str, id_: str) -> None:
    remove_soon(host, Thing(f"{kind} {name}", f"/{kind}s/{id_}"))


def _each(jobs: Iterable[Callable[[], None]]) -> list[StepError]:
    answers = at_once(list(jobs))
    return [error for answer in answers if (error := _as_step(answer))]


def _as_step(answer: BaseException | None) -> StepError | None:
    if isinstance(answer, EngineError):
        return StepError(answer.host, answer.message, remedy(answer))
    if answer is None or isinstance(answer, StepError):
        return answer
    raise answer
