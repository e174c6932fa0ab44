"""Completion for the operator's shell."""

from invoke.context import Context

from swarmhub.run.task import step, step_task


@step_task(help={"shell": "bash, zsh or fish. Default: what $SHELL says."})
def completion(c: Context, shell: str = "") -> None:
    """Print shell code that completes tasks, options and host names: source <(fab completion).

    fish has its own completion for fab. To replace it, write a file:
    fab completion --shell fish > ~/.config/fish/completions/fab.fish
    """
    import os
    from pathlib import Path

    from swarmhub.errors import UsageError
    from swarmhub.run import completion as room

    with step(c, "completion") as run:
        chosen = shell or Path(os.environ.get("SHELL", "")).name
        if chosen not in room.SHELLS:
            raise UsageError(
                f"completion knows {', '.join(room.SHELLS)}, not {chosen or 'this shell'}: fab completion --shell bash"
            )
        run.report.say(room.script(chosen))
