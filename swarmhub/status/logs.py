"""The logs of the hub, of users' servers and of engines, as lines."""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from swarmhub.engine import as_root
from swarmhub.errors import StepError, UsageError
from swarmhub.host import Host, Json
from swarmhub.parallel import gather
from swarmhub.settings import Settings

STEP = "logs"
SILENT_SECONDS = 10
TAIL = 100
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
NO_LOG = 3
# The others are read where the engine keeps a copy for that, which is its default, and can be turned off.
READABLE = {"json-file", "local", "journald"}
# Of each node, by its id: the host, and how its engine keeps logs.
Drivers = Callable[[], Mapping[str, tuple[str, str]]]
# The engine's log has no API: it is in the journal, or in the file of an init script.
ENGINE_LOG = """
export SYSTEMD_COLORS=0 LC_ALL=C.UTF-8
lines=$1 since=$2 follow=$3
if [ -n "$(journalctl --quiet --no-pager --unit docker --lines 1 2>/dev/null)" ]; then
    exec journalctl --quiet --no-pager --unit docker --output short-iso --lines "$lines" ${since:+--since "@$since"} $follow
fi
[ "$lines" = all ] && lines=+1
for file in /var/log/docker.log /var/log/dockerd.log; do
    [ -r "$file" ] && exec tail -n "$lines" ${follow:+-F} "$file"
done
exit 3
"""
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z(?= |$)")
ENGINE_STAMP = re.compile(r'time="([^"]+)"')


@dataclass(frozen=True)
class LogSelection:
    """Which lines: those since a time, or else the last ones; and whether those to come."""

    since: datetime | None
    follow: bool

    @property
    def tail(self) -> str:
        """Return how many lines from before now, in the engine's words."""
        return "all" if self.since else str(TAIL)


def since(text: str, now: datetime) -> datetime | None:
    """Read a time span before now, as `10m`, or a time; without a zone it is this machine's.

    Raises:
        UsageError: it is neither.

    """
    if not text:
        return None
    if span := re.fullmatch(r"(\d{1,5})([smhd])", text):
        return now - timedelta(**{UNITS[span[2]]: int(span[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        wrong = f"--since {text}: say a span (10m, 1h, 2d) or a time ({now.astimezone():%Y-%m-%dT%H:%M:%S})"
        raise UsageError(wrong) from None


def engine_host(asked: Sequence[str], node: str, settings: Settings, manager: str) -> str:
    """Return whose engine is meant: the host of -H or of --node, else the manager.

    Raises:
        UsageError: that are two, or hosts.toml does not name it.

    """
    named = tuple(dict.fromkeys((*asked, *([node] if node else []))))
    if len(named) > 1:
        raise UsageError(f"{', '.join(named)}: one engine at a time")
    if node and node not in settings.hosts.all:
        raise UsageError(f"--node {node}: hosts.toml names {', '.join(settings.hosts.all)}")
    return named[0] if named else manager


def of_service(manager: Host, name: str, wanted: LogSelection, drivers: Drivers) -> Iterator[str]:
    """Yield the lines of a service's tasks, each behind its time; the manager gets them from the nodes.

    `drivers` is asked only where the newest task has no line.

    Raises:
        StepError: there is no such service, or its newest task's log is kept where its engine cannot read it: after the lines
            of the tasks before it.

    """
    service = manager.engine.find(f"/services/{name}")
    if service is None:
        raise StepError(manager.name, f"there is no service {name}", "Deploy it first: fab deploy")
    start = wanted.since.timestamp() if wanted.since else 0
    tasks = _started(manager, service)
    answers = gather([partial(_of_task, manager, task, wanted.tail, f"{start:.6f}") for task in tasks])
    past = by_time(line for lines in answers if not isinstance(lines, StepError) for line in lines)
    past = past if wanted.since else past[-TAIL:]
    yield from past
    newest = answers[-1] if answers else None
    if not newest:
        _require_readable(service, tasks[-1] if tasks else None, drivers())
    if isinstance(newest, StepError):
        raise newest
    if wanted.follow:
        last = next((found[0] for line in reversed(past) if (found := STAMP.match(line))), "")
        resume = after(last) if last else f"{start:.6f}"
        path = f"/services/{service['ID']}/logs"
        yield from manager.engine.logs(path, patience=None, timestamps=True, follow=True, since=resume)


def _started(manager: Host, service: Json) -> list[Json]:
    """Return the tasks that have a log, the newest last."""
    listed = manager.engine.get("/tasks", filters={"service": [service["ID"]]})
    return sorted((one for one in listed if _has_started(one)), key=lambda task: str(task["CreatedAt"]))


def _has_started(task: Json) -> bool:
    return bool(task.get("NodeID") and (task["Status"].get("ContainerStatus") or {}).get("ContainerID"))


def _of_task(manager: Host, task: Json, tail: str, since: str) -> list[str]:
    """Return the lines of one task.

    Each is asked for by itself: the answer for a service does not end, and may lack the newest task's lines, where one of its
    tasks is just being removed.
    """
    lines = manager.engine.logs(f"/tasks/{task['ID']}/logs", patience=SILENT_SECONDS, timestamps=True, tail=tail, since=since)
    return _come(lines)


def of_engine(host: Host, wanted: LogSelection) -> Iterator[str]:
    """Yield the lines of a host's engine, from the journal or from the file that its init script writes.

    Raises:
        StepError: there is neither.

    """
    start = str(int(wanted.since.timestamp())) if wanted.since else ""
    command = ("sh", "-c", ENGINE_LOG, "sh", wanted.tail, start, "--follow" if wanted.follow else "")
    code = yield from _since(host.lines(*command), wanted.since)
    if code == NO_LOG:
        code = yield from _since(as_root.lines(host, *command, patience=None), wanted.since)
    if code == NO_LOG:
        cause = "no log of its engine: not in the journal, not /var/log/docker.log or dockerd.log"
        raise StepError(host.name, cause, "Look there how dockerd is started")
    if code:
        raise StepError(host.name, f"its engine's log broke off (exit code {code})", "Its last lines are above")


def _require_readable(service: Json, newest: Json | None, drivers: Mapping[str, tuple[str, str]]) -> None:
    """Make sure that what a service's newest task says goes where its node's engine can read it."""
    if newest is None:
        return
    host, driver = drivers.get(newest["NodeID"], (newest["NodeID"], ""))
    driver = (service["Spec"]["TaskTemplate"].get("LogDriver") or {}).get("Name") or driver
    if not driver or driver in READABLE:
        return
    what = "keeps no log" if driver == "none" else f"sends logs elsewhere (log-driver {driver}) and has none"
    remedy = 'Look there, or set "log-driver": "local" in its daemon.json and restart the engine: it holds for new containers'
    raise StepError(host, f"its engine {what} of {service['Spec']['Name']}", remedy)


def _come(lines: Iterable[str]) -> list[str]:
    """Return the lines that come; Swarm never ends the answer where it removes the task while it is asked."""
    found: list[str] = []
    try:
        for line in lines:
            found.append(line)
    except StepError:
        if not found:
            raise
    return found


def by_time(lines: Iterable[str]) -> list[str]:
    """Sort lines by their time; each task's come in a row, and one without a time belongs to the one before it."""
    stamp, timed = "", []
    for line in lines:
        stamp = found[0] if (found := STAMP.match(line)) else stamp
        timed.append((stamp, line))
    return [line for _, line in sorted(timed, key=lambda one: one[0])]


def after(stamp: str) -> str:
    """Return the moment after a line's time, as the Engine API wants it: seconds.nanoseconds."""
    whole, nanoseconds = stamp.removesuffix("Z").split(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return f"{seconds}.{min(int(nanoseconds) + 1, 999_999_999):09}"


def _since(lines: Generator[str, None, int], start: datetime | None) -> Generator[str, None, int]:
    """Pass on the lines from a time on, and the exit code; a file has no index by time, as the journal has."""
    begun = start is None
    while True:
        try:
            line = next(lines)
        except StopIteration as end:
            return int(end.value)
        if not begun and start and (found := ENGINE_STAMP.search(line)):
            begun = datetime.fromisoformat(found[1]) >= start
        if begun:
            yield line
