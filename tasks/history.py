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
    """Remove the cluster's lock of a run that has died; show whose it is, and ask first."""
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
def rollback(c: Context, release: str = "", with_database: bool = False, yes: bool = False) -> None:
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


@step_task(help={"verbose": "Show all output of a build."})
def backup(c: Context, verbose: bool = False) -> None:
    """Save the hub and people's homes to the repository of [backup], while people work."""
    from swarmhub.backup import saving
    from swarmhub.deploy import backups as room

    with step(c, saving.STEP) as run:
        saved = room.save(run)
        run.report.line(saving.STEP, saved.told(run.seconds), style="bold green")
        room.require_whole(run)
        room.thin_out(run)


@step_task(help={"json": "Print JSON, for scripts."})
def backups(c: Context, json: bool = False) -> None:
    """List the backups in the repository of [backup], the newest first."""
    from swarmhub.backup import snapshots
    from swarmhub.deploy import backups as room

    with step(c, "backups") as run:
        known = room.known(run)
        if json:
            run.report.json(snapshots.values(known))
        else:
            run.report.table(snapshots.HEADS, snapshots.rows(known))


@step_task(
    help={
        "backup": "Which one, or how its name begins, from `fab backups`. Default: the newest.",
        "home": "Only the home of this user.",
        "path": "Only this file or folder of the home.",
        "to": "Put it into this folder of the home, and leave all else there as it is.",
        "yes": "Do not ask.",
    },
)
def restore(c: Context, backup: str = "", home: str = "", path: str = "", to: str = "", yes: bool = False) -> None:
    """Put back the hub, and homes that are gone; or with --home one home or a file of it. What is there is set aside."""
    from swarmhub.backup import restoring
    from swarmhub.deploy import backups as room

    with step(c, restoring.STEP) as run:
        restoring.check(home, path, to)
        plan = room.home_plan(run, backup, home, path, to) if home else room.hub_plan(run, backup)
        run.confirm(plan, "Go on?")
        run.apply(plan)
        told = "done" if home else "done. Next: fab deploy, which starts the hub"
        run.report.line(restoring.STEP, told, style="bold green")
