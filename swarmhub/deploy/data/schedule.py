"""The step of a deploy that lets the cluster make backups itself, or takes that back."""

from swarmhub import settings as settings_file
from swarmhub.backup import contents, repository
from swarmhub.backup import schedule as room
from swarmhub.cluster.nodes import Member
from swarmhub.deploy.data import backups, databases
from swarmhub.images import restic
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run
from swarmhub.services.schedule import service
from swarmhub.services.schedule.service import Wanted
from swarmhub.settings.secrets import of_backup


def plan(run: Run) -> Plan:
    """Plan the step `schedule`.

    Raises:
        SettingsError: [backup] or its secrets are not whole.
        StepError: homes are where swarmhub cannot reach them.

    """
    found = run.look.schedule()
    if not service.is_wanted(run.settings):
        return service.removal(run.settings, found, run.manager)
    wanted = _wanted(run)
    spec = run.look.kept(service.desired(run.settings, wanted))
    return service.plan(run.settings, wanted, found, spec, run.manager)


def equip(run: Run) -> None:
    """Give the image to the nodes that may lack it: where the service runs, it is there."""
    if not service.is_wanted(run.settings):
        return
    nodes = {one.node: host for host, one in run.look.members().items() if isinstance(one, Member)}
    tag = restic.recipe(run.settings).tag
    there = service.active(run.look.running(service.name(run.settings))[1], tag)
    if lacking := [host for node, host in nodes.items() if node not in there]:
        backups.equip(run, lacking)


def _wanted(run: Run) -> Wanted:
    settings, look, file = run.settings, run.look, settings_file.path()
    where = repository.of(settings, of_backup(settings, file), restic.recipe(settings).tag)
    member = look.member(run.manager)
    return Wanted(
        where.image,
        member.node,
        look.swarm().cluster,
        room.times(settings, where, look.swarm(), member.node, run.manager),
        room.opening(where, databases.settled(run, "").url),
        repository.program(repository.OF_SCHEDULE),
        contents.written(file, look.builds[0].files),
        member.logs,
    )
