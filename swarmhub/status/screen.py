"""Lay out the status as lines of text: calm where nothing is wrong, coloured where something is."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal
from rich.text import Text

from swarmhub.certificate.certs import Certificate
from swarmhub.errors import StepError
from swarmhub.images import pull
from swarmhub.images.hub.age import DAYS
from swarmhub.plan.shown import age, size
from swarmhub.run.report import aligned
from swarmhub.services.renewal import RenewalState
from swarmhub.status.machine import Machine
from swarmhub.status.summary import AvoidedNode, Image, NodeStatus, ServerStatus, ServiceStatus, Status

if TYPE_CHECKING:
    from swarmhub.services.schedule.state import Standing

WARN, BAD = "yellow", "bold red"
# What is used of memory or disk, in hundredths, from where on it is worth a colour.
HIGH, FULL = 80, 90
# An engine's words for why a container does not start may be a page.
LONGEST = 160

# Of sentences, on a screen that is live; what is printed once is never broken, so that it can be copied.
WRAPPED: Any = {"no_wrap": False, "overflow": "fold"}

Cell = tuple[str, str]


def lines(status: Status) -> list[Text]:
    """Return the whole screen."""
    at = status.at.astimezone()
    title = Text.assemble((f"https://{status.domain}", "bold"), f"   {at:%Y-%m-%d %H:%M:%S}   asked {status.manager}")
    return [
        title,
        *_section("Nodes", [*_nodes(status.nodes), *_avoided(status.avoided)]),
        *_section("Hub" if status.has_proxy else "Hub and proxy, in one container", _hub(status)),
        *_section("Certificate", [_certificate(status.certificate, status), *_renewal(status.renewal)]),
        *(_section("Backups", _backups(status.backups, status.at)) if status.backups else ()),
        *_section("Images", _images(status.images, [node.row.host for node in status.nodes if node.row.expected != "-"])),
        *_section(f"Servers: {len(status.servers)}" if status.servers else "Servers", _servers(status.servers, status.at)),
    ]


def _section(heading: str, body: Sequence[Text]) -> Iterator[Text]:
    yield Text()
    yield Text(heading, "bold cyan")
    yield from body


def _grid(heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[Text]:
    table = [[(head, "dim") for head in heads], *rows]
    texts = aligned([[text for text, _ in row] for row in table])
    return [_row(line, [style for _, style in row]) for line, row in zip(texts, table, strict=True)]


def _row(texts: Sequence[str], styles: Sequence[str]) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for text, style in zip(texts, styles, strict=True):
        line.append("  ").append(text, style)
    line.rstrip()
    return line


def _nodes(nodes: Sequence[NodeStatus]) -> list[Text]:
    heads = ("NODE", "ROLE", "STATE", "AVAILABILITY", "LOAD / CORES", "MEMORY", "DISK")
    rows = [_node(node) for node in nodes]
    troubles = [
        Text(f"  {row.host}: {row.problem}. {row.remedy}", BAD if row.blocks or row.is_away else WARN, **WRAPPED)
        for row in (node.row for node in nodes)
        if row.problem
    ]
    return [*_grid(heads, rows), *troubles]


def _avoided(nodes: Sequence[AvoidedNode]) -> list[Text]:
    return [Text(f"  {_refusal(one)}", BAD, **WRAPPED) for one in nodes]


def _refusal(one: AvoidedNode) -> str:
    why, until = shorten(one.why, LONGEST, placeholder=" …"), f"{one.until.astimezone():%H:%M}"
    return f"{one.host} refuses servers: {why}. The hub starts them elsewhere until {until}."


def _node(node: NodeStatus) -> list[Cell]:
    row = node.row
    state = "" if row.state == "ready" else BAD
    availability = "" if row.availability == "active" else WARN
    known: list[Cell] = [
        (row.host, BAD if row.blocks or row.is_away else ""),
        (row.role, ""),
        (row.state, state),
        (row.availability, availability),
    ]
    return [*known, *(_machine(node.machine) if node.machine else [("-", "")] * 3)]


def _machine(machine: Machine) -> list[Cell]:
    busy = machine.load / machine.cores
    return [
        (f"{machine.load:.2f} / {machine.cores}", BAD if busy >= 2 else WARN if busy >= 1 else ""),
        _share(machine.memory_used, machine.memory),
        _share(machine.disk_used, machine.disk),
    ]


def _share(used: int, total: int) -> Cell:
    percent = round(100 * used / total) if total else 0
    style = BAD if percent >= FULL else WARN if percent >= HIGH else ""
    return f"{percent:>2}% of {total / 1e9:.0f} GB", style


def _hub(status: Status) -> list[Text]:
    if status.hub is None:
        return [Text("  the hub is not deployed yet: fab deploy", BAD)]
    heads = ("SERVICE", "STATE", "SINCE", "RESTARTS", "MEMORY", "NODE", "PACKAGES", "IMAGE")
    found = (status.hub, *status.beside)
    errors = [
        Text(f"  {one.service}: {one.error}. Its log: {_log(one, status.hub)}", BAD, **WRAPPED) for one in found if one.error
    ]
    return [*_grid(heads, [_service(one, status.at) for one in found]), *errors]


def _log(one: ServiceStatus, hub: ServiceStatus) -> str:
    return "fab logs" if one is hub else f"docker service logs {one.service}"


def _service(hub: ServiceStatus, now: datetime) -> list[Cell]:
    count = f"{hub.restarts}{'+' if hub.restarts_or_more else ''}"
    return [
        (hub.service, ""),
        (hub.state, "" if hub.state == "running" else BAD),
        (age(hub.since, now), ""),
        (count, WARN if hub.restarts else ""),
        (size(hub.memory), ""),
        (hub.node or "-", ""),
        _installed(hub.installed, now),
        (hub.image.partition("@")[0], ""),
    ]


def _installed(at: datetime | None, now: datetime) -> Cell:
    return (f"{age(at, now)} old", WARN if (now - at).days > DAYS else "") if at else ("-", "dim")


def _certificate(found: Certificate | StepError | None, status: Status) -> Text:
    if found is None:
        return Text("  no certificate yet: fab certs", BAD)
    if isinstance(found, StepError):
        return Text(f"  {found}", BAD, **WRAPPED)
    left = found.days_left(status.at)
    style = BAD if left < 7 else WARN if found.is_due(status.at) else ""
    how = "put a newer one at certs.certificate" if found.is_own else "fab certs"
    due = f"; it is due: {how}" if found.is_due(status.at) else ""
    names = ", ".join(sorted(found.names))
    return Text.assemble(
        f"  {names}   ", (f"{left} days left{due}", style), f"   until {found.not_after:%Y-%m-%d}   {found.issuer}"
    )


def _renewal(found: RenewalState | StepError | None) -> list[Text]:
    if isinstance(found, StepError):
        return [Text(f"  {found}", BAD, **WRAPPED)]
    return [Text(f"  its renewal has failed {found.told}", BAD, **WRAPPED)] if found and found.failures else []


def _backups(found: "Standing", now: datetime) -> list[Text]:
    troubles = [Text(f"  {one.host}: {one.text}", BAD, **WRAPPED) for one in found.troubles]
    if found.last is None:
        return [Text("  no backup of all is made yet: see docker service logs of the schedule, or fab doctor", WARN), *troubles]
    made = f"  last {found.last:%Y-%m-%d %H:%M} UTC, {age(found.last, now)} ago{': late' if found.is_late else ''}"
    homes = f", with the homes of {found.homes} node{'' if found.homes == 1 else 's'}" if found.homes else ""
    tried = f"   tried {found.drilled:%Y-%m-%d %H:%M} UTC" if found.drilled else ""
    due = [Text(f"  next {found.next:%Y-%m-%d %H:%M} UTC, in {age(now, found.next)}")] if found.next else []
    return [Text.assemble((made, BAD if found.is_bad else ""), f"   {decimal(found.bytes)}{homes}{tried}"), *due, *troubles]


def _images(found: Sequence[Image], hosts: Sequence[str]) -> list[Text]:
    rows = [[(host, ""), *(_held(image, host) for image in found)] for host in hosts]
    return _grid(("NODE", *(image.name for image in found)), rows)


def _held(image: Image, host: str) -> Cell:
    if host not in image.held:
        return "-", "dim"
    held = image.held[host]
    if isinstance(held, StepError):
        return "?", BAD
    if held is None:
        return "missing", BAD
    if image.wanted and not pull.holds(held, image.wanted):
        return f"{pull.short(held.id)}, another", WARN
    return pull.short(image.wanted or held.id), ""


def _servers(servers: Sequence[ServerStatus], now: datetime) -> list[Text]:
    if not servers:
        return [Text("  none is running")]
    rows = [
        [
            (one.node or "-", ""),
            (one.user, ""),
            (one.state, "" if one.state == "running" else WARN) if one.is_known else ("unknown to the hub", BAD),
            (age(one.since, now), ""),
            (size(one.memory), ""),
        ]
        for one in sorted(servers, key=lambda one: (one.node, one.user))
    ]
    return _grid(("NODE", "USER", "STATE", "AGE", "MEMORY"), rows)
