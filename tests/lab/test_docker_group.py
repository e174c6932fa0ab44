"""An operator in the docker group of each node, who is neither root nor in sudo. All of it takes about 20 s, and no update.

The first deploy of a run, with its plan, and the teardown at its end are that operator's, too.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import topology
from tests.lab.grouped import USER, logged_in
from tests.lab.support import Lab
from tests.lab.test_own_certs import CURRENT, Files

MANAGER = topology.MANAGER.name


@pytest.fixture(scope="module")
def hosts(settled: Lab, group_hosts: Path) -> Path:
    """Give the deployed hub's hosts.toml for that user, who may not read certbot's folder."""
    may = f"su {USER} -c 'cat /etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem || sudo -n true' 2>&1 || echo refused"
    assert settled.on(MANAGER, "sh", "-c", may).endswith("refused")
    return group_hosts


def test_a_deploy_finds_nothing_to_change(settled: Lab, hosts: Path) -> None:
    """The certificate is seen as root sees it, and health is asked."""
    done = settled.fab("deploy", hosts=hosts)
    assert (done.code, "nothing to change" in done.out) == (0, True), done.text
    assert f"certificate for {topology.DOMAIN}: 89 days left" in done.out


def test_doctor_and_status_say_what_root_reads(settled: Lab, hosts: Path) -> None:
    """Neither needs more rights."""
    reports = [json.loads(settled.fab("doctor", "--json", hosts=one).out)["findings"] for one in (hosts, topology.HOSTS)]
    mine, roots = ([(one["check"], one["host"], one["level"]) for one in findings] for findings in reports)
    assert mine == roots
    told = [json.loads(settled.fab("status", "--json", hosts=one).out)["certificate"] for one in (hosts, topology.HOSTS)]
    assert told[0] == told[1]


def test_the_engines_log_is_read(settled: Lab, hosts: Path) -> None:
    """It is root's alone on the lab's nodes."""
    settled.on(MANAGER, "chmod", "600", "/var/log/dockerd.log")
    try:
        done = settled.fab("logs", "--engine", hosts=hosts)
    finally:
        settled.on(MANAGER, "chmod", "644", "/var/log/dockerd.log")
    assert (done.code, "level=" in done.out) == (0, True), done.text


@pytest.fixture
def files(settled: Lab, tmp_path: Path) -> Iterator[Files]:
    """Return a certificate of the operator's own; nothing of it stays on the manager."""
    yield Files.make(tmp_path, ssh=logged_in)
    settled.on(MANAGER, "rm", "-rf", "/etc/letsencrypt/own")


def test_a_certificate_is_written_and_replaced(settled: Lab, files: Files) -> None:
    """Through a container, owned by root; the one before is removed, and the same files change nothing."""
    for verb in ("install", "replace"):
        done = settled.fab("certs", hosts=files.hosts)
        assert (done.code, f"{verb} certificate for {topology.DOMAIN}" in done.out) == (0, True), done.text
        assert files.secret not in done.text
        assert settled.on(MANAGER, "stat", "-Lc", "%a %U", f"{CURRENT}/privkey.pem") == "600 root"
        assert files.secret in settled.on(MANAGER, "cat", f"{CURRENT}/privkey.pem")
        if verb == "install":
            files.issue()
    assert len(settled.on(MANAGER, "ls", f"{CURRENT}/..").split()) == 2
    assert "89 days left" in settled.fab("certs", hosts=files.hosts).out


def test_nothing_of_it_stays(settled: Lab, hosts: Path) -> None:
    """No container, stopped or running, and no image."""
    left = settled.docker("ps", "--all", "--quiet", "--filter", "label=swarmhub=root")
    assert (left, "swarmhub-empty" in settled.docker("image", "ls")) == ("", False)
