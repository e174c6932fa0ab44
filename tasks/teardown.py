"""The end of a deployment."""

from invoke.context import Context

from swarmhub.run.task import step, step_task


@step_task(
    help={
        "with-data": "Remove users, cookies, volumes and the certificate too; asks for the cluster's name.",
        "name": "The cluster's name (hub.domain), for --with-data without a terminal.",
        "yes": "Do not ask.",
    }
)
def teardown(c: Context, with_data: bool = False, name: str = "", yes: bool = False) -> None:
    """Remove the deployment from every node; data, volumes and certificates stay, unless --with-data is given."""
    from swarmhub.deploy import membership
    from swarmhub.teardown import teardown as room

    with step(c, room.STEP) as run:
        plan, kept = membership.teardown_plan(run, with_data=with_data)
        run.report.kept(kept)
        if plan.changes:
            run.confirm(plan, "Remove all this?")
            if with_data:
                room.require_name(name or run.ask_for("The cluster's name", "--name"), run.settings.hub.domain)
        run.journal.leaves_entry = False
        run.apply(plan)
