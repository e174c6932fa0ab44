"""Looking at what runs: the state of all, the logs, a shell."""

from invoke.context import Context

from swarmhub import screen
from swarmhub import status as chapter
from swarmhub.errors import UsageError
from swarmhub.run import step
from swarmhub.steps import step_task
from swarmhub.watch import watch as keep_showing


@step_task(help={"watch": "Keep it on the screen until Ctrl-C.", "json": "The same facts for machines."})
def status(c: Context, watch: bool = False, json: bool = False) -> None:
    """Show nodes, hub, certificate, images and users' servers on one screen."""
    with step(c, chapter.STEP) as run:

        def ask() -> chapter.Status:
            run.look.forget()
            return chapter.observe(run.settings, run.look, run.hosts, run.manager)

        if watch and (json or not run.report.is_terminal):
            raise UsageError("--watch shows a screen on a terminal; without it, status prints once")
        if watch:
            with run.report.live() as show:
                keep_showing(ask, show)
        elif json:
            run.report.json(screen.as_json(ask()))
        else:
            run.report.screen(screen.lines(ask()))
