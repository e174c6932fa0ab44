"""A lab as it is before the first deploy, past swarmhub: how it is made so, and all that it holds then."""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from lab import machine, topology
from tests.lab.scripts import CACHE, EMPTY
from tests.lab.support import HUB, PROXY, Lab

Listing = dict[str, list[str]]

MANAGER = topology.MANAGER.name
NODES = tuple(node.name for node in topology.NODES)
EVERYTHING = {
    "containers": ("ps", "--all", "--format", "{{.Names}}"),
    "images": ("image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"),
    "volumes": ("volume", "ls", "--format", "{{.Name}}"),
    "networks": ("network", "ls", "--format", "{{.Name}}"),
}
# Each start of an engine puts that one back, which a test of the walls takes away.
RULES = "(iptables -S; ip6tables -S) | grep -v -x -e '-A DOCKER-USER -j RETURN'"
IN_THE_SWARM = {
    "services": ("service", "ls", "--format", "{{.Name}}"),
    "secrets": ("secret", "ls", "--format", "{{.Name}}"),
    "configs": ("config", "ls", "--format", "{{.Name}}"),
    "labels": ("node", "inspect", *NODES, "--format", "{{.Spec.Labels}} {{.Spec.Availability}}"),
}


def listing(lab: Lab) -> Listing:
    """Return all that nodes and swarm hold, whoever put it there."""
    found = {f"{kind} on {node}": lab.docker(*command, node=node) for node in NODES for kind, command in EVERYTHING.items()}
    found |= {kind: lab.docker(*command) for kind, command in IN_THE_SWARM.items()}
    found |= {f"rules on {node}": lab.on(node, "sh", "-c", RULES) for node in NODES}
    found |= {f"certificates on {node}": lab.on(node, "sh", "-c", "ls -d /etc/letsencrypt || true") for node in NODES}
    return {name: sorted(text.splitlines()) for name, text in found.items()}


def make(lab: Lab) -> None:
    """Remove what a deployment leaves, and all images: an older lab's would be of the same name.

    But for foreign tags that keep layers which are slow to come by. Whatever has such a tag is somebody else's, and a teardown
    has to leave it alone.
    """
    for kind in ("service", "secret", "config"):
        if listed := lab.docker(kind, "ls", "-q").split():
            lab.docker(kind, "rm", *listed)
    for node in NODES:
        lab.wait(lambda node=node: not lab.docker("ps", "-q", node=node), 60, f"containers stay on {node}")  # type: ignore[misc]
        _unlabel(lab, node)
    keep_packages(lab)
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(lab.on), NODES, *([word] * len(NODES) for word in ("sh", "-c", EMPTY))))
    for kind in ("network", "volume"):
        listed = lab.docker(kind, "ls", "--format", "{{.Name}}").split()
        for name in set(listed) & {"jupyter", "jupyter-proxy", "jupyterhub-data", "jupyterhub_backups", "jupyterhub-engine"}:
            lab.wait(partial(_try, lab, kind, "rm", name), 60, f"{kind} {name} cannot be removed")
    lab.forget_homes()
    lab.on(MANAGER, "rm", "-rf", "/etc/letsencrypt")


def keep_packages(lab: Lab) -> None:
    """Tag the images below the hub's and the proxy's in which their packages have just been installed."""
    for name in (HUB, PROXY):
        image = next(iter(lab.docker("image", "ls", "--quiet", name).split()), "")
        while image and lab.docker("image", "inspect", image, "--format", "{{.Config.WorkingDir}}") != "/opt/proxy":
            image = lab.docker("image", "inspect", image, "--format", "{{.Parent}}")
        if image:
            lab.docker("tag", image, f"{CACHE}:{name}")


def _unlabel(lab: Lab, node: str) -> None:
    """Remove our labels from a node."""
    labels = lab.docker("node", "inspect", node, "--format", "{{range $name, $_ := .Spec.Labels}}{{$name}} {{end}}").split()
    ours = [word for label in labels if label.startswith("swarmhub.") for word in ("--label-rm", label)]
    if ours:
        lab.docker("node", "update", *ours, node)


def _try(lab: Lab, *command: str) -> bool:
    try:
        lab.docker(*command)
    except machine.LabError as error:
        return bool(re.search("no such|not found", str(error), re.IGNORECASE))
    return True
