"""A host's load, memory and disk: one command, one round trip."""

from dataclasses import dataclass

from swarmhub.errors import StepError
from swarmhub.host import Host

FACTS = 'cat /proc/loadavg; nproc; grep -E "^(MemTotal|MemAvailable):" /proc/meminfo; df -Pk "$1" | tail -n 1'


@dataclass(frozen=True)
class Machine:
    """The load over one minute; the memory, and the disk that Docker writes to, in bytes."""

    load: float
    cores: int
    memory_used: int
    memory: int
    disk_used: int
    disk: int


def observe(host: Host, docker_root: str) -> Machine:
    """Ask a host for its load, memory and disk.

    Raises:
        StepError: it cannot be reached, or prints something else.

    """
    done = host.run("sh", "-c", FACTS, "sh", docker_root)
    try:
        return read(done.out)
    except (ValueError, IndexError) as error:
        remedy = f"Try there: cat /proc/loadavg; nproc; df -P {docker_root}"
        raise StepError(host.name, f"does not tell its load: {done.last}", remedy) from error


def read(text: str) -> Machine:
    """Read what `FACTS` prints."""
    load, cores, total, available, disk = text.strip().splitlines()
    memory = _kilobytes(total)
    # File systems keep blocks for root: what is free is less than what is not used.
    used, free = (int(blocks) * 1024 for blocks in disk.split()[2:4])
    return Machine(float(load.split()[0]), int(cores), memory - _kilobytes(available), memory, used, used + free)


def _kilobytes(line: str) -> int:
    return int(line.split()[1]) * 1024
