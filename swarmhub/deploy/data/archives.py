"""The homes of people who are away, or of a class, on what there is now: found, saved in the archive, and freed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from swarmhub.backup import archives, repository, snapshots
from swarmhub.cluster.nodes import Member
from swarmhub.deploy.data import backups
from swarmhub.engine import containers
from swarmhub.host import Host
from swarmhub.notebooks import leaving
from swarmhub.notebooks.homes import names
from swarmhub.notebooks.leaving import Archive, Freeing, LeavingHomes
from swarmhub.parallel import at_once
from swarmhub.people import api as hub_api
from swarmhub.people import away, plans
from swarmhub.people.away import AwayHome, StillAway
from swarmhub.people.users import HubPeople
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run


@dataclass(frozen=True)
class Away:
    """The homes of those who were not seen since, and whose are left out, in words; `now` is by the manager's clock."""

    now: datetime
    before: datetime
    homes: tuple[AwayHome, ...]
    left_out: tuple[str, ...]


def observe(run: Run, seconds: int) -> Away:
    """Ask who was not seen for so long, and for their homes; with when these were saved, where there is a repository.

    Raises:
        StepError: homes are where swarmhub cannot reach them.

    """
    manager, there, people = run.hosts[run.manager], nodes(run), plans.found(run)
    # By a wrong clock here, everybody would be away.
    now = datetime.fromtimestamp(containers.clock(manager), UTC)
    before = now - timedelta(seconds=seconds)
    gone = away.gone(_owners(run, people), people.known, before)
    silent = leaving.silent([one for one in run.look.places() if one.user in gone], manager, there)
    asked = [one for one in gone if one not in {place.user for place, _ in silent}]
    found = leaving.observe(run.settings, asked, manager, there) if asked else LeavingHomes((), (), ())
    homes = away.of(found.homes, people.known, found.working, before)
    hosts = sorted({host for _, host in silent})
    left_out = [
        *([f"left out, as their servers run: {names(found.working)}"] if found.working else []),
        *(f"left out, as {one} does not answer: {names(it.user for it, host in silent if host == one)}" for one in hosts),
    ]
    return Away(now, before, tuple(_told(run, homes) if homes and run.settings.backup.repository else homes), tuple(left_out))


def _owners(run: Run, people: HubPeople) -> set[str]:
    """Return who may have a home."""
    if not run.settings.home.is_on_one_node:
        return away.everybody(people)
    return {one.user for host in run.look.present() for one in run.look.homes(host) if one.user} | {
        one.user for one in run.look.places()
    }


def _told(run: Run, homes: list[AwayHome]) -> list[AwayHome]:
    """Return homes with when each was last saved and archived."""
    where, manager = backups.repository_of(run, [run.manager]), run.hosts[run.manager]
    known = snapshots.observe(manager, where).backups
    saved, kept = archives.saved(manager, where, run.settings, known), snapshots.kept(known)
    told = []
    for one in homes:
        name = archives.name_of(one.home)
        archived = kept[name].snapshot.made if name in kept else None
        told.append(replace(one, saved=saved.get((one.home.host, name if one.home.volume else "")), archived=archived))
    return told


def plan(run: Run, found: Away, *, is_freed: bool) -> Plan:
    """Plan what saves the homes in the archive, and with `is_freed` removes each from its node once it is there.

    Raises:
        SettingsError: there is no repository.

    """
    to = archive(run)
    free: Freeing | None = None
    if is_freed:
        settings, still_away = run.settings, StillAway(hub_api.connect(run), found.before)
        free = Freeing(settings.notebook.image, settings.hub.service, run.hosts[run.manager], still_away)
    return away.plan(found.homes, to, free)


def archive(run: Run) -> Archive:
    """Return the repository as the place where homes are saved for good; every host gets what it needs for that.

    Raises:
        SettingsError: there is none, or its secrets are missing.

    """
    return archives.to(backups.repository_of(run, run.look.present()), backups.now())


def apply(run: Run, plan: Plan) -> None:
    """Save homes, and free those that are to go; after a Ctrl-C, nothing works on on any node."""
    try:
        run.apply(plan)
    except KeyboardInterrupt:  # what is waited for by threads hears nothing of it
        at_once([partial(repository.end, host, run.settings.hub.service) for host in nodes(run).values()])
        raise


def nodes(run: Run) -> Mapping[str, Host]:
    """Return the hosts that answer, by the ids of their nodes."""
    return {one.node: run.hosts[host] for host, one in run.look.members().items() if isinstance(one, Member)}
