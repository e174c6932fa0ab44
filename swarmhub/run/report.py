"""Say on the terminal what happens; plain lines where nobody watches."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.prompt import Confirm, Prompt
from rich.text import Text

from swarmhub.plan.plans import Plan, as_values, prices

if TYPE_CHECKING:
    from swarmhub.cluster.nodes import Row
    from swarmhub.history.entries import Entry
    from swarmhub.history.lock import Holder
    from swarmhub.history.releases import Release

PLAIN_SECONDS = 5


class Report:
    """The one place that prints; also the `Progress` of a change that is being applied."""

    def __init__(self, console: Console | None = None) -> None:
        # No wrapping, no colouring of numbers, no ":a:" made a picture: people copy from these lines.
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        self._lock = threading.Lock()

    def line(self, step: str, text: str, style: str = "") -> None:
        """Say how a step stands."""
        self._console.print(f"{step:<10} {text}", style=style)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> None:
        """Print rows below heads, each column as wide as its widest cell; a row may have a style."""
        widths = [max(len(line[column]) for line in (heads, *rows)) for column in range(len(heads))]
        for line, style in zip((heads, *rows), ("dim", *(styles or [""] * len(rows))), strict=True):
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._console.print("  ".join(padded).rstrip(), style=style)

    def say(self, text: str, style: str = "") -> None:
        """Print a line as it is."""
        self._console.print(text, style=style)

    def screen(self, lines: Sequence[Text]) -> None:
        """Print lines that are laid out and coloured already."""
        for line in lines:
            self._console.print(line)

    @contextmanager
    def live(self) -> Iterator[Callable[[Sequence[Text]], None]]:
        """Give what shows lines in place of the ones before; in the end the terminal is as it was."""
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            yield lambda lines: live.update(Group(*_fitting(lines, self._console.height)), refresh=True)

    def foreign(self, line: str) -> None:
        """Print a line that somebody else's program wrote: of its escapes, a terminal is given the colours only."""
        self._console.print(Text.from_ansi(line))

    def json(self, value: object) -> None:
        """Print a value for machines."""
        self._console.print(json.dumps(value, indent=2, default=str))

    @property
    def is_terminal(self) -> bool:
        """Tell whether somebody can answer a question."""
        return self._console.is_terminal and sys.stdin.isatty()

    def ask(self, question: str) -> bool:
        """Ask, and tell whether the answer is yes; Ctrl-D is none."""
        try:
            return Confirm.ask(question, console=self._console, default=False)
        except EOFError:
            return False
        except KeyboardInterrupt:
            self._console.print()  # the terminal has put its ^C behind the question
            raise

    def ask_for(self, question: str) -> str:
        """Ask for a word to be typed."""
        return Prompt.ask(question, console=self._console)

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
        step = f"{indent}{plan.step}"
        if plan.error is not None:
            self.line(step, str(plan.error), style="red")
        elif not plan.changes:
            self.line(step, plan.summary)
        for change in plan.changes:
            price = f" ({change.price})" if change.price else ""
            self.line(step, f"{change.sentence}{price}", style="bold")
            for item in () if brief else change.differences:
                self.say(f"{indent:<10}   {item.path}: {_value(item.found)} → {_value(item.wanted)}", style="yellow")
            if commands and change.command:
                self.say(f"{indent:<10}   $ {change.command}", style="cyan")

    def shown(self, plans: Sequence[Plan]) -> None:
        """Show what is about to be changed, before it is."""
        self.counted(plans)
        for plan in plans:
            if plan.changes:
                self.plan(plan, indent="  ")

    def counted(self, plans: Sequence[Plan]) -> None:
        """Count the changes, and say what they cost."""
        changes = sum(len(plan.changes) for plan in plans)
        price = "; ".join(prices(plans)) or "nobody notices"
        self.line("plan", f"{count(changes)}; {price}" if changes else count(0), style="bold" if changes else "bold green")

    def steps(self, plans: Sequence[Plan], *, as_json: bool, commands: bool) -> None:
        """Say what every step would change, in order, and count it."""
        if as_json:
            self.json(as_values(plans))
            return
        for plan in plans:
            self.plan(plan, commands=commands)
        self.counted(plans)

    def history(self, entries: "Sequence[Entry]", holder: "Holder | None") -> None:
        """Say what was done, the newest first, and what is being done."""
        from swarmhub.history.lock import told

        if holder is not None:
            self.line("now", told(holder), style="yellow")
        for one in entries:
            style = "" if one.ended in ("done", "nothing to change") else "red"
            commit = f" at {one.commit}" if one.commit else ""
            self.say(f"{one.when:%Y-%m-%d %H:%M:%S} UTC  {one.command}  {one.ended}, {one.seconds:.1f} s", style=style)
            self.say(f"{'':<25}{one.who}{commit}", style="dim")
            for change in one.changes:
                self.say(f"{'':<25}{change}")
        if not entries:
            self.say("Nothing has been done to this cluster yet.")

    def way_back(self, to: "Release", last: "Release", seconds: float) -> None:
        """Say what hosts.toml and the release that runs now differ in."""
        from swarmhub.history.releases import settings_between

        for item in settings_between(to, last):
            self.say(f"{'':<10}   {item.path}: {_value(item.found)} → {_value(item.wanted)}", style="yellow")
        self.line("rollback", f"release {to.number} runs again, {seconds:.1f} s", style="bold green")
        self.line("rollback", "hosts.toml, hub/ and the userlist are as they were: the next deploy goes forward again")

    def kept(self, lines: Sequence[str]) -> None:
        """Say what stays."""
        for line in lines:
            self.line("keep", line)

    def done(self, address: str, changed: int, seconds: float) -> None:
        """Say that the hub is well, and what it took."""
        self.line("health", f"{address} answers over verified TLS", style="green")
        self.line("done", f"{count(changed)}, {seconds:.1f} s", style="bold green")

    def log(self, host: str, line: str) -> None:
        """Say a line of a long work's own output."""
        self._console.print(f"{'':<10} {host} | {line}", style="dim")

    def amount(self, host: str, done: int, total: int) -> None:
        """Say how many bytes have come: a bar on a terminal, else a line every few seconds."""
        with self._lock:
            if self._bars is not None:
                if host not in self._tasks:
                    self._tasks[host] = self._bars.add_task(host, total=None)
                description = f"{host} (unpacking)" if total and done == total else host
                self._bars.update(self._tasks[host], description=description, completed=done, total=total or None)
            elif done and time.monotonic() - self._said.setdefault(host, time.monotonic()) >= PLAIN_SECONDS:
                self._said[host] = time.monotonic()
                rest = "unpacking" if done == total else f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
                self._console.print(f"{'':<10} {host} | {rest}", style="dim")

    @contextmanager
    def bars(self, wanted: bool) -> Iterator[None]:
        """Show bars for what `amount` says, if this is a terminal."""
        if not (wanted and self._console.is_terminal):
            yield
            return
        columns = (TextColumn(f"{'':<10} {{task.description}}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self._console) as self._bars:
            try:
                yield
            finally:
                self._tasks.clear()
        self._bars = None


def count(changes: int) -> str:
    """Return how many changes, in words."""
    return f"{changes} change{'s' if changes != 1 else ''}" if changes else "nothing to change"


def _fitting(lines: Sequence[Text], height: int) -> Sequence[Text]:
    """Return what a screen has room for, and how much it has not."""
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], Text(f"… {len(lines) - height + 1} more lines: enlarge the window", "dim")]


def _value(value: object) -> str:
    text = "nothing" if value in (None, "", [], {}) else str(value).replace("\n", " ⏎ ")
    return text if len(text) <= 100 else f"{text[:97]}…"
