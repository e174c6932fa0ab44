"""The document that the hub is handed, read again."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from swarmhub.errors import SettingsError
from swarmhub.settings import handed
from tests.unit.support.fakes import EXTRA, NOTEBOOK, settings, with_extra


def test_its_images_are_those_that_the_nodes_hold() -> None:
    """Pinned, whichever table names them."""
    pinned = {NOTEBOOK: "quay.io/x@sha256:1", EXTRA: "quay.io/y@sha256:2"}
    assert handed.images(handed.document(with_extra(settings()), pinned)) == ["quay.io/x@sha256:1", "quay.io/y@sha256:2"]


@pytest.mark.parametrize(
    ("page", "about"),
    [
        ({}, "Jupyter notebooks on hub.example.org, in your browser. Sign in to start."),
        ({"about": "For physicists."}, "For physicists."),
        ({"about": ""}, ""),
    ],
)
def test_the_login_page_says_what_this_is(page: dict[str, str], about: str) -> None:
    """In the operator's words, else in a sentence with the domain."""
    assert handed.tables(settings(page=page))["page"] == {"name": "", "about": about, "announcement": ""}


def test_the_logos_path_is_nobodys_matter_but_this_machines() -> None:
    """The image holds the file; two operators with the same one hand over the same."""
    named = handed.tables(settings(page={"name": "Physics", "logo": "/home/ada/logo.svg"}))["page"]
    assert set(named) == {"name", "about", "announcement"}


@pytest.mark.parametrize(
    ("own", "kept"), [({}, "local"), ({"log_driver": {"Name": "journald"}}, "journald"), ({"a": 1}, "local")]
)
def test_a_servers_log_is_kept_as_the_settings_say(own: dict[str, Any], kept: str) -> None:
    """Else as the hub's own; where that is left to the engine, nothing is said."""
    options = {"SwarmSpawner": {"extra_task_spec": own}} if own else {}
    given = settings(jupyterhub=options)
    told = json.loads(handed.document(given, {NOTEBOOK: NOTEBOOK}, {"Name": "local", "Options": {}}))
    assert told["jupyterhub"]["SwarmSpawner"]["extra_task_spec"]["log_driver"]["Name"] == kept
    assert handed.tables(given)["jupyterhub"] == options


@pytest.mark.parametrize("text", ["", "no document", "[]", "{}"])
def test_what_is_no_document_has_no_images(text: str) -> None:
    """A service that was changed by hand is no reason to fail."""
    assert handed.images(text) == []


PEOPLE = [f"student-{number:05}@physics.example.org" for number in range(40_000)]


@pytest.mark.parametrize(
    ("tables", "refused"),
    [
        ({"groups": {"course": PEOPLE[:5_000]}}, ""),
        ({"groups": {"course": PEOPLE}}, "groups: is too long: the settings take 1[0-9]{3} KiB, at most 960 fit"),
        ({"overrides": [{"users": [one], "memory_limit": "2G"} for one in PEOPLE[:1_000]]}, ""),
        ({"overrides": [{"users": [one], "memory_limit": "2G"} for one in PEOPLE[:20_000]]}, "overrides: is too long"),
    ],
    ids=["5,000 people", "40,000 people", "1,000 overrides", "20,000 overrides"],
)
def test_settings_that_no_config_holds_are_refused(tables: dict[str, Any], refused: str) -> None:
    """Swarm would not take them, nor the release that keeps them; the table that is too long is named."""
    with pytest.raises(SettingsError, match=rf"hosts\.toml:1: {refused}") if refused else nullcontext():
        handed.check(settings(**tables), Path("hosts.toml"))


def test_the_hub_is_told_which_folders_are_marked() -> None:
    """Not of one that people write to itself; and the settings that a hub has say which ones it takes for marked."""
    folders = [
        {"type": "path", "path": "/mnt/a", "mount": "/a"},
        {"type": "path", "path": "/mnt/b", "mount": "/b", "read_only": False},
        {"type": "path", "path": "/mnt/c", "mount": "/c"},
    ]
    text = handed.document(settings(folders=folders), {NOTEBOOK: NOTEBOOK}, marked={"/mnt/a", "/mnt/b"})
    assert handed.marked(text) == {"/mnt/a"}
    assert handed.marked("") == frozenset()


def test_how_an_image_is_built_is_not_handed_to_the_hub() -> None:
    """The image has it; and the path of a folder is another one on each operator's machine."""
    given = settings(
        notebook={"packages": ["six"]}, profiles=[{"name": "A", "image": NOTEBOOK, "build": "x", "build_args": {"A": "1"}}]
    )
    tables = json.loads(handed.document(given, {NOTEBOOK: "sha256:1"}))
    assert {"build", "build_args", "packages"} & {*tables["notebook"], *tables["profiles"][0]} == set()
