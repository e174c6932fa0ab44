"""JupyterHub in the hub's image and in those of notebooks."""

import pytest

from swarmhub.doctor.images import versions
from tests.unit.support.fakes import EXTRA, MANAGER, NOTEBOOK, FakeHost, in_turn


@pytest.mark.parametrize(
    ("hub", "notebook", "levels"),
    [
        ("6.1.1", "6.0.0", ["ok"]),
        ("6.1.1", "5.4.0", ["failure"]),
        ("6.1.1", "", ["failure"]),
        (None, "6.1.1", ["warning"]),
        ("6.1.1", None, ["warning"]),
        (None, None, ["warning"]),
        (None, "", ["warning", "failure"]),
    ],
)
def test_major_versions_are_compared(hub: str | None, notebook: str | None, levels: list[str]) -> None:
    """Another major and no single-user server fail; what is still to come warns."""
    assert [one.level for one in versions.judge(hub, {NOTEBOOK: notebook}, MANAGER)] == levels


def test_each_image_is_compared_and_what_lacks_is_said_once() -> None:
    """A class with five images reads one line about all that were not pulled yet."""
    said = versions.judge("6.1.1", {NOTEBOOK: None, EXTRA: None, "x:1": "6.0.0"}, MANAGER)
    assert [one.level for one in said] == ["warning", "ok"]
    assert f"does not hold {NOTEBOOK}, {EXTRA} yet" in said[0].text


@pytest.mark.parametrize(("log", "version"), [(["6.1.1"], "6.1.1"), (["none"], ""), ([], ""), (["sh: not found"], "")])
def test_image_is_asked_without_a_network(log: list[str], version: str) -> None:
    """Its own entrypoint is not run, and the container is removed."""
    host = FakeHost(
        answers={
            f"GET /images/{NOTEBOOK}/json": {"Id": "x"},
            "POST /containers/create": {"Id": "c1"},
            "GET /containers/c1/logs": log,
            "POST /containers/c1/wait": {"StatusCode": 0},
        }
    )
    assert versions.observe(host, NOTEBOOK, "1a2b3c", versions.Gate()) == version
    body = host.engine.sent("POST /containers/create").body
    assert (body["HostConfig"]["NetworkMode"], body["Entrypoint"][0]) == ("none", "/bin/sh")
    assert host.engine.asked("DELETE") == ["DELETE /containers/c1"]


def test_missing_image_is_not_asked() -> None:
    """There is nothing to run."""
    host = FakeHost()
    assert (versions.observe(host, NOTEBOOK, "1a2b3c", versions.Gate()), host.engine.asked("POST")) == (None, [])


def test_interrupted_run_is_cleaned_up() -> None:
    """Its own containers are removed, and no other operator's."""
    host, gate = FakeHost(answers={"GET /containers/json": in_turn([{"Id": "c1"}], [])}), versions.Gate()
    versions.clean_up(host, "1a2b3c", gate)
    assert host.engine.sent("GET /containers/json").params["filters"] == {"label": ["swarmhub.doctor=1a2b3c"]}
    assert host.engine.asked("DELETE") == ["DELETE /containers/c1"]
    assert (versions.observe(host, NOTEBOOK, "1a2b3c", gate), host.engine.asked("POST")) == (None, [])


def test_a_container_that_was_just_being_made_is_removed_too() -> None:
    """Ctrl-C comes at any moment: whoever is being asked is waited for, and then there is another look."""
    host = FakeHost(answers={"GET /containers/json": in_turn([], [{"Id": "c2"}])})
    versions.clean_up(host, "1a2b3c", versions.Gate())
    assert host.engine.asked("DELETE") == ["DELETE /containers/c2"]
