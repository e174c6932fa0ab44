"""What a process loads before it does something: a budget, so that the start stays short."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# Some of these come with others; each costs more than the listing of the tasks.
HEAVY = ("pydantic", "pydantic_core", "rich", "docker", "requests", "cryptography", "paramiko", "dotenv", "hub")
# What a deploy with nothing to do is not about.
OTHERS = ("doctor", "classes", "smoke", "teardown")
OF_DEPLOY = 142
DEPLOY = """
from invoke.config import Config
from invoke.context import Context

import tasks
from swarmhub import settings
from swarmhub.certificate import certs, https
from swarmhub.run import task
from swarmhub.run.run import Run
from tests.unit.support import cluster
from tests.unit.support.authority import Authority

certs.Certificate.is_due = lambda *_: False
https.get = lambda *_, **__: (200, "{}")
context = Context(Config())
run = Run(context)
run.connect = lambda: None
run.hosts = cluster.deployed(settings.current(), Authority.make("CA"))
task._current.append(run)
for call in tasks.ns["deploy"].pre:
    call(context)
tasks.ns["deploy"](context)
"""
LOADED = "import json, sys; print(json.dumps([*sys.modules]))"


def loaded(statement: str) -> list[str]:
    """Return the names of the modules that a fresh process has loaded after a statement."""
    code = f"{statement}\n{LOADED}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names


@pytest.fixture(scope="module")
def listing() -> list[str]:
    """Return what is loaded by what `fab --list` and completion load of the project."""
    return loaded("import fabfile")


@pytest.mark.parametrize("package", HEAVY)
def test_a_list_of_the_tasks_loads_nothing_heavy(listing: list[str], package: str) -> None:
    """Tasks import their rooms in their bodies: the names, the help and the dependencies need none of them."""
    assert [name for name in listing if name.split(".")[0] == package] == []


def test_a_list_of_the_tasks_loads_no_room(listing: list[str]) -> None:
    """Of swarmhub: what makes a function a step, and the errors."""
    assert {name for name in listing if name.split(".")[0] == "swarmhub"} == {
        "swarmhub",
        "swarmhub.errors",
        "swarmhub.host",
        "swarmhub.run",
        "swarmhub.run.task",
    }


def test_a_list_of_the_tasks_loads_few_modules(listing: list[str]) -> None:
    """The tasks' own modules, and no more than a few of the standard library's that Invoke has not loaded."""
    before = Counter(name.split(".")[0] for name in loaded("import invoke"))
    more = [name for name in listing if name.split(".")[0] not in before]
    assert len([name for name in more if name.split(".")[0] not in ("tasks", "swarmhub", "fabfile")]) <= 5


@pytest.fixture
def deploying(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a fresh process has loaded after a deploy with nothing to do, on a cluster in memory."""
    monkeypatch.setenv("SWARMHUB_HOSTS", str(folder / "hosts.toml"))
    return loaded(DEPLOY)


def test_a_deploy_loads_its_own_rooms_only(deploying: list[str]) -> None:
    """What other tasks are about is loaded by those."""
    assert [name for name in deploying if name.startswith(tuple(f"swarmhub.{room}" for room in OTHERS))] == []


def test_a_deploy_loads_no_more_than_it_did(deploying: list[str]) -> None:
    """Each module takes its half of a millisecond: one more is worth a thought."""
    assert "swarmhub.deploy.steps" in deploying
    assert len([name for name in deploying if name.split(".")[0] in ("swarmhub", "hub", "tasks")]) <= OF_DEPLOY
