"""The plan of the way back to an earlier release."""

from dataclasses import replace

from swarmhub.deploy import on_nodes
from swarmhub.deploy.data import databases
from swarmhub.history import rollback
from swarmhub.history.releases import Release
from swarmhub.plan.plans import Plan
from swarmhub.run.run import Run


def plan(run: Run, target: Release, *, with_database: bool) -> Plan:
    """Plan the way back to a release, on what there is now."""
    url = databases.settled(run, target.hub_image).url
    found = rollback.observe(replace(on_nodes.cluster(run), python=target.hub_image), target, url)
    for error in found.unreached:
        run.report.log(error.host, f"left as it is: {error.cause}")
    # A node that cannot run an image is not given it.
    found = replace(found, held=run.look.fitting(found.held))
    nodes = on_nodes.nodes_of(run, list(found.held))
    return rollback.plan(target, run.look.releases(), found, nodes, run.manager, with_database=with_database, url=url)
