"""What was done to the cluster, who is at it now, and the way back."""

from invoke.context import Context

from swarmhub.run.task import step, step_task


@step_task(help={"json": "Print JSON, for scripts."})
def history(c: Context, json: bool = False) -> None:
    """Show the runs that changed this cluster: who, when, from which commit, what changed, how it ended."""
    from dataclasses import asdict

    from swarmhub.history import entries, lock

    with step(c, "history") as run:
        found = entries.observe(run.hosts[run.manager], run.settings.hub.service)
        holder = lock.observe(run.hosts[run.manager])
        if json:
            run.report.json([asdict(entry) for entry in found])
        else:
            run.report.history(found, holder)


@step_task(help={"yes": "Do not ask."})
def unlock(c: Context, yes: bool = False) -> None:
    """Remove the cluster's lock after a run has died; show whose it is, and ask first."""
    from swarmhub.history import author, entries, journal, lock

    with step(c, "unlock") as run:
        manager = run.hosts[run.manager]
        holder = lock.observe(manager)
        if holder is None:
            run.report.line("unlock", "nobody holds the lock")
            return
        run.report.line("unlock", lock.told(holder), style="yellow")
        run.agree("Take the lock away? That run stops before its next change.")
        lock.remove(manager, holder)
        entries.write(manager, holder.hub or run.settings.hub.service, journal.lost(holder, f"unlocked by {author.name()}"))
        run.report.line("unlock", "done", style="green")


@step_task(help={"json": "Print JSON, for scripts, with settings and specs."})
def releases(c: Context, json: bool = False) -> None:
    """List the hub's releases, the newest first; a star marks the one that runs."""
    from dataclasses import asdict

    from swarmhub.history import releases as room

    with step(c, "releases") as run:
        known = run.look.releases()
        if json:
            run.report.json([asdict(release) for release in known])
        else:
            heads = ("  RELEASE", "MADE (UTC)", "BY", "COMMIT", "HUB IMAGE", "NOTEBOOK", "DATABASE BEFORE IT")
            run.report.table(heads, room.rows(known, run.look.service().service))


@step_task(
    help={
        "release": "The release's number, from `fab releases`. Default: the one before the newest.",
        "with-database": "Also restore the copy of the database that was made when that release was replaced.",
        "yes": "Do not ask.",
    },
)
def rollback(c: Context, release: str | None = None, with_database: bool = False, yes: bool = False) -> None:
    """Go back to an earlier release: its hub image, service and notebook images."""
    from swarmhub.deploy import way_back
    from swarmhub.history import rollback as room

    with step(c, room.STEP) as run:
        known = run.look.releases()
        target = room.choose(known, release)
        run.report.line(room.STEP, f"to release {target.number}, made {target.made} by {target.who}")
        run.report.way_there(target, known[-1])
        run.show([way_back.plan(run, target, with_database=with_database)])
        run.apply(way_back.plan(run, target, with_database=with_database))
        run.report.way_back(target, run.seconds)
