"""The status as lines of text: what is shown, and what is coloured."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.text import Text

from swarmhub.certificate.certs import Certificate
from swarmhub.cluster.nodes import Row
from swarmhub.errors import StepError
from swarmhub.images.pull import Held
from swarmhub.services.renewal import RenewalState
from swarmhub.services.schedule.state import Standing, Trouble
from swarmhub.status import screen
from swarmhub.status.machine import Machine
from swarmhub.status.summary import AvoidedNode, Image, NodeStatus, ServerStatus, ServiceStatus, Status
from tests.unit.support.fakes import DOMAIN, MANAGER, NOTEBOOK, WORKER1

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
GOOD = "sha256:" + "a" * 64
HELD = Held(GOOD, frozenset())
CALM = Machine(0.5, 2, 2_000_000_000, 8_000_000_000, 30_000_000_000, 100_000_000_000)
CERTIFICATE = Certificate(
    frozenset({DOMAIN}), "CN=R11", NOW - timedelta(days=10), NOW + timedelta(days=80, hours=1), "", "", "f"
)
STATUS = Status(
    at=NOW,
    domain=DOMAIN,
    manager=MANAGER,
    nodes=(
        NodeStatus(Row(MANAGER, "manager", "leader", "ready", "active", "29"), CALM),
        NodeStatus(Row(WORKER1, "worker", "worker", "ready", "active", "29"), CALM),
    ),
    hub=ServiceStatus(
        "jupyterhub",
        "jupyterhub:abc",
        MANAGER,
        "c1",
        "running",
        NOW - timedelta(hours=3),
        "",
        0,
        False,
        140_000_000,
        NOW - timedelta(days=2),
    ),
    certificate=CERTIFICATE,
    renewal=None,
    images=(Image(NOTEBOOK, GOOD, {MANAGER: HELD, WORKER1: HELD}), Image("jupyterhub:abc", "", {MANAGER: HELD})),
    servers=(ServerStatus("ada", WORKER1, "running", NOW - timedelta(minutes=5), 1_250_000_000),),
)


def text(lines: Sequence[Text]) -> list[str]:
    """Return what one reads."""
    return [line.plain.rstrip() for line in lines]


def alarms(status: Status) -> list[tuple[str, str]]:
    """Return what is coloured because it is wrong, and how."""
    lines = screen.lines(status)
    spans = [(line.plain[span.start : span.end].strip(), str(span.style)) for line in lines for span in line.spans]
    whole = [(line.plain.strip(), str(line.style)) for line in lines]
    return [(shown, style) for shown, style in (*spans, *whole) if style in (screen.WARN, screen.BAD)]


def test_the_screen_has_a_section_for_each_concern() -> None:
    """One reads down: nodes, hub, certificate, images, servers."""
    shown = text(screen.lines(STATUS))
    assert [line for line in shown[1:] if line and not line.startswith(" ")] == [
        "Nodes",
        "Hub and proxy, in one container",
        "Certificate",
        "Images",
        "Servers: 1",
    ]
    assert "  swarm-worker1   worker  ready  active        0.50 / 2      25% of 8 GB  30% of 100 GB" in shown
    assert "  jupyterhub  running  3 h    0         140 MB  swarm-manager1  2 d old   jupyterhub:abc" in shown
    assert f"  {DOMAIN}   80 days left   until 2027-02-03   CN=R11" in shown
    assert "  swarm-worker1  ada   running  5 min  1.2 GB" in shown


def test_a_cluster_with_five_servers_is_one_screen() -> None:
    """Three nodes and five servers fit 30 lines of 100 columns."""
    more = replace(STATUS, nodes=(*STATUS.nodes, STATUS.nodes[1]), servers=STATUS.servers * 5)
    shown = text(screen.lines(more))
    assert (len(shown) <= 30, max(len(line) for line in shown) <= 100) == (True, True)


def machine(**changed: float) -> Status:
    """Return a status whose first node's machine differs."""
    return replace(STATUS, nodes=(replace(STATUS.nodes[0], machine=replace(CALM, **changed)),))  # type: ignore[arg-type]


def row(**changed: str | bool) -> Status:
    """Return a status whose first node's row differs."""
    return replace(STATUS, nodes=(replace(STATUS.nodes[0], row=replace(STATUS.nodes[0].row, **changed)),))  # type: ignore[arg-type]


def hub(**changed: object) -> Status:
    """Return a status whose hub differs."""
    assert STATUS.hub
    return replace(STATUS, hub=replace(STATUS.hub, **changed))  # type: ignore[arg-type]


def held(what: Held | StepError | None) -> Status:
    """Return a status whose first worker holds something else."""
    return replace(STATUS, images=(Image(NOTEBOOK, GOOD, {MANAGER: HELD, WORKER1: what}),))


def expiring(days: int) -> Status:
    """Return a status whose certificate has that many days left."""
    return replace(STATUS, certificate=replace(CERTIFICATE, not_after=NOW + timedelta(days=days, hours=1)))


FRONT = "jupyterhub-proxy"


def beside(**changes: Any) -> Status:
    """Return a status with a proxy of its own."""
    assert STATUS.hub is not None
    return replace(STATUS, beside=(replace(STATUS.hub, service=FRONT, **changes),))


def test_a_proxy_of_its_own_has_a_line_of_its_own() -> None:
    """And the heading does not say that it is the hub's."""
    shown = [str(line) for line in screen.lines(beside())]
    assert "Hub" in shown
    assert [line.split()[0] for line in shown if line.startswith("  jupyterhub")] == ["jupyterhub", FRONT]


@pytest.mark.parametrize(
    ("status", "alarm"),
    [
        (machine(load=2.0), ("2.00 / 2", screen.WARN)),
        (machine(load=4.0), ("4.00 / 2", screen.BAD)),
        (machine(memory_used=6_400_000_000), ("80% of 8 GB", screen.WARN)),
        (machine(disk_used=90_000_000_000), ("90% of 100 GB", screen.BAD)),
        (row(availability="drain"), ("drain", screen.WARN)),
        (row(state="down"), ("down", screen.BAD)),
        (row(problem="is odd", remedy="Look"), (f"{MANAGER}: is odd. Look", screen.WARN)),
        (row(problem="is away", remedy="Look", blocks=True), (f"{MANAGER}: is away. Look", screen.BAD)),
        (hub(restarts=4, restarts_or_more=True), ("4+", screen.WARN)),
        (hub(state="pending", error="no suitable node"), ("jupyterhub: no suitable node. Its log: fab logs", screen.BAD)),
        (
            beside(state="failed", error="exit 1"),
            (f"{FRONT}: exit 1. Its log: docker service logs {FRONT}", screen.BAD),
        ),
        (replace(STATUS, hub=None), ("the hub is not deployed yet: fab deploy", screen.BAD)),
        (
            replace(STATUS, renewal=RenewalState(2, "port 80 is closed", NOW)),
            ("its renewal has failed 2 times: port 80 is closed; the next try is at 2026-11-15 12:00 UTC", screen.BAD),
        ),
        (replace(STATUS, certificate=None), ("no certificate yet: fab certs", screen.BAD)),
        (replace(STATUS, certificate=StepError(MANAGER, "may not", "Sudo")), (f"{MANAGER}: may not. Sudo", screen.BAD)),
        (expiring(4), ("4 days left; it is due: fab certs", screen.BAD)),
        (held(None), ("missing", screen.BAD)),
        (held(StepError(WORKER1, "away", "Look")), ("?", screen.BAD)),
        (held(Held("sha256:" + "b" * 64, frozenset())), ("bbbbbbbbbbbb, another", screen.WARN)),
        (replace(STATUS, servers=(replace(STATUS.servers[0], state="starting"),)), ("starting", screen.WARN)),
        (replace(STATUS, servers=(replace(STATUS.servers[0], is_known=False),)), ("unknown to the hub", screen.BAD)),
        (
            replace(STATUS, avoided=(AvoidedNode(WORKER1, "no space left", NOW),)),
            (
                f"{WORKER1} refuses servers: no space left. The hub starts them elsewhere until {NOW.astimezone():%H:%M}.",
                screen.BAD,
            ),
        ),
    ],
)
def test_what_is_wrong_is_coloured(status: Status, alarm: tuple[str, str]) -> None:
    """Yellow is worth a look, red needs a hand."""
    assert alarm in alarms(status)


@pytest.mark.parametrize(("is_own", "helps"), [(False, "fab certs"), (True, "put a newer one at certs.certificate")])
def test_a_certificate_is_due_with_a_third_of_its_life_left(is_own: bool, helps: str) -> None:
    """As `fab certs` decides; nobody but the operator renews one of their own; where all is well, nothing is coloured."""
    old = replace(CERTIFICATE, not_before=NOW - timedelta(days=60), not_after=NOW + timedelta(days=29), is_own=is_own)
    assert alarms(replace(STATUS, certificate=old)) == [(f"29 days left; it is due: {helps}", screen.WARN)]
    assert alarms(STATUS) == []


def test_servers_stand_by_node_and_then_by_user() -> None:
    """One sees what a node's drain would move; an empty section would look like a failure."""
    servers = tuple(ServerStatus(user, node, "running", NOW, None) for user, node in (("b", "n2"), ("c", "n1"), ("a", "n2")))
    shown = text(screen.lines(replace(STATUS, servers=servers)))[-3:]
    assert [line.split()[:2] for line in shown] == [["n1", "c"], ["n2", "a"], ["n2", "b"]]
    assert text(screen.lines(replace(STATUS, servers=())))[-1] == "  none is running"


SAVED = Standing(NOW - timedelta(hours=3), 20_900_000, 1, is_late=False, troubles=())


def test_backups_have_a_line_where_the_cluster_makes_them() -> None:
    """When the last one was made, how large it is, when it was tried, and when the next one is; calm, as long as it is good."""
    status = replace(STATUS, backups=replace(SAVED, drilled=NOW - timedelta(days=1), next=NOW + timedelta(hours=5)))
    shown = text(screen.lines(status))
    line, due = shown[shown.index("Backups") + 1 :][:2]
    at, tried = (f"{NOW - timedelta(hours=hours):%Y-%m-%d %H:%M} UTC" for hours in (3, 24))
    assert line == f"  last {at}, 3 h ago   20.9 MB, with the homes of 1 node   tried {tried}"
    assert due == f"  next {NOW + timedelta(hours=5):%Y-%m-%d %H:%M} UTC, in 5 h"
    assert alarms(status) == alarms(STATUS)
    assert "Backups" not in text(screen.lines(STATUS))


def test_a_backup_that_is_late_or_has_failed_is_red() -> None:
    """With the host and the cause; before the first one there is only a hint."""
    late = replace(STATUS, backups=replace(SAVED, is_late=True))
    assert [style for shown, style in alarms(late) if "late" in shown] == [screen.BAD]
    failing = replace(STATUS, backups=replace(SAVED, troubles=(Trouble(WORKER1, "the homes failed once: full", "disk"),)))
    assert (f"{WORKER1}: the homes failed once: full", screen.BAD) in alarms(failing)
    none = replace(STATUS, backups=replace(SAVED, last=None))
    assert [style for shown, style in alarms(none) if "no backup" in shown] == [screen.WARN]
