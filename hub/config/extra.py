"""Options of JupyterHub beyond ours: [jupyterhub] of `hosts.toml`, then the files in conf.d."""

import contextlib
import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hub.shared import own

SECRET = "secret"  # noqa: S105 - the key of a reference to one
# Searched from the front: behind ours, an operator's own page would never be found.
SEARCHED = {"template_paths"}


@contextlib.contextmanager
def guarded(hub: Any) -> Iterator[None]:
    """Keep what is ours of JupyterHub's own options while others set theirs: lists and tables are added to ours.

    Raises:
        ValueError: one was set that only hosts.toml decides.

    """
    before = {name: copy.copy(hub[name]) for name in (*own.HUB, *own.KEPT) if name in hub}
    yield
    if changed := [name for name in own.HUB if (name in hub) != (name in before) or hub.get(name) != before.get(name)]:
        raise ValueError("; ".join(f"JupyterHub.{name} is swarmhub's own: {own.HUB[name]}" for name in changed))
    for name in own.KEPT:
        hub[name] = _with(before.get(name), hub[name]) if name in before else hub[name]


def _with(ours: Any, theirs: Any) -> Any:
    """Return what somebody has set, with what is missing of ours."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return [*theirs, *(one for one in ours if one not in theirs)]
    return {**ours, **theirs} if isinstance(ours, dict) and isinstance(theirs, dict) else theirs


def apply(c: Any, classes: Mapping[str, Mapping[str, Any]], secrets: Path) -> None:
    """Set the options of `hosts.toml` on `c`: a list goes behind ours, a table is merged into ours, else it replaces ours."""
    for name, options in classes.items():
        for trait, value in options.items():
            c[name][trait] = _joined(c[name].get(trait), revealed(value, secrets), trait in SEARCHED)


def load(c: Any, folder: Path) -> None:
    """Run the files of conf.d in the order of their names, each as a configuration file of JupyterHub's."""
    for file in files(folder):
        code = compile(file.read_bytes(), file, "exec")
        exec(code, {"__file__": str(file), "c": c, "get_config": lambda: c})  # noqa: S102 - that is what they are for


def files(folder: Path) -> list[Path]:
    """Return the files of conf.d in the order in which they are run."""
    return sorted(folder.glob("*.py"))


def _joined(ours: Any, value: Any, is_searched: bool) -> Any:
    if isinstance(ours, list) and isinstance(value, list):
        return [*value, *ours] if is_searched else [*ours, *value]
    if isinstance(ours, set) and isinstance(value, list):
        return ours | set(value)
    if isinstance(ours, dict) and isinstance(value, dict):
        return {**ours, **value}
    return value


def revealed(value: Any, secrets: Path) -> Any:
    """Return a value with each `{secret = "NAME"}` in it replaced by what the secret holds."""
    if isinstance(value, list):
        return [revealed(one, secrets) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {SECRET}:
        return (secrets / value[SECRET]).read_text()
    return {key: revealed(one, secrets) for key, one in value.items()}
