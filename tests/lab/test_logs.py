"""Logs that engines send elsewhere: about 100 s, for three restarts of the manager's engine and two deploys."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab import topology
from tests.lab.support import HUB, Lab

MANAGER = topology.MANAGER.name
FILE = "/etc/docker/daemon.json"
WRITE = f'printf %s "$0" > {FILE} && sv -w 60 restart docker'
# Nobody has to listen there: a datagram is sent, whoever takes it.
SYSLOG = {"log-driver": "syslog", "log-opts": {"syslog-address": "udp://127.0.0.1:514"}}
UNCACHED = {**SYSLOG, "log-opts": {**SYSLOG["log-opts"], "cache-disabled": "true"}}  # type: ignore[dict-item]


@contextmanager
def configured(lab: Lab) -> Iterator[None]:
    """Take back what is written into the manager's daemon.json."""
    try:
        yield
    finally:
        lab.on(MANAGER, "sh", "-c", f"rm -f {FILE} && sv -w 60 restart docker")
        lab.wait(lab.hub_answers, 120, "the hub does not come back")


def restarted(lab: Lab, configuration: Mapping[str, Any]) -> None:
    """Restart the manager's engine with a configuration; all containers on it are new ones then."""
    lab.on(MANAGER, "sh", "-c", WRITE, json.dumps(configuration))
    lab.wait(lab.hub_answers, 120, "the hub does not come back")


def test_a_log_that_an_engine_sends_elsewhere_is_read_from_its_copy_or_said_to_be_there(deployed: Lab) -> None:
    """Docker keeps a copy to be read, unless that is turned off: then the line says where the log goes, and what helps."""
    with configured(deployed):
        restarted(deployed, SYSLOG)
        # The services keep logs as the manager's engine does.
        done = deployed.fab("deploy", "--yes")
        assert done.code == 0, done.text
        read = deployed.fab("logs")
        assert (read.code, "JupyterHub is now running" in read.out) == (0, True), read.text
        restarted(deployed, UNCACHED)
        told = deployed.fab("logs")
        assert told.code == 1, told.text
        assert f"{MANAGER}: logs: its engine sends logs elsewhere (log-driver syslog) and has none of {HUB}" in told.err
        assert '"log-driver": "local"' in told.err
    deployed.let_stand()
    assert "JupyterHub is now running" in deployed.fab("logs").out
