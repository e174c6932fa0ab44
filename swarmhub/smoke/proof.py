"""Prove that notebooks work: a user of its own for each node starts a server there and works with it."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from hub.shared.servers import nodes as placing
from hub.shared.servers.choice import server_for
from swarmhub.cluster.nodes import Member
from swarmhub.errors import StepError, StepErrors, UsageError
from swarmhub.parallel import at_once
from swarmhub.people import api as hub_api
from swarmhub.people.api import HubApi
from swarmhub.run.report import Report
from swarmhub.run.run import Run
from swarmhub.settings import Settings, handed
from swarmhub.settings.schema.notebook import Profile
from swarmhub.smoke import traces
from swarmhub.smoke.trial import Trial

STEP = "smoke"
# More at once would compete for the hub, and be no faster.
AT_ONCE = 3


def prove(run: Run, targets: Sequence[str], profile: str = "") -> None:
    """Try each of the hosts, and remove what that leaves.

    It holds the cluster's lock: a deploy in between would replace the hub.

    Raises:
        UsageError: there is no such profile.
        StepErrors: nodes do not do what they should.

    """
    chosen, started = choose(run.settings, profile), time.monotonic()
    run.journal.open(run.look.holder())
    run.journal.lock()
    api = hub_api.connect(run)
    barred = _barred(run, chosen)
    for host in (left_out := [host for host in targets if host in barred]):
        run.report.line(STEP, f"{host} is left out: its node takes no such server ({barred[host]})")
    targets = [host for host in targets if host not in left_out]
    members = {host: member for host, member in run.look.members().items() if host in targets}
    reached = {host: member.node for host, member in members.items() if isinstance(member, Member)}
    errors = [member for member in members.values() if isinstance(member, StepError)]
    trials = _trials(run, api, reached, chosen)
    try:
        errors += _clear(run, api, reached)
        if trials:
            api.post("users", {"usernames": [one.user for one in trials]})
        with run.report.working(STEP, f"starting servers on {len(trials)} nodes and working with them"):
            errors += _try(trials, run.report)
    finally:
        errors += (left := _clear(run, api, reached))
        if left:  # after Ctrl-C, too
            raise StepErrors(*errors)
    if errors:
        raise StepErrors(*errors)
    what = "start servers, run code and keep files" if run.settings.home.keep else "start servers and run code"
    seconds = time.monotonic() - started
    run.report.line(STEP, f"{len(trials)} of {len(targets)} nodes {what}, {seconds:.1f} s", style="bold green")


def choose(settings: Settings, name: str) -> Profile | None:
    """Return the profile to try: the one of that name, or the first, if there are any.

    Raises:
        UsageError: none has that name.

    """
    if not name:
        return next(iter(settings.profiles), None)
    for profile in settings.profiles:
        if profile.name == name:
            return profile
    known = ", ".join(repr(one.name) for one in settings.profiles) or "none"
    raise UsageError(f"--profile {name}: there is no such profile; hosts.toml has {known}")


def _barred(run: Run, profile: Profile | None) -> dict[str, str]:
    """Return the hosts on whose nodes the settings place no server of a profile, each with the constraint that says so."""
    tables = handed.tables(run.settings)
    chosen = next((one for one in tables["profiles"] if profile and one["name"] == profile.name), None)
    groups = profile.groups[:1] if profile else ()
    labels = server_for(tables, traces.PREFIX, groups, chosen)["node_labels"]
    constraints = [*placing.everywhere(tables), *placing.labelled(labels)]
    members = run.look.members()
    hosts = {member.node: host for host, member in members.items() if isinstance(member, Member)}
    listed = run.hosts[run.manager].engine.get("/nodes")
    found = {hosts[one["ID"]]: placing.barred(one, constraints) for one in listed if one["ID"] in hosts}
    return {host: constraint for host, constraint in found.items() if constraint}


def _trials(run: Run, api: HubApi, reached: Mapping[str, str], profile: Profile | None) -> list[Trial]:
    is_over = threading.Event()
    users = {host: f"{traces.PREFIX}{number}" for number, host in enumerate(run.settings.hosts.all, 1)}
    return [
        Trial(
            api=api,
            manager=run.hosts[run.manager],
            hub=run.settings.hub.service,
            user=users[host],
            host=host,
            node=node,
            options={"profile": profile.name, "groups": list(profile.groups[:1])} if profile else {},
            keeps_files=run.settings.home.keep,
            progress=run.report,
            is_over=is_over,
        )
        for host, node in reached.items()
    ]


def _try(trials: Sequence[Trial], report: Report) -> list[StepError]:
    """Run the trials, some at once; return what went wrong."""
    # Its end waits for those that still act as a user: nothing is made any more when the traces are removed.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            answers = [future.exception() for future in [pool.submit(one.run) for one in trials]]
        except KeyboardInterrupt:
            report.line(STEP, "interrupted; what was made for it is removed", style="yellow")
            pool.shutdown(wait=False, cancel_futures=True)
            at_once([one.give_up for one in trials])
            raise
    for answer in answers:
        if answer is not None and not isinstance(answer, StepError):
            raise answer
    return [answer for answer in answers if isinstance(answer, StepError)]


def _clear(run: Run, api: HubApi, hosts: Iterable[str]) -> list[StepError]:
    reached = {host: run.hosts[host] for host in hosts}
    return traces.remove(run.settings, run.look, api, run.hosts[run.manager], reached)
