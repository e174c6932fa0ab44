"""What an operator can type, under `fab` and under `invoke`."""

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.tasks import Task

from swarmhub.run.task import Step
from tasks import ns

ROOT = Path(__file__).resolve().parents[3]
STEPS = ("nodes", "network", "volume", "certs", "prepull", "prepull-all", "firewall", "build-hub", "proxy", "service", "deploy")


def listed(program: str) -> dict[str, Any]:
    """Return the names and first lines of help that a program lists in the project's folder."""
    command = [sys.executable, "-m", program, "--list", "--list-format=json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    inner = {f"{part['name']}.{one['name']}": one["help"] for part in answer["collections"] for one in part["tasks"]}
    return {one["name"]: one["help"] for one in answer["tasks"]} | inner


def test_fab_and_invoke_list_the_same_tasks() -> None:
    """Whoever does not use Fabric's command line has every task all the same, with the same help."""
    fab, invoke = listed("fabric"), listed("invoke")
    assert (fab, set(STEPS) <= set(fab)) == (invoke, True)


def every(collection: Collection, prefix: str = "") -> dict[str, Task[Any]]:
    """Return all tasks by the name that one types."""
    found = {prefix + collection.transform(name): task for name, task in collection.tasks.items()}
    for name, inner in collection.collections.items():
        found |= every(inner, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("name", STEPS)
def test_every_step_of_the_document_is_a_step(name: str) -> None:
    """Each of them finds its hosts by itself and runs once, however many hosts -H names."""
    assert isinstance(ns[name], Step)


@pytest.mark.parametrize("name", sorted(name for name in every(ns) if not name.startswith("lab.")))
def test_every_task_but_the_labs_is_a_step(name: str) -> None:
    """What is about the cluster runs once, whatever -H names: a question is asked once, and one lock is taken."""
    assert isinstance(ns[name], Step)


def test_what_a_deploy_asks_first_cannot_be_typed() -> None:
    """It would lock the cluster and change nothing."""
    assert "agree" not in every(ns)


@pytest.mark.parametrize("name", ["deploy", "network", "unlock", "rollback", "users-sync"])
def test_what_asks_can_be_answered_before(name: str) -> None:
    """A task that may ask a question takes --yes."""
    # Not by its arguments: Invoke gives a task's help away with the first look at them.
    assert "yes" in inspect.signature(ns[name].body).parameters


@pytest.mark.parametrize("name", list(every(ns)))
def test_every_task_says_in_a_sentence_what_it_does(name: str) -> None:
    """The list of tasks is the help that people read first."""
    first = (every(ns)[name].__doc__ or "").strip().partition("\n")[0]
    assert (first[:1].isupper(), first.endswith(".")) == (True, True)


def test_a_deploy_runs_the_documents_steps_in_their_order() -> None:
    """Settings are checked first, then the plan is agreed to; what the service stands on, its image too, comes before it."""
    order = [call.name for call in ns["deploy"].pre]
    assert order == [
        "check",
        "nodes",
        "agree",
        "network",
        "volume",
        "certs",
        "prepull_all",
        "firewall",
        "build_hub",
        "proxy",
        "service",
    ]


@pytest.mark.parametrize("name", [name for name in STEPS if name != "deploy"])
def test_a_step_can_be_run_alone(name: str) -> None:
    """A step has no dependencies of its own: what it needs it asks for, and names the step that makes it."""
    assert (list(ns[name].pre), list(ns[name].post)) == ([], [])


def test_what_stops_notebooks_is_asked_for_by_a_flag() -> None:
    """Replacing the network in use takes a flag, which is off unless it is typed, and is explained."""
    (flag,) = [argument for argument in ns["network"].get_arguments() if argument.name == "recreate"]
    assert (flag.default, "services" in str(flag.help)) == (False, True)
