"""The moments of a run at which something is done to it: what it says when a step begins, changes something, and ends."""

import json
import re
from collections.abc import Iterator
from typing import Any

from lab import topology
from tests.lab import empty
from tests.lab.support import Lab

# Each step is told by lines of its own; what follows in them differs from run to run.
LINE = re.compile(r"^(?P<step>[a-z][a-z-]+) +(?P<said>\S.*)$", re.MULTILINE)
# Before these lines nothing is changed, and after the last one nothing is left to be changed.
BEFORE = ("check", "plan")
# Names that count on, or have a time in them; and where Docker puts containers at its own choice.
COUNTED = re.compile(r"release|history|journal|lock")
OWN = re.compile(r"^-A DOCKER |^-A DOCKER-INGRESS |ctstate")
# What is built again is of the same content, and has another id.
BUILT = re.compile(r"^(jupyterhub\S*:\S+) sha256:.*")
# Docker chooses the addresses of a network that is made.
CHOSEN = "PROXY_SUBNET="
# A network is known by an id, too; a mount has a target that stays.
IDS, NETWORKS = ("ConfigID", "SecretID", "ForceUpdate"), "Networks"


def moments(said: str, most: int) -> list[str]:
    """Return lines of a run, at most so many, spread over its length: at each of them it can be ended."""
    found = [found[0] for found in LINE.finditer(said) if found["step"] not in BEFORE]
    lines = list(dict.fromkeys(re.sub(r" in \d.*", " in ", line) for line in found))
    if len(lines) <= most:
        return lines
    return [lines[round(place * (len(lines) - 1) / (most - 1))] for place in range(most)]


def state(lab: Lab) -> dict[str, Any]:
    """Return all objects that a deploy makes, by name and content, without what differs between two deploys of the same."""
    names = {
        kind: [BUILT.sub(r"\1", line) for line in lines if not COUNTED.search(line) and not OWN.search(line)]
        for kind, lines in empty.listing(lab).items()
        if not kind.startswith("containers")
    }
    services = json.loads(lab.docker("service", "inspect", *lab.docker("service", "ls", "-q").split()))
    specs = {one["Spec"]["Name"]: _plain(one["Spec"]) for one in services}
    counts = {name: lab.docker("service", "ps", name, "--filter", "desired-state=running", "-q").count("\n") for name in specs}
    return {"names": names, "services": specs, "tasks": counts}


def differences(found: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """Yield where two states differ, one line each."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in sorted({*found, *wanted}):
            yield from differences(found.get(key), wanted.get(key), f"{path}/{key}")
    elif isinstance(found, list) and isinstance(wanted, list) and found != wanted:
        more, less = ([one for one in these if one not in those] for these, those in ((found, wanted), (wanted, found)))
        yield from (f"{path} {sign} {one}" for sign, some in (("+", more), ("-", less)) for one in some)
        if not more and not less:
            yield f"{path}: the same in another order, or another number of times"
    elif found != wanted:
        yield f"{path}: {found}, wanted {wanted}"


def wipe(lab: Lab) -> None:
    """Take away all that a deploy has made, but for the images."""
    done = lab.fab("teardown", "--with-data", "--name", topology.DOMAIN, "--yes")
    assert done.code == 0, done.text


def _plain(spec: Any) -> Any:
    if isinstance(spec, dict):
        return {key: _networks(value) if key == NETWORKS else _plain(value) for key, value in spec.items() if key not in IDS}
    if isinstance(spec, list):
        return [_plain(one) for one in spec if not str(one).startswith(CHOSEN)]
    return spec


def _networks(listed: Any) -> Any:
    return [{key: value for key, value in one.items() if key != "Target"} for one in listed or []]
