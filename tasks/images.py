"""The document's chapter on the notebook image."""

from invoke.context import Context

from swarmhub import images as chapter
from swarmhub.run import Run, step
from swarmhub.steps import step_task


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
    image = run.settings.notebook.image
    seen = run.look.images(run.settings.hosts.all)
    held = chapter.reached(seen, nodes)
    wanted = chapter.chosen(image, held) or chapter.ask_registry(run.hosts[run.manager], image)
    run.apply(chapter.plan(image, wanted, {node: held[node] for node in nodes if node in held}))
    chapter.verify(image, wanted, run.look.images(nodes))
