"""The connections that all steps of a process share."""

from pathlib import Path

import pytest
from fabric import Config

from swarmhub.settings.schema.model import Ssh
from swarmhub.ssh import session


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any connections."""
    monkeypatch.setattr(session, "_shared", {})


def test_every_step_gets_the_same_connections() -> None:
    """Each task of a run has a configuration of its own; the connections are those that the first one made."""
    assert session.connections(Config(), Ssh()) is session.connections(Config(), Ssh())


def test_other_ssh_settings_are_other_connections(tmp_path: Path) -> None:
    """Another ssh_config leads to other hosts: connections are not mixed up."""
    (tmp_path / "ssh_config").write_text("Host *\n  User root\n")
    other = Ssh.model_validate({"config": str(tmp_path / "ssh_config")})
    assert session.connections(Config(), Ssh()) is not session.connections(Config(), other)


def test_sudo_is_the_settings_matter() -> None:
    """With ssh.sudo, commands on the hosts begin with it."""
    made = session.connections(Config(), Ssh.model_validate({"sudo": True}))
    assert made.command("docker", "info") == "env LC_ALL=C sudo -n docker info"
