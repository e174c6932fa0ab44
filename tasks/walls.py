"""What keeps notebooks away from the nodes."""

from invoke.context import Context

from swarmhub.deploy import on_nodes, steps
from swarmhub.firewall import firewall as chapter
from swarmhub.run.task import step, step_task


@step_task()
def walls(c: Context) -> None:
    """Keep notebooks away from the nodes' own ports and from a cloud's metadata, by rules in every node's firewall."""
    with step(c, chapter.STEP) as run:
        run.apply(steps.walls_plan(run))
        if run.settings.walls.enabled:
            chapter.ensure(run.hosts[run.manager], run.settings.hub.service, on_nodes.open_nodes(run), run.look.walls())
