"""Say on the terminal what happens; plain lines elsewhere."""

import json
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.text import Text

from swarmhub.plan.hidden import hidden, in_line, visible
from swarmhub.plan.plans import Change, Plan, as_values, prices, refusal
from swarmhub.plan.shown import duration, lines

if TYPE_CHECKING:
    from swarmhub.cluster.nodes import Row
    from swarmhub.history.entries import Entry
    from swarmhub.history.lock import LockHolder
    from swarmhub.history.releases import Release
    from swarmhub.run.working import Working

# Without a terminal: how often a pull says how far it is, and other long work what it says itself.
PLAIN_SECONDS, OUTPUT_SECONDS = 5, 15
# How Docker's builder says how far it is.
BUILD_STEP = re.compile(r"Step (\d+)/(\d+) :")
# Of a work that fails, so many last lines are shown.
LAST_LINES = 20


class Report:
    """The one place that prints; also the `Progress` of a change that is being applied.

    With `details` it shows every field of what is made, with `verbose` every line of a build.
    """

    def __init__(self, console: Console | None = None, *, details: bool = False, verbose: bool = False) -> None:
        # No wrapping, no colouring of numbers, no ":a:" made a picture: people copy from these lines.
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._details, self._verbose = details, verbose
        self._working: Working | None = None
        self._last: dict[str, deque[str]] = {}
        self._at: dict[str, str] = {}
        self._began: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._lock = threading.Lock()

    def line(self, step: str, text: str, style: str = "") -> None:
        """Say how far a step is."""
        self._console.print(f"{step:<10} {visible(in_line(text))}", style=style)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> None:
        """Print rows below heads, each column as wide as its widest cell; a row may have a style."""
        for line, style in zip(
            aligned([heads, *(map(visible, row) for row in rows)]), ("dim", *(styles or [""] * len(rows))), strict=True
        ):
            self._console.print("  ".join(line).rstrip(), style=style)

    def say(self, text: str, style: str = "") -> None:
        """Print a line as it is."""
        self._console.print(visible(text), style=style)

    def screen(self, lines: Sequence[Text]) -> None:
        """Print lines that are laid out and coloured already."""
        for line in lines:
            self._console.print(_visible(line))

    @contextmanager
    def live(self) -> Iterator[Callable[[Sequence[Text]], None]]:
        """Give what shows lines in place of the ones before; in the end the terminal is as it was."""
        from rich.live import Live

        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            yield lambda lines: live.update(Group(*map(_visible, _fitting(lines, self._console.height))), refresh=True)

    def foreign(self, line: str) -> None:
        """Print a line that somebody else's program wrote: of its escapes, a terminal is given the colours only."""
        self._console.print(_visible(Text.from_ansi(line)))

    def json(self, value: object) -> None:
        """Print a value for machines, without secrets."""
        self._console.print(json.dumps(hidden(value), indent=2, default=str))

    @property
    def is_terminal(self) -> bool:
        """Tell whether somebody can answer a question."""
        return self._console.is_terminal and sys.stdin.isatty()

    def ask(self, question: str) -> bool:
        """Ask, and tell whether the answer is yes; Ctrl-D is none."""
        from rich.prompt import Confirm

        try:
            return Confirm.ask(_asked(question), console=self._console, default=False)
        except EOFError:
            return False
        except KeyboardInterrupt:
            self._console.print()  # the terminal has put its ^C behind the question
            raise

    def ask_for(self, question: str) -> str:
        """Ask for a word to be typed."""
        from rich.prompt import Prompt

        return Prompt.ask(_asked(question), console=self._console)

    def nodes(self, rows: "Sequence[Row]") -> None:
        """Say what hosts.toml and the swarm say of each node, and below what is wrong."""
        heads = ("HOST", "HOSTS.TOML", "SWARM", "STATE", "AVAILABILITY", "ENGINE")
        cells = [(row.host, row.expected, row.role, row.state, row.availability, row.engine) for row in rows]
        self.table(heads, cells, ["red" if row.blocks else "yellow" if row.problem else "" for row in rows])
        for row in rows:
            if row.problem:
                self.say(f"{row.host}: {row.problem}. {row.remedy}", style="red" if row.blocks else "yellow")

    def plan(self, plan: Plan, *, brief: bool = False, commands: bool = False, indent: str = "") -> None:
        """Say what a step is going to change, or that it has nothing to do; `brief` leaves the fields out."""
        step = f"{indent}{plan.step:<10}"
        if plan.error is not None:
            self.line(step, str(plan.error), style="red")
        elif not plan.changes:
            self.line(step, plan.summary)
        for change in plan.changes:
            self._change(step, change, brief=brief)
            if commands and change.command:
                self.say(f"{indent}{'':<10}   $ {change.command}", style="cyan")

    def notes(self, plan: Plan) -> None:
        """Say what a step leaves undone, and what helps."""
        for note in plan.notes:
            self.line(plan.step, note, style="yellow")

    def _change(self, step: str, change: Change, *, brief: bool) -> None:
        price = f" ({change.price})" if change.price else ""
        gist = f": {change.gist}" if change.gist and not brief else ""
        self._console.print(Text.assemble((f"{step:<10} {change.sentence}{price}", "bold"), gist))
        if not brief and (self._details or not gist):
            self.differences(change, " " * (len(step) - len(step.lstrip())))

    def differences(self, change: Change, indent: str = "") -> None:
        """Say what differs, a line for each field and each item of a list."""
        for item in change.differences:
            for text in lines(item):
                self.say(f"{indent}{'':<10}   {text}", style="yellow")

    def shown(self, plans: Sequence[Plan]) -> None:
        """Show what is about to be changed, before it is."""
        self.counted(plans)
        for plan in plans:
            if plan.changes:
                self.plan(plan, indent="  ")

    def counted(self, plans: Sequence[Plan]) -> None:
        """Count the changes, and say what they cost; or say which steps there is no plan for."""
        changes = sum(len(plan.changes) for plan in plans)
        price = "; ".join(prices(plans)) or "no interruption"
        text = f"{count(changes)}; {price}" if changes else count(0)
        if refused := refusal(plans):
            others = f" The other steps: {text}." if changes else ""
            self.line("plan", f"{refused}: see above. fab deploy would change nothing either.{others}", style="bold red")
        else:
            self.line("plan", text, style="bold" if changes else "bold green")

    def steps(self, plans: Sequence[Plan], *, as_json: bool, commands: bool) -> None:
        """Say what every step would change, in order, and count it."""
        if as_json:
            self.json(as_values(plans))
            return
        for plan in plans:
            self.plan(plan, commands=commands)
            self.notes(plan)
        self.counted(plans)

    def history(self, entries: "Sequence[Entry]", holder: "LockHolder | None") -> None:
        """Say what was done, the newest first, and what is being done."""
        from swarmhub.history.lock import told

        if holder is not None:
            self.line("now", told(holder), style="yellow")
        for one in entries:
            style = "" if one.ended in ("done", "nothing to change") else "red"
            commit = f" at {one.commit}" if one.commit else ""
            self.say(f"{one.when:%Y-%m-%d %H:%M:%S} UTC  {one.command}  {one.ended}, {duration(one.seconds)}", style=style)
            self.say(f"{'':<25}{one.who}{commit}", style="dim")
            for change in one.changes:
                self.say(f"{'':<25}{change}")
        if not entries:
            self.say("Nothing has been done to this cluster yet.")

    def way_there(self, to: "Release", last: "Release") -> None:
        """Say which settings apply again: people they let in are let in again."""
        from swarmhub.history.releases import settings_between

        for item in settings_between(to, last):
            for text in lines(item):
                self.say(f"{'':<10}   {text}", style="yellow")

    def way_back(self, to: "Release", seconds: float) -> None:
        """Say that the release runs."""
        self.line("rollback", f"release {to.number} runs again, {duration(seconds)}", style="bold green")
        self.line("rollback", "hosts.toml, hub/ and the userlist are as they were: the next deploy goes forward again")

    def kept(self, lines: Sequence[str]) -> None:
        """Say what stays."""
        for line in lines:
            self.line("keep", line)

    def done(self, address: str, changed: Mapping[str, int], seconds: float, by: str = "") -> None:
        """Say that the hub is well, what was changed in which step, how long it took, and where the hub is.

        `by` is the manager that has asked it, where this machine cannot reach it.
        """
        way = f", asked from {by}: this machine cannot reach it" if by else ""
        self.line("health", f"{address} answers over verified TLS{way}", style="green")
        where = f" ({', '.join(f'{step} {number}' for step, number in changed.items())})" if changed else ""
        self.line("done", f"{count(sum(changed.values()))}{where}, {duration(seconds)}", style="bold green")
        self.line("", address, style="bold green")

    def doing(self, change: Change) -> None:
        """Say on a terminal what is being done."""
        with self._lock:
            self._last[change.place], self._at[change.place] = deque(maxlen=LAST_LINES), ""
            self._began[change.place] = self._said[change.place] = time.monotonic()
            if self._working is not None:
                self._working.say(visible(change.sentence))

    def log(self, host: str, line: str) -> None:
        """Say a line that the operator should read."""
        self._console.print(f"{'':<10} {host} | {visible(in_line(line))}", style="dim")

    def output(self, place: str, line: str) -> None:
        """Take a line of a long work's own output: the last one is shown on a terminal, one now and then elsewhere."""
        with self._lock:
            self._last.setdefault(place, deque(maxlen=LAST_LINES)).append(line)
            began = self._began.setdefault(place, time.monotonic())
            if self._verbose:
                self.log(place, line)
                return
            if found := BUILD_STEP.match(line):
                self._at[place] = f"step {found[1]} of {found[2]}: "
                line = line[found.end() :].strip()
            if self._working is not None:
                self._working.say(visible(self._at.get(place, "") + line))
            elif self._is_time(place, OUTPUT_SECONDS):
                self.log(place, f"{duration(time.monotonic() - began)}, {self._at.get(place, '')}{line}")

    def failed(self, place: str) -> None:
        """Say the last lines of a place's output, if they were not said."""
        for line in () if self._verbose else self._last.pop(place, ()):
            self.log(place, line)

    def amount(self, host: str, done: int, total: int) -> None:
        """Say how many bytes have come: a bar on a terminal, else a line every few seconds."""
        with self._lock:
            if self._working is not None:
                self._working.amount(host, done, total)
            elif done and self._is_time(host, PLAIN_SECONDS):
                self.log(host, "unpacking" if done == total else f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")

    def _is_time(self, host: str, seconds: float) -> bool:
        """Tell whether a host has said nothing for so long."""
        now = time.monotonic()
        if now - self._said.setdefault(host, now) < seconds:
            return False
        self._said[host] = now
        return True

    @contextmanager
    def working(self, step: str, text: str) -> Iterator[None]:
        """Show on a terminal that something is being done, and for how long already."""
        if not self._console.is_terminal or self._working is not None:
            yield
            return
        from swarmhub.run.working import Working

        with Working(self._console, step, text) as self._working:
            try:
                yield
            finally:
                self._working = None


def aligned(rows: Sequence[Iterable[str]]) -> list[list[str]]:
    """Return the rows of a table with each column as wide as its widest cell."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]


def _visible(line: Text) -> Text:
    """Return a line as it may be shown; only one that is not so loses its colours."""
    shown = visible(line.plain)
    return line if shown == line.plain else Text(shown)


def _asked(question: str) -> Text:
    """Return a question as it may be shown, letter by letter: Rich would read the brackets in a name as its own."""
    return Text(visible(question), style="prompt")


def count(changes: int) -> str:
    """Return how many changes, in words."""
    return f"{changes} change{'s' if changes != 1 else ''}" if changes else "nothing to change"


def _fitting(lines: Sequence[Text], height: int) -> Sequence[Text]:
    """Return what a screen has room for, and how much it has not."""
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], Text(f"… {len(lines) - height + 1} more lines: enlarge the window", "dim")]
