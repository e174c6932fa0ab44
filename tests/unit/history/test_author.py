"""Who runs swarmhub, and from which commit."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from swarmhub.history import author


def git(folder: Path, *words: str) -> str:
    """Run git in a folder."""
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a folder with a commit."""
    (tmp_path / "hosts.toml").write_text("[hosts]\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return tmp_path


def test_an_operator_is_a_user_and_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others know whom to ask, and where."""
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    assert author.name() == "ada@desk"


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 1234"), OSError("No username set")])
def test_a_user_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """In a container a user id may have none: that stops no deploy."""

    def fail() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", fail)
    assert author.name().startswith("unknown@")


def test_the_commit_is_short(repository: Path) -> None:
    """Eight digits of it, without tags."""
    git(repository, "tag", "v1")
    assert author.commit(repository) == git(repository, "rev-parse", "--short=8", "HEAD")


def test_files_that_differ_are_told(repository: Path) -> None:
    """What ran then is not what the commit holds."""
    (repository / "hosts.toml").write_text("[hosts]\n# mine\n")
    assert author.commit(repository).endswith("-dirty")


def test_outside_of_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    """A copy without git is no error."""
    assert author.commit(tmp_path) == ""


@pytest.mark.parametrize("error", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 5)])
def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Nor where it does not answer."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert author.commit(tmp_path) == ""
