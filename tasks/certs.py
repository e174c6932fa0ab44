"""The document's chapter on the TLS certificate."""

from invoke.context import Context

from swarmhub import certs as chapter
from swarmhub import chapters
from swarmhub.steps import step, step_task


@step_task()
def certs(c: Context) -> None:
    """Get the TLS certificate with certbot on the manager; keep one that still holds."""
    with step(c, chapter.STEP) as run:
        run.apply(chapters.certs_plan(run))
