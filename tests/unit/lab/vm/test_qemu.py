"""How the machines in QEMU are switched on."""

from pathlib import Path

from lab.vm import machines, qemu


def value(words: list[str], option: str) -> list[str]:
    """Return what follows an option, each time it is given."""
    return [words[place + 1] for place, word in enumerate(words) if word == option]


def test_the_cable_has_two_ends() -> None:
    """Where one machine sends is where the other listens."""
    manager, worker = (
        next(one for one in value(list(qemu.command(machine, Path())), "-netdev") if one.startswith("socket"))
        for machine in machines.MACHINES
    )
    assert manager == "socket,id=between,udp=127.0.0.1:9421,localaddr=127.0.0.1:9411"
    assert worker == "socket,id=between,udp=127.0.0.1:9411,localaddr=127.0.0.1:9421"


def test_nothing_is_open_to_other_machines() -> None:
    """All ports are forwarded from 127.0.0.1."""
    for machine in machines.MACHINES:
        (outside,) = (one for one in value(list(qemu.command(machine, Path())), "-netdev") if one.startswith("user"))
        assert outside.count("hostfwd=") == len(machine.node.ports)
        assert outside.count("hostfwd=tcp:127.0.0.1:") == len(machine.node.ports)


def test_disks_are_written_by_nobody() -> None:
    """Both machines read one disk, and what each writes is its own and is forgotten."""
    for machine in machines.MACHINES:
        drives = value(list(qemu.command(machine, Path())), "-drive")
        assert len(drives) == 2
        assert all("snapshot=on" in drive for drive in drives)
