"""The swarm's nodes: made, emptied for maintenance, taken out; and the hosts' keys."""

from invoke.context import Context

from swarmhub.errors import StepError
from swarmhub.run.task import step, step_task

YES = {"yes": "Do not ask."}
HOST = {"host": "The node, by its name in hosts.toml."}


@step_task()
def swarm_init(c: Context) -> None:
    """Make the swarm of hosts.toml: the first manager initialises it, the other hosts join, each in its role."""
    from swarmhub.cluster import swarm
    from swarmhub.deploy import membership

    with step(c, swarm.STEP) as run:
        if warning := swarm.warning(run.settings):
            run.report.line(swarm.STEP, warning, style="yellow")
        manager = swarm.acting(run.settings, run.look.members(), run.manager)
        if manager is None:
            run.journal.has_swarm = False
            run.apply(swarm.plan_init(run.settings, run.manager))
            run.journal.has_swarm = True
        else:
            run.use_manager(manager)
        joins = membership.joins_plan(run)
        run.apply(joins)
        run.apply(membership.roles_plan(run, [change.host for change in joins.changes]))
        swarm.require_reached(run.look.members())


@step_task(help=YES)
def recover_quorum(c: Context, yes: bool = False) -> None:
    """Bring back a swarm that has lost most of its managers: one goes on alone, and the others rejoin when they are back."""
    from swarmhub.cluster import recovery, swarm
    from swarmhub.deploy import membership

    with step(c, recovery.STEP) as run:
        found = membership.recovery_of(run)
        for line in recovery.told(found):
            run.report.line(recovery.STEP, line, style="yellow" if found.is_lost else "")
        if found.is_lost:
            run.journal.has_swarm = False  # neither the lock nor the history can be asked
            plan = membership.alone_plan(run, found)
            run.confirm(plan, recovery.question(found))
            run.apply(plan)
            run.journal.has_swarm = True
        run.apply(membership.leaving_plan(run, found))
        joins = membership.joins_plan(run)
        run.apply(joins)
        run.apply(membership.roles_plan(run, [change.host for change in joins.changes]))
        run.report.line(recovery.STEP, recovery.next_steps(found), style="bold green")
        if warning := swarm.warning(run.settings):
            run.report.line(recovery.STEP, warning, style="yellow")


@step_task(positional=["host"], help=HOST | YES | {"wait": "Minutes to wait until the people there have finished."})
def drain(c: Context, host: str, wait: int = 0, yes: bool = False) -> None:
    """Empty a node for maintenance: list who works there, ask, and stop their servers (--wait: let them finish)."""
    from swarmhub.cluster import drain as emptying
    from swarmhub.deploy import membership

    with step(c, emptying.STEP) as run:
        run.require_known(host, host)
        work, plan = membership.work_on(run, host), membership.drain_plan(run, host)
        if work.people:
            run.report.table(emptying.HEADS, emptying.rows(work))
        at_home = membership.homes_on(run, host) if plan.changes else ()
        if work.people or at_home:
            run.agree(emptying.question(host, work.people, at_home, wait))
        if wait and plan.changes:
            run.apply(membership.pause_plan(run, host))
            with run.report.working(emptying.STEP, "waiting for the people there"):
                emptying.wait(lambda: membership.work_on(run, host).people, wait, lambda text: run.report.log(host, text))
            plan = membership.drain_plan(run, host)
        run.apply(plan)


@step_task(positional=["host"], help=HOST)
def undrain(c: Context, host: str) -> None:
    """Allow new servers again on a node that was drained or paused."""
    from swarmhub.cluster import availability
    from swarmhub.deploy import membership

    with step(c, availability.UNDRAIN) as run:
        run.require_known(host, host)
        run.apply(membership.undrain_plan(run, host))


@step_task(positional=["host"], help=HOST | YES)
def remove_node(c: Context, host: str, yes: bool = False) -> None:
    """Take a node out of the swarm, unless that would lose the quorum, data or somebody's work."""
    from swarmhub.cluster import removal
    from swarmhub.deploy import membership

    with step(c, removal.STEP) as run:
        run.require_known(host, host)
        plan = membership.removal_plan(run, host)
        if plan.changes and isinstance(run.look.members()[host], StepError):
            run.confirm(plan, removal.unknown(host, membership.homes_on(run, host)))
        run.apply(plan)
        run.report.line(removal.STEP, f"now take {host} out of hosts.toml: fab swarm-init would let it join again")


@step_task(positional=["host"], help=HOST | YES)
def trust(c: Context, host: str, yes: bool = False) -> None:
    """Show a host's SSH key, and record it in known_hosts, next to hosts.toml."""
    from swarmhub.run import trust as keys

    with step(c, keys.STEP) as run:
        run.require_known(host, host)
        keys.ask(run, host)


@step_task(help=YES)
def trust_all(c: Context, yes: bool = False) -> None:
    """Show the SSH key of every host that is not trusted yet, and record it."""
    from swarmhub.run import trust as keys

    with step(c, keys.STEP) as run:
        for host in run.settings.hosts.all:
            keys.ask(run, host, new_only=True)
