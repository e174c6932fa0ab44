"""Start the simulated computers, and stop them."""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.vm import machines
from lab.vm.machines import MACHINES, Machine

# A kernel needs nothing here that lets it run on the bare processor: where KVM is seen, it may hang.
ACCELERATOR = os.environ.get("LAB_QEMU_ACCEL", "tcg,thread=multi")
# Plain, with AES: what a newer one has besides takes longer to simulate. One each: two would wait for one another.
PROCESSOR = "Westmere"
END_SECONDS = 60
KERNEL = (
    "root=/dev/vda rw console=ttyS0 mitigations=off systemd.show_status=false "
    # Where the machine is busy, a kernel that measures its clocks gets them wrong, threefold: hpet tells its rate.
    "tsc=unstable clocksource=hpet noapictimer no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1 panic=1 "
    "modprobe.blacklist=i6300esb,pcspkr,psmouse,floppy,i2c_piix4,parport_pc,joydev,evdev,drm,bochs "
    "systemd.default_timeout_start_sec=900"
)


@dataclass(frozen=True)
class Running:
    """The machines that run, each with its process."""

    processes: "tuple[subprocess.Popen[bytes], ...]"

    def stop(self) -> None:
        """Switch them off, as if somebody pulled the plug: their disks are forgotten."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait(END_SECONDS)


def start(folder: Path) -> Running:
    """Switch the machines on; what they write is forgotten when they stop."""
    return Running(tuple(_start(machine, folder) for machine in MACHINES))


def _start(machine: Machine, folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / f"{machine.name}.qemu").open("wb") as log:
        return subprocess.Popen(
            ["nice", "-n", "10", *command(machine, folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,  # Ctrl-C ends the tests, which then switch them off
        )


def command(machine: Machine, folder: Path) -> Sequence[str]:
    """Return the words that start a machine: two processors, two disks that forget, and two network cards."""
    forwarded = ",".join(f"hostfwd=tcp:127.0.0.1:{outside}-:{inside}" for inside, outside in machine.node.ports.items())
    ends = [f"127.0.0.1:{machines.CABLE + one.number}" for one in MACHINES]
    here, there = ends if machine == machines.MANAGER else reversed(ends)
    kernel = f"{KERNEL} systemd.hostname={machine.name} systemd.machine_id={machine.number:032d}"
    return (
        "qemu-system-x86_64",
        *("-nodefaults", "-machine", "pc", "-accel", ACCELERATOR, "-cpu", PROCESSOR, "-smp", "2", "-m", str(machine.memory)),
        *("-kernel", "vmlinuz", "-initrd", "initrd.img", "-append", kernel),
        *_disk("root"),
        *_disk("docker"),
        *("-netdev", f"user,id=outside,ipv6=off,{forwarded}"),
        *("-device", f"virtio-net-pci,netdev=outside,mac=52:54:00:00:0e:{machine.number}"),
        *("-netdev", f"socket,id=between,udp={there},localaddr={here}"),
        *("-device", f"virtio-net-pci,netdev=between,mac=52:54:00:00:0b:{machine.number}"),
        *("-device", "virtio-rng-pci", "-display", "none"),
        *("-serial", f"file:{folder / machine.name}.console"),
    )


def _disk(name: str) -> Sequence[str]:
    return ("-drive", f"file={name}.img,format=raw,if=virtio,snapshot=on,cache=unsafe")
