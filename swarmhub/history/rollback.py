"""The way back to a release: its hub image, its service, its notebook images, and on demand its database."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pydantic import SecretStr

from swarmhub.cluster import availability
from swarmhub.cluster.nodes import SwarmNode
from swarmhub.engine.swarm import configs, replicated, specs
from swarmhub.engine.swarm.configs import StoredFile
from swarmhub.errors import StepError, UsageError
from swarmhub.history import database, releases
from swarmhub.history.database import Database, DatabaseState
from swarmhub.history.releases import Release
from swarmhub.host import Json
from swarmhub.images import builder, pull
from swarmhub.images.pull import Giver, Holding
from swarmhub.inside.database.sqlite import DAMAGED
from swarmhub.parallel import gather
from swarmhub.plan.plans import Change, Plan
from swarmhub.services import engine_filter
from swarmhub.services.hub import check as hub_check
from swarmhub.services.hub import service as services
from swarmhub.services.hub import subdomains
from swarmhub.settings import handed
from swarmhub.transfer import plan as transfer
from swarmhub.transfer.relays import Cluster

STEP = "rollback"
CERTIFICATE = ("SSL_KEY", "SSL_CERT")


@dataclass(frozen=True)
class WayBack:
    """What there is to go back with: the running service, the database, the hub's image, the files, the images by node.

    A node that does not answer is in `unreached`, with the reason; `filter` is the service between hub and engine, if any;
    `givers` are the nodes that give the images which no registry has.
    """

    service: Json
    database: DatabaseState
    has_hub_image: bool
    held: Mapping[str, Holding]
    unreached: tuple[StepError, ...] = ()
    filter: Json | None = None
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    givers: Mapping[str, Giver] = field(default_factory=dict)


def choose(known: Sequence[Release], number: str | None) -> Release:
    """Return the release of that number, or the one before the last.

    Raises:
        UsageError: there is no such release; a number that is empty is none.

    """
    if number == "":
        raise UsageError("--release is empty, and without it the way goes back by one: is a variable not set?")
    if number is None and len(known) > 1:
        return known[-2]
    found = next((one for one in known if str(one.number) == number), None)
    if found is None:
        numbers = ", ".join(str(one.number) for one in known)
        wrong = f"there is no release {number}" if number else "there is no release before this one"
        raise UsageError(f"{wrong}; known: {numbers or 'none'} (fab releases)")
    return found


def plan(
    target: Release,
    known: Sequence[Release],
    found: WayBack,
    nodes: Mapping[str, SwarmNode],
    manager: str,
    *,
    with_database: bool,
    url: SecretStr | None = None,
) -> Plan:
    """Return the way back to `target`; `nodes` are those that say what they hold, `url` is the database's if on a server.

    Raises:
        StepError: its image is gone, or the database's schema has moved on and its copy is not asked for.

    """
    if not found.has_hub_image:
        raise StepError(manager, f"the image {target.hub_image} of release {target.number} is gone", _by_commit(target))
    _refuse_another_arrangement(target, found.service["Spec"], manager)
    _refuse_without_settings(target, found.files, manager)
    wanted = configs.filled(_spec(target, found.service["Spec"]), found.files)
    differs = specs.compare(wanted, found.service["Spec"])
    kept = _database(target, url)
    after = _after(target, known)
    if not with_database:
        _refuse_moved_schema(target, found.database, after, manager)
    number = known[-1].number + 1
    new = replace(target, number=number, spec=configs.bare(wanted), copy=f"{target.service}-before-{number}.sqlite")
    # The release's hub places servers by these labels.
    wanted_images = {one: pull.digest_of(one) for one in target.notebook_images}
    changes = [*pull.plan(wanted_images, found.held, found.givers).changes]
    theirs = {host: [digest for image, digest in wanted_images.items() if image in found.held[host]] for host in nodes}
    changes += availability.plan_placement(nodes, theirs, manager).changes
    if differs or with_database:
        of_filter = engine_filter.of_hub(wanted, found.filter) if found.filter else None
        changes.append(hub_check.change(wanted, manager))
        changes += engine_filter.before(of_filter, found.filter, manager)
        changes.append(database.copy(kept, new.copy, manager))
        changes += database.opening(kept, wanted, found.service, manager)
        changes.append(database.holding(kept, manager))
        changes += _restoring(target, found.service, kept, after, manager) if with_database else []
        changes.append(replicated.update(wanted, found.service, manager, differs, again=with_database))
        changes.append(releases.record(new, manager, url))
        changes += engine_filter.after(of_filter, found.filter, manager)
    return Plan(STEP, f"release {target.number} is what runs", tuple(changes))


def _spec(target: Release, running: Json) -> dict[str, Any]:
    """Return the release's spec, with the secrets, network, certificate and node of now: they have no way back."""
    spec: dict[str, Any] = copy.deepcopy(target.spec)
    container, now = spec["TaskTemplate"]["ContainerSpec"], running["TaskTemplate"]["ContainerSpec"]
    container["Secrets"] = copy.deepcopy(now.get("Secrets") or [])
    container["Labels"] = {**(container.get("Labels") or {}), **_certificate(now)}
    container["Env"] = _with_certificate(container.get("Env") or [], specs.environment(now))
    spec["TaskTemplate"]["Networks"] = copy.deepcopy(running["TaskTemplate"].get("Networks") or [])
    spec["TaskTemplate"]["Placement"] = copy.deepcopy(running["TaskTemplate"].get("Placement") or {})
    return spec


def _refuse_another_arrangement(target: Release, running: Json, manager: str) -> None:
    """Refuse a hub that stood on other services, a proxy and a filter of its own or none, or had other data or addresses."""
    of_addresses = (("hub.subdomains", subdomains.host), ("hub.base_url", subdomains.path))
    arrangements = (("proxy.separate", _publishes), ("hub.engine", _has_socket), ("volume.name", _data), *of_addresses)
    for setting, stands in arrangements:
        if stands(target.spec) != stands(running):
            cause = f"release {target.number} ran with another {setting}"
            raise StepError(manager, cause, "Go back by hosts.toml: change it there, then fab deploy")
    if handed.secret_of(target.settings) != handed.database(services.settings_of(running)):
        cause = f"release {target.number} ran with another database.url"
        raise StepError(manager, cause, "Go back by hosts.toml: change it there, then fab move-database")


def _refuse_without_settings(target: Release, files: Mapping[str, StoredFile], manager: str) -> None:
    """Refuse a release whose settings somebody has removed from the swarm."""
    if gone := [name for name in services.settings_files(target.spec) if name not in files]:
        cause = f"the settings of release {target.number} are gone (config {gone[0]})"
        raise StepError(manager, cause, _by_commit(target))


def _by_commit(target: Release) -> str:
    return f"Go back to its commit and deploy: git checkout {target.commit or 'COMMIT'}; fab deploy"


def _publishes(spec: Json) -> bool:
    return bool((spec.get("EndpointSpec") or {}).get("Ports"))


def _has_socket(spec: Json) -> bool:
    mounts = spec["TaskTemplate"]["ContainerSpec"].get("Mounts") or []
    return any(mount["Source"] == services.SOCKET for mount in mounts)


def _data(spec: Json) -> list[str]:
    """Return the volume with the hub's data: another one has users of before, and nothing of who was removed since."""
    mounts = spec["TaskTemplate"]["ContainerSpec"].get("Mounts") or []
    return [mount["Source"] for mount in mounts if mount["Target"] == services.DATA]


def _certificate(container: Json) -> dict[str, str]:
    label = services.CERTIFICATE_LABEL
    labels = container.get("Labels") or {}
    return {label: labels[label]} if label in labels else {}


def _with_certificate(lines: Sequence[str], now: Mapping[str, str]) -> list[str]:
    """Return the release's variables, but where the certificate is: that of its time may have expired."""
    return [
        f"{name}={now[name]}" if (name := line.partition("=")[0]) in CERTIFICATE and name in now else line for line in lines
    ]


def _after(target: Release, known: Sequence[Release]) -> Release | None:
    """Return the first release after `target` with a copy of the database: that is how `target` left it."""
    return next((one for one in known if one.number > target.number and one.copy), None)


def _refuse_moved_schema(target: Release, now: DatabaseState, after: Release | None, manager: str) -> None:
    if target.schema in ("", now.schema):
        return
    moved = f"the database's schema has moved on since release {target.number} (from {target.schema} to {now.schema})"
    cause = f"{'the database is damaged' if now.schema == DAMAGED else moved}: its hub would not start"
    if after is None:
        raise StepError(manager, f"{cause}; there is no copy from its time", "Deploy the newer hub instead: fab deploy")
    lost = f"who was added and what was started since {after.made[:16].replace('T', ' ')} UTC is forgotten"
    raise StepError(manager, cause, f"To put back the copy {after.copy} too ({lost}): --with-database")


def _restoring(target: Release, service: Json, kept: Database, after: Release | None, manager: str) -> list[Change]:
    if after is None:
        cause = f"there is no copy of the database from the time of release {target.number}"
        raise StepError(manager, cause, "Go back without it: leave --with-database out")
    return replicated.while_stopped(service, database.restore(kept, after.copy, manager), manager)


def observe(cluster: Cluster, target: Release, url: SecretStr | None = None) -> WayBack:
    """Ask for all that the way back to `target` needs.

    Raises:
        StepError: there is no service to roll back, or the manager does not answer.

    """
    manager, hosts, service = cluster.manager, cluster.hosts, cluster.hub
    found = services.observe(manager, service)
    if found.service is None:
        raise StepError(manager.name, f"there is no service {service}", "Deploy it: fab deploy")
    answers = gather([partial(pull.observe_all, host, target.notebook_images) for host in hosts.values()])
    seen = dict(zip(hosts, answers, strict=True))
    # A worker that is down must not bar the way back.
    if isinstance(lost := seen[manager.name], StepError):
        raise lost
    held = {host: one for host, one in seen.items() if not isinstance(one, StepError)}
    has_image = builder.observe(manager, target.hub_image)
    of_filter = manager.engine.find(f"/services/{engine_filter.name(service)}")
    filled = of_filter and services.with_files(of_filter, found.files)
    state = database.observe(manager, _database(target, url)) if has_image else DatabaseState(0, "", 0)
    unreached = tuple(one for one in seen.values() if isinstance(one, StepError))
    wanted = {one: pull.digest_of(one) for one in target.notebook_images}
    givers = transfer.givers(cluster, pull.sources(wanted, held), list(held))
    return WayBack(found.service, state, has_image, held, unreached, filled, found.files, givers)


def _database(target: Release, url: SecretStr | None) -> Database:
    """Return the database, opened with the release's own image: what runs now may be broken, or gone."""
    return Database(target.settings["volume"]["name"], target.hub_image, target.service, url)
