"""What moves on a terminal while something is done: a spinner with the time so far, and a bar for each host that pulls."""

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text

from swarmhub.plan.shown import duration


class Working(Live):
    """The lines below what was printed; they are gone when the work is done."""

    def __init__(self, console: Console, step: str, text: str) -> None:
        cut = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        said = TextColumn("{task.description}", markup=False, table_column=cut)
        self._spinner = Progress(
            TextColumn(f"{step:<10}", markup=False), SpinnerColumn(), _Elapsed(), said, console=console, expand=True
        )
        self._bars = Progress(
            TextColumn(f"{'':<10} {{task.description}}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
        )
        self._task = self._spinner.add_task(text, total=None)
        self._hosts: dict[str, TaskID] = {}
        super().__init__(Group(self._spinner, self._bars), console=console, transient=True)

    def say(self, text: str) -> None:
        """Say what is being done."""
        self._spinner.update(self._task, description=text)

    def amount(self, host: str, done: int, total: int) -> None:
        """Show how many bytes have come to a host."""
        if host not in self._hosts:
            self._hosts[host] = self._bars.add_task(host, total=None)
        description = f"{host} (unpacking)" if total and done == total else host
        self._bars.update(self._hosts[host], description=description, completed=done, total=total or None)


class _Elapsed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(duration(int(task.elapsed or 0)).replace(".0", ""))
