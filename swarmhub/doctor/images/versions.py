"""JupyterHub in the hub's image and in the notebook images: they have to be of one major version."""

import threading
from collections.abc import Mapping

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.host import Host
from swarmhub.images import pull, singleuser

CHECK = "jupyterhub"
LABEL = "swarmhub.doctor"
AT_ONCE, GONE_SECONDS = 2, 10


class Gate:
    """Lets two images be asked at a time, and none once it is closed."""

    def __init__(self) -> None:
        self.turns, self.is_closed = threading.Semaphore(AT_ONCE), False

    def wait(self) -> None:
        """Wait until no image is being asked."""
        for is_held in [self.turns.acquire(timeout=GONE_SECONDS) for _ in range(AT_ONCE)]:
            if is_held:
                self.turns.release()


def clean_up(manager: Host, trial: str, gate: Gate) -> None:
    """Remove the containers of a run that was interrupted, and one that was just being made."""
    gate.is_closed = True
    _remove(manager, trial)
    gate.wait()
    _remove(manager, trial)


def _remove(manager: Host, trial: str) -> None:
    for one in manager.engine.get("/containers/json", all=True, filters={"label": [f"{LABEL}={trial}"]}):
        manager.engine.delete(f"/containers/{one['Id']}", force=True)


def observe(manager: Host, image: str, trial: str, gate: Gate) -> str | None:
    """Return the version in an image, "" where it has no single-user server, or None where the manager lacks the image."""
    with gate.turns:
        return None if gate.is_closed else _asked(manager, image, trial)


def _asked(manager: Host, image: str, trial: str) -> str | None:
    found = pull.inspect(manager, image)
    return singleuser.version(manager, found["Id"], {LABEL: trial}, "doctor") if found else None


def judge(hub: str | None, notebooks: Mapping[str, str | None], manager: str) -> list[Finding]:
    """Compare the major version of the hub with that in each notebook image; what is not there yet is one warning."""
    lacking = [*([] if hub else ["the hub's image"]), *(image for image, version in notebooks.items() if version is None)]
    text = f"not compared: the manager does not hold {', '.join(lacking)} yet"
    missing = [warning(CHECK, manager, text, "Get them: fab deploy")] if lacking else []
    judged = (_of(hub, version, image, manager) for image, version in notebooks.items() if version is not None)
    return [*missing, *(one for one in judged if one)]


def _of(hub: str | None, notebook: str, image: str, manager: str) -> Finding | None:
    if not notebook:
        text = f"{image} has no jupyterhub-singleuser"
        return failure(CHECK, manager, text, "Use an image that has one, such as quay.io/jupyter/base-notebook:hub-6.1.1")
    if not hub:
        return None
    major = hub.partition(".")[0]
    if major != notebook.partition(".")[0]:
        text = f"the hub has JupyterHub {hub}, {image} has {notebook}: servers would not start"
        return failure(
            CHECK, manager, text, f"Use a notebook image with JupyterHub {major}: its tag names it, such as hub-{hub}"
        )
    return ok(CHECK, manager, f"{hub} in the hub's image, {notebook} in {image}")
