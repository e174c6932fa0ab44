"""Looking at what runs: the state of all, the logs, a shell."""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub.errors import UsageError
from swarmhub.run.task import step, step_task

if TYPE_CHECKING:
    from swarmhub.run.run import Run
    from swarmhub.status.logs import LogSelection


@step_task(help={"watch": "Keep it on the screen until Ctrl-C.", "json": "Print JSON, for scripts."})
def status(c: Context, watch: bool = False, json: bool = False) -> None:
    """Show nodes, hub, certificate, images and users' servers on one screen."""
    from swarmhub.status import overview, screen
    from swarmhub.status import summary as room
    from swarmhub.status.watch import watch as keep_showing

    with step(c, room.STEP) as run:

        def ask() -> room.Status:
            run.look.forget_all()
            return overview.observe(run.settings, run.look, run.hosts, run.manager)

        if watch and (json or not run.report.is_terminal):
            raise UsageError("--watch shows a screen on a terminal; without it, status prints once")
        if watch:
            with run.report.live() as show:
                keep_showing(ask, show)
        elif json:
            run.report.json(room.as_json(ask()))
        else:
            run.report.screen(screen.lines(ask()))


@step_task(
    help={
        "user": "This user's server instead of the hub.",
        "engine": "The Docker Engine of the node that -H or --node names.",
        "node": "The node, for --engine.",
        "follow": "Go on until Ctrl-C.",
        "since": "Lines from then on: 10m, 1h, 2026-11-23T10:00:00. Default: the last 100 lines.",
    }
)
def logs(c: Context, user: str = "", engine: bool = False, node: str = "", follow: bool = False, since: str = "") -> None:
    """Show the log of the hub, a user's server or a node's engine."""
    from datetime import UTC, datetime

    from swarmhub.status import logs as log_room

    with step(c, log_room.STEP, on_nodes=engine) as run:
        if (user and engine) or (node and not engine):
            raise UsageError("--node goes with --engine, --user goes alone")
        wanted = log_room.LogSelection(log_room.since(since, datetime.now(UTC)), follow)
        # To follow has no other end.
        with suppress(KeyboardInterrupt) if follow else nullcontext():
            for line in _lines(run, wanted, user, engine, node):
                run.report.foreign(line)


def _lines(run: "Run", wanted: "LogSelection", user: str, engine: bool, node: str) -> Iterator[str]:
    from swarmhub.notebooks import servers
    from swarmhub.status import logs as log_room

    if engine:
        host = log_room.engine_host(run.named, node, run.settings, run.manager)
        return log_room.of_engine(run.hosts[host], wanted)
    manager, hub = run.hosts[run.manager], run.settings.hub.service
    name = servers.named(servers.observe(manager, hub), user, run.manager).service if user else hub
    return log_room.of_service(manager, name, wanted, run.look.log_drivers)


@step_task(
    help={
        "user": "In this user's container instead of the hub's.",
        "home": "In this user's home, with no server running: by the user's name, or the volume's.",
    }
)
def shell(c: Context, user: str = "", home: str = "") -> None:
    """Open a shell in the hub's container, a user's, or a user's home; what is piped in is run there."""
    from swarmhub.status import home_shell
    from swarmhub.status import shell as shell_room

    if user and home:
        raise UsageError("--user is a server that runs, --home does without: choose one of the two")
    with step(c, shell_room.STEP) as run:
        manager, hub = run.hosts[run.manager], run.settings.hub.service
        terminal = run.report.is_terminal
        if home:
            there = home_shell.of(run.settings, run.look, run.manager, home)
            host = run.hosts[there.host]
            with home_shell.opened(host, run.settings, there, terminal=terminal) as command:
                code = host.attach(*command, terminal=terminal)
        else:
            place = shell_room.of_user(run.look, manager, hub, user) if user else shell_room.of_hub(run.look, manager, hub)
            code = run.hosts[place.host].attach(*shell_room.command(place, terminal=terminal), terminal=terminal)
    if code:
        raise Exit(code=code)
