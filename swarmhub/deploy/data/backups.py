"""Backups and the way back, on what there is now: the image that every host needs for it, and the plans."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from swarmhub import settings as settings_file
from swarmhub.backup import contents, drilling, repository, restoring, saving, snapshots
from swarmhub.backup.contents import Contents
from swarmhub.backup.drilling import Drill
from swarmhub.backup.repository import Repository
from swarmhub.backup.restoring import HomePlace, Wanted
from swarmhub.backup.saving import Outcome
from swarmhub.backup.snapshots import Listing
from swarmhub.cluster.nodes import Member
from swarmhub.deploy import steps
from swarmhub.deploy.data import databases
from swarmhub.engine.swarm import replicated
from swarmhub.errors import StepError, StepErrors
from swarmhub.images import builder, restic
from swarmhub.images.builder import Recipe
from swarmhub.images.hub import build
from swarmhub.move import cutover
from swarmhub.notebooks import homes, leaving, servers, work
from swarmhub.notebooks.homes import HomeVolume
from swarmhub.parallel import at_once, every
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.run.run import Run
from swarmhub.services import network
from swarmhub.settings import outbound
from swarmhub.settings.secrets import of_backup


def save(run: Run) -> Outcome:
    """Save the hub and the homes.

    Raises:
        SettingsError: [backup] or its secrets are not whole.
        StepErrors: parts could not be saved; the others are.

    """
    present, url = run.look.present(), databases.settled(run, "").url
    where, outcome = repository_of(run, present), Outcome(now())
    run.apply(Plan(saving.STEP, "", (repository.opening(where, run.manager),)))
    found, hub = _contents(run), build.desired(run.settings)
    names = {node.id: node.host for node in run.look.swarm().nodes}
    facts = contents.facts(run.settings, outcome.run, found, run.look.places(), run.look.releases(), names)
    files = contents.files(settings_file.path(), hub.files, run.look.releases(), facts)
    try:
        run.apply(saving.plan(run.settings, where, found, files, run.manager, outcome, url))
    except KeyboardInterrupt:  # the nodes' containers are waited for by threads, which hear nothing of it
        at_once([partial(repository.end, run.hosts[host], where.hub) for host in present])
        raise
    return outcome


def thin_out(run: Run) -> None:
    """Remove the backups that are not to be kept, if the settings say which are."""
    if run.settings.backup.keep:
        run.apply(saving.forgetting(run.settings, repository_of(run, [run.manager]), run.manager))


def require_whole(run: Run) -> None:
    """Make sure that no host was left out that may have homes.

    Raises:
        StepErrors: with each that does not answer.

    """
    silent = _contents(run).silent
    if silent:
        remedy = "Bring it back, then: fab backup"
        raise StepErrors(*(StepError(host, "does not answer: homes there are not in this backup", remedy) for host in silent))


def known(run: Run) -> Listing:
    """Ask for the backups that there are, and for what drills have shown."""
    return snapshots.observe(run.hosts[run.manager], repository_of(run, [run.manager]))


def verify(run: Run, typed: str) -> Drill:
    """Try a backup, and return what that has shown.

    Raises:
        UsageError: there is no such backup.
        StepError: there is no hub whose image could be booted; the backup does not do what it is for.

    """
    manager, service = run.hosts[run.manager], run.look.service().service
    if service is None:
        raise StepError(run.manager, "there is no hub, in whose image the drill boots", "First: fab deploy")
    where = repository_of(run, [run.manager])
    chosen = snapshots.choose(snapshots.observe(manager, where), typed)
    homes = {host: one.id for host, one in chosen.homes.items()}
    backup = {"run": chosen.run, "hub": chosen.hub.id if chosen.hub else "", "homes": homes}
    drill = Drill(where, backup, str(service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]))
    try:
        run.apply(drilling.plan(drill, run.manager))
    except KeyboardInterrupt:  # what is waited for by a thread hears nothing of it
        repository.end(manager, where.hub)
        drilling.clear(manager, where.hub)
        repository.end(manager, where.hub)  # it may have kept evidence meanwhile
        raise
    return drill


def hub_plan(run: Run, typed: str) -> Plan:
    """Plan the way back of the hub, and of homes that are gone.

    Raises:
        UsageError: there is no such backup.

    """
    settings, manager, url = run.settings, run.hosts[run.manager], databases.settled(run, "").url
    where = repository_of(run, run.look.present())
    known = snapshots.observe(manager, where)
    wanted = _observed(run, where, known, typed)
    present = run.look.present()
    there = {one.name for host in present for one in run.look.homes(host)}
    lost = restoring.missing(settings, wanted, there, present) if settings.home.is_on_one_node else []
    left = _of_lost_node(run)
    service, userlist = None if left else run.look.service().service, build.userlist(settings)
    plan = restoring.plan(settings, where, wanted, service, lost, run.manager, now(), userlist, url)
    return replace(plan, changes=(*left, *steps.volume_plan(run).changes, *plan.changes))


def _of_lost_node(run: Run) -> list[Change]:
    """Return what removes the hub's services where they wait for a node that does not answer: a deploy makes them here.

    Raises:
        StepError: that node answers, and the hub runs there.

    """
    hub, manager = run.settings.hub.service, run.hosts[run.manager]
    node, members = work.hub_node(run.look.service().service, hub), run.look.members()
    if not node or node == run.look.member(run.manager).node:
        return []
    if there := next((host for host, one in members.items() if isinstance(one, Member) and one.node == node), ""):
        remedy = f"Restore it there: fab -H {there} restore; to move it here: fab move-hub {run.manager}"
        raise StepError(run.manager, f"the hub runs on {there}", remedy)
    services = cutover.pinned(manager.engine.get("/services"), hub, node)
    return [replicated.removal("service", one["Spec"]["Name"], one["ID"], run.manager, Cost.HUB_STOP) for one in services]


def home_plan(run: Run, typed: str, name: str, part: str, to: str) -> Plan:
    """Plan the way back of one home, or of one thing in it.

    Raises:
        UsageError: there is no such backup or home, or only a part of one that is gone is wanted.
        StepError: its user works in it.

    """
    manager = run.hosts[run.manager]
    where = repository_of(run, run.look.present())
    home, saved_in = _saved_home(run, where, typed, name)
    if part or to:
        restoring.require_there(home.user, is_there=_has_folder(run, home.user) if home.folder else not home.is_new)
    else:
        working = {one.user for one in servers.running(servers.observe(manager, run.settings.hub.service))}
        restoring.require_stopped(working, home.user, run.manager)
    plan = restoring.home_plan(run.settings, where, home, saved_in, part, to, now())
    return replace(plan, changes=(*plan.changes, *_recording(run, home)))


def _saved_home(run: Run, where: Repository, typed: str, name: str) -> tuple[HomePlace, str]:
    """Return a home as it was saved last, by a backup or in the archive, and what to call that."""
    settings, manager, present = run.settings, run.hosts[run.manager], run.look.present()
    there = {host: [one.name for one in run.look.homes(host)] for host in present}
    known = snapshots.observe(manager, where)
    archived = snapshots.archived(known, typed, name)
    newer = [
        one for one in known.backups if one.hub and one.run.startswith(typed) and archived and one.made > archived.snapshot.made
    ]
    if archived is None or newer:
        wanted = _observed(run, where, known, typed)
        if archived is None or _has(run, wanted, name):
            return restoring.place(settings, wanted, name, there, present, run.manager), wanted.backup.run
    at = f"the archive, {archived.snapshot.made:%Y-%m-%d %H:%M} UTC"
    return restoring.archived_place(settings, archived, there, present, run.manager), at


def _observed(run: Run, where: Repository, known: Listing, typed: str) -> Wanted:
    """Return the backup that is meant, with the homes of nodes that it does not have from the one before."""
    chosen = snapshots.completed(snapshots.choose(known, typed), known)
    return restoring.observe(run.hosts[run.manager], where, run.settings, chosen)


def _has(run: Run, wanted: Wanted, name: str) -> bool:
    """Tell whether a backup has a home; one of a folder of all homes has it, if the folder still does."""
    if run.settings.home.is_on_one_node:
        return any(name in (one.user, one.name) for one in wanted.homes)
    return _has_folder(run, name)


def _has_folder(run: Run, name: str) -> bool:
    return bool(leaving.observe(run.settings, [name], run.hosts[run.manager], {}).homes)


def _recording(run: Run, home: HomePlace) -> list[Change]:
    """Return what records on which node a home is that comes back: its user would start with an empty one elsewhere."""
    if not home.is_new:
        return []
    node, known = run.look.member(home.host).node, run.look.places()
    volume = HomeVolume(home.mount["Source"], home.user, datetime.now(UTC))
    return homes.recording(known, {node: [volume]}, {node: home.host}, run.settings.hub.service, run.manager)


def now() -> str:
    """Return the name of a backup that is made now."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _contents(run: Run) -> Contents:
    present = run.look.present()
    held = {host: run.look.homes(host) for host in present}
    silent = [host for host in run.settings.hosts.all if host not in present]
    return contents.homes_of(run.settings, held, silent, run.manager)


def repository_of(run: Run, hosts: Sequence[str]) -> Repository:
    """Return the repository, once all of the hosts have the image that asks it."""
    secrets, recipe = of_backup(run.settings, settings_file.path()), restic.recipe(run.settings)
    equip(run, hosts)
    return repository.of(run.settings, secrets, recipe.tag)


def equip(run: Run, hosts: Sequence[str]) -> None:
    """Give the image to those of the hosts that lack it."""
    recipe = restic.recipe(run.settings)
    held = every([partial(builder.observe, run.hosts[host], recipe.tag) for host in hosts])
    lacking = [host for host, is_held in zip(hosts, held, strict=True) if not is_held]
    if run.manager in lacking:
        variables = outbound.variables(run.settings, run.secrets if run.settings.http_proxy.secret else {})
        run.apply(builder.plan(saving.STEP, [recipe], (), run.manager, variables))
    if others := [host for host in lacking if host != run.manager]:
        run.apply(_bringing(run, recipe, others))


def _bringing(run: Run, recipe: Recipe, hosts: Sequence[str]) -> Plan:
    from swarmhub.transfer import plan as transfer  # the image comes once
    from swarmhub.transfer.relays import Cluster

    options = network.desired(run.settings)["Options"]
    at = Cluster(run.hosts[run.manager], run.hosts, run.settings.hub.service, recipe.tag, options)
    image = transfer.find(at, run.manager, recipe.tag)
    return transfer.plan(at, run.manager, {recipe.tag: image}, transfer.observe(at, hosts))
