"""The plan of the people of a run: the userlist against the hub that runs, if one does."""

from dataclasses import replace

from hub.shared.people.listed import Listed
from hub.shared.people.userlist import Users, parse
from swarmhub.errors import StepError
from swarmhub.images.hub import build
from swarmhub.people import api as hub_api
from swarmhub.people import users
from swarmhub.people.api import HubApi
from swarmhub.people.users import HubPeople
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.status import shell
from swarmhub.status.shell import ContainerLocation


def wanted(run: Run) -> Users:
    """Return whom the userlist names."""
    return parse(build.userlist(run.settings), run.settings.access.provider)[0]


def found(run: Run) -> HubPeople:
    """Ask the hub that runs whom it knows, and why."""
    return _found(_kept(run, _place(run)), hub_api.connect(run))


def sync(run: Run) -> tuple[Plan, list[str]]:
    """Plan what the userlist changes at the hub that runs; return whom that removes, too."""
    place = _place(run)
    return _sync(run, place, _kept(run, place))


def before_service(run: Run) -> Plan:
    """Plan the same for a hub that is about to be replaced, if the image brings it another userlist: it alone stops servers.

    One that does not answer, or has been removed, is sent nothing: the next finds the list on its volume, and shuts out whom it
    names no more.
    """
    text, nothing = build.userlist(run.settings), Plan(users.STEP, "the hub starts with the userlist")
    service, image = run.look.service().service, run.look.builds[0].tag
    if service and service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == image:
        return nothing
    try:
        place = _place(run)
        kept = _kept(run, place)
        # As the hub itself has it at its start: a list that was sent stays until the image brings a newer one.
        plan = nothing if kept.image == text else _sync(run, place, kept)[0]
    except StepError:
        of_volume = users.send_to_volume(run.settings, image, text, run.manager)
        return replace(nothing, changes=(of_volume,))
    # The next hub adds them itself, thousands at once; this one would be busy for a minute.
    return replace(plan, changes=tuple(change for change in plan.changes if change.verb != "add"))


def _sync(run: Run, place: ContainerLocation, kept: Listed) -> tuple[Plan, list[str]]:
    api = hub_api.connect(run)
    seen = _found(kept, api)
    plan = users.plan(build.userlist(run.settings), seen, run.settings.access, api, place)
    return plan, users.gone(wanted(run), seen)


def _found(kept: Listed, api: HubApi) -> HubPeople:
    return HubPeople(kept, {user["name"]: user for user in api.users()})


def _kept(run: Run, place: ContainerLocation) -> Listed:
    return users.read(run.hosts[place.host], place, run.settings.access.provider)


def _place(run: Run) -> ContainerLocation:
    return shell.of_hub(run.look, run.hosts[run.manager], run.settings.hub.service)
