"""What keeps notebooks away from the nodes."""

from invoke.context import Context

from swarmhub import chapters, node_plans
from swarmhub import walls as chapter
from swarmhub.steps import step, step_task


@step_task()
def walls(c: Context) -> None:
    """Keep notebooks away from the nodes' own ports and from a cloud's metadata, by rules in every node's firewall."""
    with step(c, chapter.STEP) as run:
        run.apply(chapters.walls_plan(run))
        if run.settings.walls.enabled:
            chapter.ensure(run.hosts[run.manager], run.settings.hub.service, node_plans.open_nodes(run), run.look.walls())
