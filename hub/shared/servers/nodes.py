"""Nodes and their network, as far as the hub and swarmhub read them alike: what the engine says, and which take servers."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from hub.shared.settings import Tables

# What notebook.nodes keeps servers off, as constraints of every server.
NODES: Mapping[str, tuple[str, ...]] = {"all": (), "workers": ("node.role==worker",)}
CONSTRAINT = re.compile(r"\s*(\S+?)\s*(==|!=)\s*(.*\S)\s*")


def hostname(node: Mapping[str, Any]) -> str:
    """Return a node's name; one that has just joined has not yet described itself, and is called by its id."""
    return str((node.get("Description") or {}).get("Hostname") or node["ID"])


def usable(subnet: str) -> int:
    """Return how many addresses a subnet has for containers: all but its own, its broadcast's and its gateway's."""
    return ip_network(subnet).num_addresses - 3


def placement(own: Mapping[str, Any], notebook: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return where every server is placed, as docker-py's arguments: the operator's own, and what notebook.nodes says."""
    # The settings of earlier releases have no such key.
    added = NODES[notebook.get("nodes", "all")]
    return {**own, "constraints": [*own.get("constraints", ()), *added]} if added else own


def everywhere(tables: Tables) -> tuple[str, ...]:
    """Return the constraints that every server has, whatever its profile."""
    own = tables["jupyterhub"].get("SwarmSpawner", {}).get("extra_placement_spec", {})
    return tuple(placement(own, tables["notebook"]).get("constraints", ()))


def labelled(labels: Mapping[str, str]) -> list[str]:
    """Return the constraints to nodes with these labels."""
    return [f"node.labels.{name}=={value}" for name, value in labels.items()]


def barred(node: Mapping[str, Any], constraints: Iterable[str]) -> str:
    """Return the first constraint that keeps servers off a node, as Swarm compares them; nothing if none does.

    One that cannot be read here bars no node: the engine refuses what it does not know.
    """
    return next((one for one in constraints if not _meets(node, one)), "")


def _meets(node: Mapping[str, Any], constraint: str) -> bool:
    found = CONSTRAINT.fullmatch(constraint)
    has = _facts(node, found[1]) if found else None
    if not found or has is None:
        return True
    return (has.lower() == found[3].lower()) is (found[2] == "==")


def _facts(node: Mapping[str, Any], key: str) -> str | None:
    """Return what a node has for the key of a constraint; None where that is not known: the filter shows the hub no labels."""
    spec, described = node["Spec"], node.get("Description") or {}
    kind, _, name = key.partition(".labels.")
    if name:
        labels = {"node": spec.get("Labels"), "engine": (described.get("Engine") or {}).get("Labels")}.get(kind)
        return None if labels is None else str(labels.get(name, ""))
    platform = described.get("Platform") or {}
    known: dict[str, str | None] = {
        "node.id": node["ID"],
        "node.hostname": described.get("Hostname"),
        "node.role": spec.get("Role"),
        "node.platform.os": platform.get("OS"),
        "node.platform.arch": platform.get("Architecture"),
    }
    return known.get(key.lower())
