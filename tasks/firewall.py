"""What keeps notebooks away from the nodes."""

from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub.run.task import step, step_task


@step_task()
def firewall(c: Context) -> None:
    """Keep notebooks away from the nodes' own ports and from a cloud's metadata, by rules in every node's firewall."""
    from swarmhub.deploy import on_nodes, steps
    from swarmhub.firewall import firewall as room

    with step(c, room.STEP) as run:
        run.apply(steps.firewall_plan(run))
        if run.settings.firewall.enabled:
            nodes, found = on_nodes.open_nodes(run), run.look.firewall()
            with run.report.working(room.STEP, "waiting until the rules are active on every node"):
                room.ensure(run.hosts[run.manager], run.settings.hub.service, nodes, found)


@step_task()
def walls(c: Context) -> None:
    """Use `firewall`: this is its former name."""
    raise Exit("walls: this step is now called firewall; nothing was changed. Run: fab firewall", 2)
