"""Two machines with Debian's kernel, switched on once; and the table that a run leaves in the docs."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import machine
from lab.machine import LabError
from lab.vm import disks, qemu
from tests.kernel.support import CLIENTS, MANAGER, WORKER, Cluster, variant
from tests.report import Report

# From the moment at which the machines are switched on. Where others use the machine too, more may be given.
MINUTES = int(os.environ.get("KERNEL_MINUTES", "30"))
BOOT_SECONDS = 900


def pytest_configure(config: pytest.Config) -> None:
    """Begin a report."""
    config.pluginmanager.register(Report("make test-kernel", os.environ.get("KERNEL_REPORT")))


@pytest.fixture(scope="session")
def switched_on() -> Iterator[tuple[Cluster, float]]:
    """Make the disks, and switch the machines on; all that they write is gone afterwards."""
    try:
        state = disks.ensure(machine.ensure_engine(print), print)
    except LabError as error:
        pytest.exit(f"no kernel to try: {error}", returncode=1)
    running = qemu.start(state.folder)
    try:
        yield Cluster(state), time.monotonic()
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def _in_time(switched_on: tuple[Cluster, float]) -> None:
    if time.monotonic() - switched_on[1] > MINUTES * 60:
        pytest.fail(f"not tried: the {MINUTES} minutes were over")


@pytest.fixture(scope="session")
def booted(switched_on: tuple[Cluster, float]) -> Cluster:
    """Wait until both machines' engines answer."""
    cluster, _ = switched_on
    for name in (MANAGER, WORKER):
        cluster.wait(lambda name=name: _engine(cluster, name), BOOT_SECONDS, f"{name} does not boot")  # type: ignore[misc]
    return cluster


def _engine(cluster: Cluster, name: str) -> str:
    try:
        return cluster.on(name, "docker info --format '{{.ServerVersion}}'", 60)
    except LabError:
        return ""


@pytest.fixture(scope="session")
def meshed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a hosts.toml with what needs a whole kernel: the routing mesh, VIPs, IPsec, and homes on NFS."""
    return variant(
        tmp_path_factory.mktemp("meshed"),
        ("hub", 'publish = "ingress"\n'),
        ("network", 'endpoint_mode = "vip"\nencrypted = true\n'),
        ("home", f'type = "nfs"\nserver = "{WORKER}"\npath = "/srv/homes"\nmount_options = "nfsvers=4.2"\n'),
    )


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a hosts.toml with the defaults in their place, and homes on CIFS."""
    return variant(
        tmp_path_factory.mktemp("hosted"),
        ("network", "encrypted = true\n"),
        ("home", f'type = "cifs"\nserver = "{WORKER}"\npath = "/people"\nmount_options = "guest,uid=1000,gid=100"\n'),
    )


@pytest.fixture(scope="session")
def deployed(booted: Cluster, meshed: Path) -> Cluster:
    """Make the swarm and the file server, and deploy."""
    booted.on(
        WORKER,
        f"mkdir -p /srv/homes && echo '/srv/homes {CLIENTS}(rw,no_root_squash,no_subtree_check,sync)' > /etc/exports"
        " && systemctl start nfs-server && exportfs -ra",
    )
    made = booted.fab("swarm-init", hosts=meshed)
    assert made.code == 0, made.end
    done = booted.fab("-H", MANAGER, "deploy", "--yes", hosts=meshed)
    assert done.code == 0, done.end
    return booted
