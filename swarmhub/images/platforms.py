"""For which machines an image is: a node gets only images that its processor can run, and no server of the others."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from swarmhub.host import EngineError, Host
from swarmhub.images.pull import Held, Holding

# By the name that a machine has for itself, those that images have for what it runs, its own kind first; of any other machine
# nothing is known.
RUNS = {
    "x86_64": ("amd64", "386"),
    "aarch64": ("arm64", "arm"),
    "i686": ("386",),
    "armv7l": ("arm",),
    "armv8l": ("arm",),
}


@dataclass(frozen=True)
class Misfit:
    """A node that cannot run an image, and for what the image is."""

    host: str
    image: str
    machine: str
    made_for: tuple[str, ...]

    @property
    def told(self) -> str:
        """Say it, with what helps."""
        return f"{self.host} {self.cause}. {REMEDY}"

    @property
    def cause(self) -> str:
        """Say what is wrong with the host."""
        return f"is {self.machine}, and {self.image} is for {', '.join(self.made_for)}: no server with it is placed there"


REMEDY = "Name an image in hosts.toml that its registry has for both"


def native(machine: str) -> tuple[str, ...]:
    """Return for what a machine builds images, nothing where that is not known."""
    return RUNS.get(machine, ())[:1]


def runs(machine: str, made_for: Collection[str]) -> bool:
    """Tell whether a machine can run an image, as far as both are known."""
    known = RUNS.get(machine)
    return not known or not made_for or bool({*known} & {*made_for})


def offered(manager: Host, image: str) -> tuple[str, ...]:
    """Return for what a registry has an image; nothing where it does not say."""
    try:
        return manager.engine.registry_architectures(image)
    except EngineError:
        return ()


def misfits(
    held: Mapping[str, Holding],
    machines: Mapping[str, str],
    offered: Callable[[str, Mapping[str, Held | None]], Collection[str]],
) -> list[Misfit]:
    """Return which nodes cannot run which images.

    `offered` says what an image is for that a node lacks, from what the nodes hold of it. It is asked only where the nodes
    differ, and no node like that one holds the image.
    """
    images = dict.fromkeys(image for one in held.values() for image in one)
    found = []
    for image in images:
        there = {host: one[image] for host, one in held.items() if image in one}
        like = {machines.get(host) for host, one in there.items() if one and runs(machines.get(host, ""), [one.architecture])}
        for host, one in there.items():
            machine = machines.get(host, "")
            if one:
                made_for: Collection[str] = [one.architecture] if one.architecture else ()
            else:
                made_for = () if machine in like or len({*machines.values()}) < 2 else offered(image, there)
            if not runs(machine, made_for):
                found.append(Misfit(host, image, machine, tuple(sorted(made_for))))
    return found
