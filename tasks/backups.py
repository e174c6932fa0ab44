"""Backups: made, listed, tried, put back, and made by the cluster itself."""

from invoke.context import Context

from swarmhub.run.task import step, step_task


@step_task(help={"verbose": "Show all output of a build."})
def backup(c: Context, verbose: bool = False) -> None:
    """Save the hub and people's homes to the repository of [backup], while people work."""
    from swarmhub.backup import saving
    from swarmhub.deploy.data import backups as room

    with step(c, saving.STEP) as run:
        saved = room.save(run)
        run.report.line(saving.STEP, saved.told(run.seconds), style="bold green")
        room.require_whole(run)
        room.thin_out(run)


@step_task(help={"json": "Print JSON, for scripts."})
def backups(c: Context, json: bool = False) -> None:
    """List the backups in the repository of [backup], the newest first."""
    from swarmhub.backup import snapshots
    from swarmhub.deploy.data import backups as room

    with step(c, "backups") as run:
        known = room.known(run)
        if json:
            run.report.json(snapshots.values(known))
        elif known.lack:
            run.report.line("backups", known.lack, style="yellow")
        else:
            run.report.table(snapshots.HEADS, snapshots.rows(known))


@step_task(
    help={
        "backup": "The backup's name, or how it begins, from `fab backups`. Default: the newest.",
        "home": "Only the home of this user.",
        "path": "Only this file or folder of the home.",
        "to": "Restore into this folder of the home; nothing else there changes.",
        "yes": "Do not ask.",
    },
)
def restore(
    c: Context,
    backup: str | None = None,
    home: str | None = None,
    path: str | None = None,
    to: str | None = None,
    yes: bool = False,
) -> None:
    """Restore the hub, and homes that are gone; or with --home one home or a file of it. Existing data is set aside."""
    from swarmhub.backup import restoring
    from swarmhub.deploy.data import backups as room

    with step(c, restoring.STEP) as run:
        restoring.check(backup, home, path, to)
        typed, part, folder = backup or "", path or "", to or ""
        plan = room.home_plan(run, typed, home, part, folder) if home else room.hub_plan(run, typed)
        run.confirm(plan, "Go on?")
        run.apply(plan)
        told = "done" if home else "done. Next: fab deploy, which starts the hub"
        run.report.line(restoring.STEP, told, style="bold green")


@step_task(help={"backup": "The backup's name, or how it begins, from `fab backups`. Default: the newest."})
def backup_verify(c: Context, backup: str = "") -> None:
    """Try a backup: restore it into a scratch volume, boot a hub on it, log in, open a file of a home; record the result."""
    from swarmhub.backup import drilling
    from swarmhub.deploy.data import backups as room

    with step(c, drilling.STEP) as run:
        shown = room.verify(run, backup)
        run.report.line(drilling.STEP, shown.told, style="bold green")


@step_task(help={"verbose": "Show all output of a build."})
def backup_schedule(c: Context, verbose: bool = False) -> None:
    """Start, change or end the backups that the cluster makes itself, as [backup] every says."""
    with step(c, "schedule") as run:
        run.check()
        if run.look.has_schedule():
            from swarmhub.deploy.data import schedule as room  # most clusters make no backups themselves

            room.equip(run)
            run.apply(room.plan(run))
