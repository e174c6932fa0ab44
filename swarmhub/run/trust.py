"""Let the operator check the key that a host shows, and trust it from then on."""

from swarmhub.errors import StepError
from swarmhub.run.run import Run

STEP = "trust"


def ask(run: Run, host: str, *, new_only: bool = False) -> None:
    """Show the keys of a host and of its jump hosts, ask, and record those that are not trusted yet.

    Raises:
        UsageError: the answer is no, or nobody is there to answer.
        StepError: the host cannot be reached, or with `new_only` shows another key than the known one.

    """
    from swarmhub.ssh.keys.trust import (
        keys,
        record,  # imports Fabric: `fab --list` does not wait for it
    )

    for shown in keys(run.connections, host):
        if shown.is_trusted:
            run.report.line(STEP, f"{shown.where}: {shown}: trusted already")
            continue
        run.report.line(STEP, f"{shown.where} shows {shown}", style="bold")
        if shown.before:
            run.report.line("", f"it has CHANGED: known so far is {shown.before}", style="red")
            if new_only:
                raise StepError(host, "the host key has CHANGED", f"If the host was reinstalled: fab trust {host}")
        run.report.line("", f"compare, on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_{shown.kind}_key.pub")
        run.agree("Is it the host's own key?")
        run.report.line(STEP, f"recorded in {record(shown)}", style="green")
