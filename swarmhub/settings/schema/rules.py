"""What one table of `hosts.toml` rules out in another, as far as people and their servers are concerned."""

from collections.abc import Iterator, Mapping
from typing import Any

Problem = tuple[tuple[str | int, ...], str]


def broken(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the key and the sentence of each value that another one rules out."""
    yield from _nowhere(_table(data, "notebook"), _table(data, "hosts"))
    yield from _two_sources(_table(_table(data, "access"), "options"), data)


def _nowhere(notebook: Mapping[str, Any], hosts: Mapping[str, Any]) -> Iterator[Problem]:
    if notebook.get("nodes") == "workers" and not hosts.get("workers"):
        wrong = "'workers' leaves no node for a server: hosts.workers names none; add one, or set nodes = 'all'"
        yield ("notebook", "nodes"), wrong


def _two_sources(options: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Problem]:
    if options.get("manage_groups") is True and data.get("groups"):
        wrong = "clashes with access.options.manage_groups: the provider says who is in which group; remove this table"
        yield ("groups",), wrong


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}
