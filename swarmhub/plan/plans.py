"""What would change, what it costs the people working, and the one way to apply it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Protocol

from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError, Host
from swarmhub.parallel import every
from swarmhub.plan import hidden
from swarmhub.plan.differences import Difference, is_known


class Cost(Enum):
    """What a change means for the people working."""

    NOTHING = "no interruption"
    HUB_RESTART = "the hub restarts, notebooks go on"
    RECONNECT = "connections to notebooks break for a moment"
    HUB_STOP = "the hub stops"
    REMOVAL = "people may no longer log in"
    TAKEOVER = "a hub that was made by hand is taken over"
    NOTEBOOKS_STOP = "notebooks stop"


# Without a terminal nobody can be asked: these costs want --yes there.
GRAVE = frozenset({Cost.REMOVAL, Cost.TAKEOVER, Cost.NOTEBOOKS_STOP})


class Progress(Protocol):
    """Where a change says how far it is."""

    def doing(self, change: "Change") -> None:
        """Say that a change begins."""

    def log(self, host: str, line: str) -> None:
        """Say a line that the operator should read."""

    def output(self, place: str, line: str) -> None:
        """Take a line of a long work's own output, of which only the last matter; `place` is the change's."""

    def failed(self, place: str) -> None:
        """Say the last lines of a place's output: the work has failed."""

    def amount(self, host: str, done: int, total: int) -> None:
        """Say how many of the bytes known so far have come."""


@dataclass(frozen=True)
class Change:
    """One thing to do on one host; the `gist` of what is made says in a line what its many fields say.

    Where a plan does things at once, changes of different lanes do not wait for each other, though they are on one host.
    `undo` is for the changes that a later one's failure makes wrong. Where one that is `independent` fails, those that are so
    and come right after it are made all the same.
    """

    verb: str
    what: str
    host: str
    apply: Callable[[Host, Progress], object] = field(compare=False, repr=False)
    differences: tuple[Difference, ...] = ()
    cost: Cost = Cost.NOTHING
    people: tuple[str, ...] = ()
    command: str = ""
    gist: str = ""
    lane: str = ""
    undo: Callable[[Host, Progress], object] | None = field(default=None, compare=False, repr=False)
    independent: bool = False

    def __post_init__(self) -> None:
        """Keep secrets out of the command: it is only shown."""
        object.__setattr__(self, "command", hidden.in_command(self.command))

    @property
    def sentence(self) -> str:
        """Return what is done, in a line."""
        return f"{self.verb} {self.what} on {self.host}"

    @property
    def place(self) -> str:
        """Return what its output is called by: the host, and the lane if it has one of its own."""
        return f"{self.host} {self.lane}".strip()

    @property
    def price(self) -> str:
        """Return what it costs the people working, whose names it gives; nothing if it interrupts nobody."""
        if self.cost is Cost.NOTHING:
            return ""
        return f"{self.cost.value}: {len(self.people)} ({', '.join(self.people)})" if self.people else self.cost.value


@dataclass(frozen=True)
class Plan:
    """The changes of one step, in order; `summary` says how things are when there are none.

    Where `error` stands, the step refuses to plan. `notes` say what stays undone, and what helps.
    """

    step: str
    summary: str
    changes: tuple[Change, ...] = ()
    at_once: bool = False
    error: StepError | None = None
    notes: tuple[str, ...] = ()


def as_values(plans: Sequence[Plan]) -> dict[str, Any]:
    """Return the plans as values for JSON."""
    steps = [
        {
            "step": plan.step,
            "summary": "" if plan.changes else plan.summary,
            "error": str(plan.error) if plan.error else None,
            "changes": [_values(change) for change in plan.changes],
            "notes": list(plan.notes),
        }
        for plan in plans
    ]
    changes = sum(len(plan.changes) for plan in plans)
    return {"steps": steps, "changes": changes, "not_planned": [plan.step for plan in plans if plan.error]}


def _values(change: Change) -> dict[str, Any]:
    differences = [{"path": one.path, "found": one.found, "wanted": one.wanted} for one in change.differences]
    return {
        "verb": change.verb,
        "what": change.what,
        "host": change.host,
        "cost": change.cost.name.lower().replace("_", " "),
        "people": list(change.people),
        "command": change.command,
        "differences": differences,
    }


def prices(plans: Sequence[Plan]) -> list[str]:
    """Return what the changes cost the people working, each once."""
    return list(dict.fromkeys(change.price for plan in plans for change in plan.changes if change.price))


def grave(plans: Sequence[Plan]) -> list[str]:
    """Return those of the prices that nobody should have to pay unasked, each once."""
    return list(dict.fromkeys(change.price for plan in plans for change in plan.changes if change.cost in GRAVE))


def is_within(plan: Plan, shown: Plan) -> bool:
    """Tell whether a plan does nothing that was not shown before; values known only later may have become known."""
    return all(any(_equals(change, before) for before in shown.changes) for change in plan.changes)


def _equals(change: Change, before: Change) -> bool:
    same = all(any(shown.became(item) for shown in before.differences) for item in change.differences)
    same = same and is_known(change.sentence, before.sentence) and change.cost == before.cost
    return same and {*change.people} <= {*before.people}


def refusal(plans: Sequence[Plan]) -> str:
    """Return which steps could not be planned, in words; nothing if all could."""
    refused = [plan.step for plan in plans if plan.error]
    if not refused:
        return ""
    rest = "" if len(plans) > 1 else ", and so for none of the steps after it"  # the nodes
    return f"there is no plan for {', '.join(refused)}{rest}"


def errors(plans: Sequence[Plan]) -> list[StepError]:
    """Return why steps could not be planned, each reason once, with the first step that it bars."""
    found = [plan.error for plan in plans if plan.error]
    first = {(one.host, one.cause, one.remedy): one for one in reversed(found)}
    return [one for one in found if one in first.values()]


class ChangeLog(Protocol):
    """Where it is kept which change is being made, and which has been."""

    def begin(self, change: Change) -> None:
        """Take note that a change begins."""

    def done(self, change: Change) -> None:
        """Take note that a change has been made."""


def apply(plan: Plan, hosts: Mapping[str, Host], progress: Progress, journal: ChangeLog) -> None:
    """Apply the changes in order, or each lane's in order and all lanes at once where the plan says so.

    Raises:
        StepError: a change failed; those before it stay done.
        StepErrors: several failed: of those at once, whose other lanes were finished, or of those that are independent.

    """
    if not plan.at_once:
        _in_order(plan.changes, hosts, progress, journal)
        return
    lanes: dict[str, list[Change]] = {}
    for change in plan.changes:
        lanes.setdefault(change.place, []).append(change)
    every([partial(_in_order, lane, hosts, progress, journal) for lane in lanes.values()])


def _in_order(changes: Sequence[Change], hosts: Mapping[str, Host], progress: Progress, journal: ChangeLog) -> None:
    failed: list[StepError] = []
    for number, change in enumerate(changes):
        if failed and not change.independent:
            break
        try:
            _apply(change, hosts, progress, journal)
        except StepError as error:
            failed.append(error)
            if not change.independent:
                for before in reversed(changes[:number]):
                    _undo(before, hosts, progress)
                break
    if failed:
        raise failed[0] if len(failed) == 1 else StepErrors(*failed)


def _undo(change: Change, hosts: Mapping[str, Host], progress: Progress) -> None:
    """Undo a change, if it has to be; where that fails, the next run does what is left."""
    if change.undo is None:
        return
    progress.log(change.host, f"undo: {change.verb} {change.what}")
    try:
        change.undo(hosts[change.host], progress)
    except (EngineError, StepError) as error:
        progress.log(change.host, f"that failed, and the next deploy does it: {error}")


def _apply(change: Change, hosts: Mapping[str, Host], progress: Progress, journal: ChangeLog) -> None:
    try:
        journal.begin(change)
        progress.doing(change)
        change.apply(hosts[change.host], progress)
        journal.done(change)
    except EngineError as error:
        progress.failed(change.place)
        raise StepError(error.host, f"cannot {change.verb} {change.what}: {error.message}", remedy(error)) from error
    except StepError:
        progress.failed(change.place)
        raise


LOG_IN = "Log in to the registry on this machine: docker login"


# What a manager answers, whatever it is asked, when most of the managers are away; the last one while it still waits for them.
WITHOUT_QUORUM = ("more than half of the managers", "does not have a leader", "code = DeadlineExceeded")
NO_QUORUM = "Bring the other managers back; if they are lost for good: fab recover-quorum"


def is_without_quorum(said: str) -> bool:
    """Tell whether a manager says that the swarm has lost its quorum."""
    return any(part in said for part in WITHOUT_QUORUM)


# What an engine answers that is asked for what only a manager knows: it is in no swarm, or a worker.
IN_NO_SWARM, NO_MANAGER = 'Use "docker swarm init"', "This node is not a swarm manager"
TO_A_MANAGER = {
    IN_NO_SWARM: ("is in no swarm", "Make the swarm that hosts.toml describes: fab swarm-init"),
    NO_MANAGER: ("is no manager of its swarm", "Name one in hosts.managers, or on a manager: docker node promote HOST"),
}


def step_error(error: EngineError, step: str = "") -> StepError:
    """Return the step's error that an engine's is, with what helps."""
    known = next((told for part, told in TO_A_MANAGER.items() if part in error.message), None)
    cause, helps = known or (error.message, remedy(error))
    return StepError(error.host, cause, helps, step)


def remedy(error: EngineError) -> str:
    """Return what helps against an error that the engine answers."""
    if is_without_quorum(error.message):
        return f"The swarm has lost its quorum. {NO_QUORUM}"
    known = {
        "update out of sequence": "Somebody else changed it at the same time: run this again",
        "no space left on device": "Free some disk there: docker system df",
        "no matching manifest": "Name an image in hosts.toml that its registry has for this host's architecture",
        "bind source path does not exist": "Mount it there (/etc/fstab), as on the other nodes; a missing marker: fab volume",
        "no such host": "Check the name, and that the host's DNS resolves it",
        "not found": "Check the name and the tag",
        "manifest unknown": "Check the name and the tag",
        "no basic auth credentials": LOG_IN,
        "authentication required": LOG_IN,
        "unauthorized": LOG_IN,
        "denied": "Check the name; if it is private, log in on this machine: docker login",
    }
    said = error.message.lower()
    return next((text for part, text in known.items() if part in said), "Run this again; with --debug for more")
