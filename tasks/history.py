"""What was done to the cluster, who is at it now, and the way back."""

from dataclasses import asdict

from invoke.context import Context

from swarmhub import history as entries
from swarmhub import lock
from swarmhub.run import step
from swarmhub.steps import step_task


@step_task(help={"json": "Print it for machines."})
def history(c: Context, json: bool = False) -> None:
    """Show the runs that changed this cluster: who, when, from which commit, what changed, how it ended."""
    with step(c, "history") as run:
        found = entries.observe(run.hosts[run.manager])
        holder = lock.observe(run.hosts[run.manager])
        if json:
            run.report.json([asdict(entry) for entry in found])
        else:
            run.report.history(found, holder)


@step_task(help={"yes": "Do not ask."})
def unlock(c: Context, yes: bool = False) -> None:
    """Show who holds the cluster's lock, and take it away from them."""
    with step(c, "unlock") as run:
        manager = run.hosts[run.manager]
        holder = lock.observe(manager)
        if holder is None:
            run.report.line("unlock", "nobody holds the lock")
            return
        run.report.line("unlock", lock.told(holder), style="yellow")
        run.agree("Take the lock away? That run stops before its next change.")
        lock.remove(manager, holder)
        run.report.line("unlock", "done", style="green")
