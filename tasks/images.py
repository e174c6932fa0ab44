"""The document's chapter on the notebook image."""

from invoke.context import Context

from swarmhub import chapters, node_plans
from swarmhub import images as chapter
from swarmhub.run import Run
from swarmhub.steps import step, step_task


@step_task()
def prepull(c: Context) -> None:
    """Pull the notebook image on the nodes that -H names."""
    with step(c, "prepull", on_nodes=True) as run:
        _pull(run, run.nodes)


@step_task()
def prepull_all(c: Context) -> None:
    """Pull the notebook image on every node."""
    with step(c, "prepull-all") as run:
        _pull(run, run.settings.hosts.all)


def _pull(run: Run, nodes: tuple[str, ...]) -> None:
    wanted = chapters.notebook_digest(run, nodes)
    run.apply(chapters.images_plan(run, nodes))
    chapter.verify(run.settings.notebook.image, wanted, run.look.images(nodes))
    opened = node_plans.activation_plan(run, nodes)
    if opened.changes:
        run.apply(opened)
