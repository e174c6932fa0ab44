"""The lab: a three-node swarm in containers on this machine, to try changes before production."""

from collections.abc import Iterator
from contextlib import contextmanager

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task


@task
def up(c: Context) -> None:
    """Start the lab; what runs already stays."""
    from lab import up as lab

    with _errors():
        lab.up(_say)


@task(help={"images": "Remove the lab's images too."})
def down(c: Context, images: bool = False) -> None:
    """Take the lab down, with everything that was deployed on it."""
    from lab import up as lab

    with _errors():
        lab.down(_say, with_images=images)


@task
def status(c: Context) -> None:
    """Say which parts of the lab run, and where to reach them."""
    from lab import up as lab

    for name, state, ports in lab.status():
        print(f"{name:<16} {state:<28} {ports}")


@task
def guide(c: Context) -> None:
    """Say where the lab's hub is, whom to log in as, and what to try next."""
    from lab import up as lab

    print(lab.guide())


def _say(line: str) -> None:
    print(f"lab        {line}", flush=True)


@contextmanager
def _errors() -> Iterator[None]:
    from lab.machine import LabError

    try:
        yield
    except LabError as error:
        raise Exit(f"lab: {error}", 1) from error
    except KeyboardInterrupt:
        raise Exit("lab: interrupted; the same command goes on from there", 130) from None
