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
