"""What a task is handed: the settings, the hosts, the look at them, and the one way to change them."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub import settings as settings_file
from swarmhub.engine import containers
from swarmhub.errors import DIFFERS, INTERRUPTED, Declined, StepError, StepErrors, UsageError
from swarmhub.host import Host
from swarmhub.parallel import at_once, every
from swarmhub.plan import plans
from swarmhub.plan.plans import Plan, is_within, prices
from swarmhub.plan.shown import duration
from swarmhub.run import check
from swarmhub.run.report import Report
from swarmhub.settings import Settings
from swarmhub.settings.secrets import Secrets
from swarmhub.settings.secrets import load as load_secrets

if TYPE_CHECKING:
    from swarmhub.history.journal import Journal
    from swarmhub.images.builder import Recipe
    from swarmhub.images.bundle import Bundle
    from swarmhub.run.look import Look
    from swarmhub.settings.schema.clashes.volumes import Key
    from swarmhub.ssh.connection import Connections


class Run:
    """One run of `fab` or `invoke`: its steps share connections and what they have seen."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._started = time.monotonic()
        self._is_checked = False
        flags = context.config
        self.report = Report(details=flags.get("swarmhub_details", False), verbose=flags.get("swarmhub_verbose", False))
        self.changed: Counter[str] = Counter()
        self._agreed = False
        self._shown: dict[str, Plan] = {}
        # What of a step that was not shown before is asked for: a single task's own restarts are not.
        self._asks_for = plans.grave
        self._confirmed: Plan | None = None
        self._closers: list[Callable[[], None]] = []

    @cached_property
    def settings(self) -> Settings:
        """Return the settings, checked, with the images that are built by their tags."""
        given = settings_file.current()
        if not self._recipes:
            return given
        from swarmhub.images.own import recipes

        return recipes.settled(given, self._recipes)

    @property
    def recipes(self) -> "tuple[Recipe, ...]":
        """Return the notebook images to build, each after the one that it is built on."""
        return tuple(self._recipes.values())

    @cached_property
    def _recipes(self) -> "dict[Key, Recipe]":
        given = settings_file.current()
        if not any(one.is_built for one in (given.notebook, *given.profiles)):
            return {}
        from swarmhub.images.own import recipes  # few clusters need it

        return recipes.wanted(given, settings_file.path())

    @cached_property
    def bundle(self) -> "Bundle | None":
        """Return the bundle that --bundle names, read and checked whole.

        Raises:
            UsageError: it cannot be used.

        """
        named = self._context.config.get("swarmhub_bundle", "")
        if not named:
            return None
        from swarmhub.images import bundle  # most clusters reach a registry

        with self.report.working(bundle.STEP, f"checking {named}"):
            return bundle.read(Path(named))

    @cached_property
    def secrets(self) -> Secrets:
        """Return the secrets, checked."""
        return load_secrets(self.settings, settings_file.path())

    @cached_property
    def manager(self) -> str:
        """Return the manager to use: the one that -H names, or the first of hosts.toml."""
        managers = self.settings.hosts.managers
        return next((host for host in self.named if host in managers), managers[0])

    def use_manager(self, host: str) -> None:
        """Ask this manager from here on: the preferred one is not in the swarm yet."""
        if host != self.manager:
            self.manager = host
            self.__dict__.pop("look", None)

    def leave_out_all_but_the_manager(self) -> None:
        """Ask no other host: what the run is about is on the manager."""
        self.asked = (self.manager,)

    def require_manager(self) -> None:
        """Make sure that -H, if given, names one manager and nothing else.

        Raises:
            UsageError: it names several hosts, a worker, or a host that hosts.toml does not.

        """
        check.one_manager(self.named, self.settings.hosts.managers)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Return the nodes to act on: those that -H names, or all."""
        return self.named or self.settings.hosts.all

    @cached_property
    def named(self) -> tuple[str, ...]:
        """Return the hosts that -H names, each once.

        Raises:
            UsageError: hosts.toml does not name one of them.

        """
        named = tuple(dict.fromkeys(host for host in self._context.config.get("swarmhub_hosts", []) if host))
        for host in named:
            self.require_known(host, f"-H {host}")
        return named

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """Return the hosts that are asked: all but those that --without leaves out.

        Raises:
            UsageError: hosts.toml does not name one of them, or it is the manager in use.

        """
        left_out = self._context.config.get("swarmhub_without", [])
        for host in left_out:
            self.require_known(host, f"--without {host}")
            if host == self.manager:
                raise UsageError(f"--without {host}: that is the manager in use; name another one with -H")
        return tuple(host for host in self.settings.hosts.all if host not in left_out)

    def require_known(self, host: str, typed: str) -> None:
        """Make sure that hosts.toml names a host; `typed` is what the operator wrote.

        Raises:
            UsageError: it does not; the message says which one may be meant.

        """
        check.known(host, typed, self.settings)

    @cached_property
    def hosts(self) -> dict[str, Host]:
        """Return every host of hosts.toml; a connection is made when it is first used."""
        from swarmhub.ssh.host import SshHost  # imports docker-py: `fab --list` does not wait for it

        return {name: SshHost(name, self.connections) for name in self.settings.hosts.all}

    @cached_property
    def connections(self) -> "Connections":
        """Return the connections of this run, none of which is open yet."""
        from swarmhub.ssh.session import connections

        shared = connections(self._context.config, self.settings.ssh)
        self._closers.append(shared.close)
        return shared

    def connect(self) -> None:
        """Begin to connect to every host: handshakes and imports take their time at once."""
        self.connections.begin(self.asked)

    @cached_property
    def look(self) -> "Look":
        """Return the look at the cluster that all steps of this run share."""
        from swarmhub.run.look import Look  # with every room: connections are begun before

        look = Look(self.settings, self.hosts, self.manager, self.asked)
        look.built = {recipe.tag for recipe in self.recipes}
        return look

    @property
    def command(self) -> str:
        """Return what the operator typed, without options: the lock and the history show it."""
        return " ".join(self._context.config.get("swarmhub_tasks", []))

    @property
    def says_yes(self) -> bool:
        """Tell whether --yes was given, to whichever task of the command line."""
        return bool(self._context.config.get("swarmhub_yes", False))

    def agree(self, question: str) -> None:
        """Ask before what costs somebody something; --yes has answered already.

        Raises:
            UsageError: there is no terminal, or (Declined) the answer is no.

        """
        if not self.says_yes:
            if not self.report.is_terminal:
                raise UsageError(f"{question} There is no terminal to ask on. To answer yes: --yes")
            if not self.report.ask(question):
                raise Declined("nothing was changed")
        self._agreed = True

    def _agree_to(self, steps: Sequence[Plan]) -> None:
        """Ask before people are interrupted; without a terminal, only what stops or removes somebody needs --yes.

        Raises:
            Declined: the answer is no, or --yes is missing.

        """
        if self.report.is_terminal or self.says_yes:
            self.agree("Go on?")
        elif costs := "; ".join(plans.grave(steps)):
            raise Declined(f"{costs}. Nothing was changed: there is no terminal to ask on. To go on: --yes")

    def ask_for(self, word: str, flag: str) -> str:
        """Ask for a word; `flag` gives it where there is no terminal.

        Raises:
            UsageError: there is no terminal.

        """
        if not self.report.is_terminal:
            raise UsageError(f"{word}? There is no terminal to ask on. To answer: {flag}")
        return self.report.ask_for(word)

    @property
    def seconds(self) -> float:
        """Return how long this run has taken so far."""
        return time.monotonic() - self._started

    def check(self) -> None:
        """Check all that can be checked before the first connection.

        Raises:
            SettingsError: with every problem of hosts.toml, the userlist, the secrets and the files they name.

        """
        if not self._is_checked:
            check.everything(self.settings, lambda: self.secrets)
            _ = self.bundle
            self._is_checked = True

    @cached_property
    def journal(self) -> "Journal":
        """Return what this run leaves on the cluster."""
        from swarmhub.history.journal import Journal

        return Journal(self.hosts[self.manager], self.settings.hub.service, self.command)

    def show(self, steps: Sequence[Plan]) -> None:
        """Show what is about to be changed, ask if it costs people something, and hold the run to it.

        Raises:
            Declined: the answer is no, or --yes is missing.
            StepError: a step refuses, or somebody else holds the cluster's lock.

        """
        journal = self.journal
        journal.open(self.look.holder())
        if errors := plans.errors(steps):
            self.report.line("plan", f"{plans.refusal(steps)}; nothing was changed", style="bold red")
            raise StepErrors(*errors)
        if any(plan.changes for plan in steps):
            self.report.shown(steps)
            if prices(steps):
                self._agree_to(steps)
            self._lock()
            self.look.forget()
        self._shown = {plan.step: plan for plan in steps}

    def show_again(self) -> None:
        """Show each step that follows when it comes, and ask where it costs people something: this run knows better by now."""
        self._shown, self._asks_for = {}, prices

    def confirm(self, plan: Plan, question: str) -> None:
        """Show a plan, ask, and hold the run to it.

        Raises:
            UsageError: the answer is no, or there is no terminal.

        """
        self.report.plan(plan)
        self.agree(question)
        self._shown[plan.step] = self._confirmed = plan

    def apply(self, *steps: Plan) -> None:
        """Say what steps change, and change it, several steps at once; ask before one stops or removes somebody unasked.

        Raises:
            Declined: the answer is no, or --yes is missing.
            StepError: a step is not what was shown before, or failed, or somebody else holds the cluster's lock.

        """
        journal = self.journal
        journal.open(self.look.holder() if journal.has_swarm else None)
        for plan in steps:
            self._announce(plan)
        changing = [plan for plan in steps if plan.changes]
        if not changing:
            return
        self.look.forget()
        with self.report.working(changing[0].step, ""):
            every([partial(self._change, plan, plan.step if len(steps) > 1 else "") for plan in changing])

    def _announce(self, plan: Plan) -> None:
        """Say what a step changes, and take the lock for it."""
        shown = self._shown.get(plan.step)
        if shown is not None and not is_within(plan, shown):
            cause = "the cluster has changed since the plan was shown; nothing of this step was done"
            raise StepError(self.manager, cause, "See what differs now: fab plan; then run this again", plan.step)
        if shown is None and not self._agreed and self._asks_for([plan]):
            self.report.plan(plan)
            self._agree_to([plan])
            self._confirmed = plan
        if plan.changes:
            self._lock()
            self.changed[plan.step] += len(plan.changes)
        if plan is not self._confirmed:
            self.report.plan(plan, brief=shown is not None)

    def _lock(self) -> None:
        """Take the lock, and with it remove what runs have left that were killed."""
        if self.journal.lock():
            at_once([partial(containers.sweep, self.hosts[host]) for host in self.asked])

    def _change(self, plan: Plan, step: str) -> None:
        """Change it; what fails is of this `step`, or of the task where that is empty."""
        started = time.monotonic()
        try:
            plans.apply(plan, self.hosts, self.report, self.journal)
        except (StepError, StepErrors) as error:
            for one in error.errors if isinstance(error, StepErrors) else (error,):
                one.step = one.step or step
            raise
        self.report.line(plan.step, f"done in {duration(time.monotonic() - started)}", style="green")

    def finish(self, error: BaseException | None) -> None:
        """Leave the entry, give the lock back, and close the connections: what waits for a host then ends."""
        try:
            if "journal" in self.__dict__ and not self.journal.end(_ending(error, self.changed.total())):
                self.report.say("The lock could not be given back; it expires within a minute.", style="yellow")
        finally:  # after a second Ctrl-C too: a pull that goes on would keep the process
            for close in self._closers:
                close()


def _ending(error: BaseException | None, changed: int) -> str:
    """Return how the run ended, for its entry; nothing, if it had nothing to change or the operator wanted none of it."""
    if error is None or (isinstance(error, Exit) and error.code in (0, DIFFERS)):
        return "done" if changed else ""
    if isinstance(error.__cause__, Declined):
        return ""
    if isinstance(error, KeyboardInterrupt) or (isinstance(error, Exit) and error.code == INTERRUPTED):
        return "interrupted"
    said = (error.message or f"exit code {error.code}") if isinstance(error, Exit) else str(error) or type(error).__name__
    return f"failed: {said.splitlines()[0]}"
