"""The document's chapter on the TLS certificate."""

from datetime import UTC, datetime

from invoke.context import Context

from swarmhub import certs as chapter
from swarmhub.run import step
from swarmhub.steps import step_task


@step_task()
def certs(c: Context) -> None:
    """Get the TLS certificate with certbot on the manager; keep one that still holds."""
    with step(c, chapter.STEP) as run:
        wanted = chapter.desired(run.settings)
        run.apply(chapter.plan(wanted, run.look.certificate(), run.manager, datetime.now(UTC)))
