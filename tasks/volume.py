"""The document's chapter on the data volume."""

from invoke.context import Context

from swarmhub import chapters
from swarmhub import volume as chapter
from swarmhub.steps import step, step_task


@step_task()
def volume(c: Context) -> None:
    """Create the hub's data volume on the manager."""
    with step(c, chapter.STEP) as run:
        run.apply(chapters.volume_plan(run))
