"""What an operator can type, under `fab` and under `invoke`."""

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.tasks import Task

import fabfile
from swarmhub.run.task import Step
from tasks import ns

STEPS = (
    "nodes",
    "network",
    "volume",
    "certs",
    "prepull",
    "prepull-all",
    "firewall",
    "lock-hub",
    "build-hub",
    "proxy",
    "service",
    "deploy",
)


def test_fab_and_invoke_have_the_same_tasks() -> None:
    """What `fab` loads is what `invoke` loads, from any folder; every step is listed, and nothing that only a deploy does."""
    command = [sys.executable, "-m", "invoke", "--list", "--list-format=json"]
    done = subprocess.run(command, cwd=Path(fabfile.__file__).parent, capture_output=True, text=True, check=True)
    names = {task["name"] for task in json.loads(done.stdout)["tasks"]}
    assert (fabfile.ns is ns, set(STEPS) <= names <= set(every(ns)), "agree" in names) == (True, True, False)


def every(collection: Collection, prefix: str = "") -> dict[str, Task[Any]]:
    """Return all tasks by the name that one types."""
    found = {prefix + collection.transform(name): task for name, task in collection.tasks.items()}
    for name, inner in collection.collections.items():
        found |= every(inner, f"{prefix}{name}.")
    return found


def test_every_task_but_the_labs_is_a_step() -> None:
    """What is about the cluster runs once, whatever -H names: a question is asked once, and one lock is taken."""
    assert [name for name, task in every(ns).items() if not name.startswith("lab.") and not isinstance(task, Step)] == []


def test_what_asks_can_be_answered_before() -> None:
    """A task that may ask a question takes --yes."""
    asking = ("deploy", "network", "unlock", "rollback", "users-sync")
    # Not by its arguments: Invoke gives a task's help away with the first look at them.
    assert [name for name in asking if "yes" not in inspect.signature(ns[name].body).parameters] == []


def test_every_task_says_in_a_sentence_what_it_does() -> None:
    """The list of tasks is the help that people read first."""
    first = {name: (task.__doc__ or "").strip().partition("\n")[0] for name, task in every(ns).items()}
    assert [name for name, line in first.items() if not (line[:1].isupper() and line.endswith("."))] == []


def test_a_deploy_runs_the_steps_in_their_order() -> None:
    """Settings are checked first, then the plan is agreed to; what the service stands on, its image too, comes before it."""
    order = "check nodes agree network volume load_bundle certs all_images firewall service backup_schedule"
    assert [call.name for call in ns["deploy"].pre] == order.split()


def test_a_step_can_be_run_alone() -> None:
    """A step has no dependencies of its own: what it needs it asks for, and names the step that makes it."""
    assert [name for name in STEPS if name != "deploy" and (ns[name].pre or ns[name].post)] == []


def test_what_stops_notebooks_is_asked_for_by_a_flag() -> None:
    """Replacing the network in use takes a flag, which is off unless it is typed, and is explained."""
    (flag,) = [argument for argument in ns["network"].get_arguments() if argument.name == "recreate"]
    assert (flag.default, "services" in str(flag.help)) == (False, True)


def test_no_flag_of_a_step_has_a_short_form() -> None:
    """`fab -d deploy` and `fab deploy -d` are the same: Fabric's own short flags mean what they mean everywhere."""
    steps = (task for task in every(ns).values() if isinstance(task, Step))
    assert [name for task in steps for one in task.get_arguments() for name in one.names if len(name) == 1] == []
