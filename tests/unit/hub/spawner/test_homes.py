"""On which node a home is, kept as a Swarm config."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from hub.spawner import homes
from tests.unit.hub.asked import Docker, refused

VOLUME = "jupyterhub-home-ada"


def record(name: str = VOLUME, node: str = "n1") -> dict[str, Any]:
    """Return a home's config."""
    return {"Spec": {"Name": name, "Labels": {"swarmhub.node": node}}}


def node(state: str = "ready", availability: str = "active") -> dict[str, Any]:
    """Return a node as the engine lists it."""
    return {
        "Description": {"Hostname": "worker1"},
        "Status": {"State": state},
        "Spec": {"Availability": availability, "Role": "manager"},
    }


@pytest.mark.parametrize(
    ("configs", "found"),
    [([], None), ([record()], "n1"), ([record(f"{VOLUME}-2"), record(node="n2")], "n2"), ([record(f"{VOLUME}-2")], None)],
    ids=["none", "one", "among longer names", "only a longer name"],
)
def test_the_node_of_a_home_is_found_by_its_whole_name(configs: list[dict[str, Any]], found: str | None) -> None:
    """The engine's filter takes every name that begins so."""
    assert asyncio.run(homes.find(Docker({"configs": configs}), VOLUME)) == found


@pytest.mark.parametrize("labels", [None, {}, {"com.docker.stack.namespace": "other"}])
def test_what_somebody_else_has_made_under_that_name_tells_of_no_home(labels: dict[str, str] | None) -> None:
    """It has no node to look at."""
    other = {"Spec": {"Name": VOLUME, "Labels": labels}}
    assert asyncio.run(homes.find(Docker({"configs": [other]}), VOLUME)) is None


@pytest.mark.parametrize(("user", "found"), [("ada", "n1"), ("grace", None)])
def test_a_home_is_somebodys_alone(user: str, found: str | None) -> None:
    """Where two people could have had the name, its record tells whose it is."""
    recorded = record()
    recorded["Spec"]["Labels"]["swarmhub.user"] = "ada"
    assert asyncio.run(homes.find(Docker({"configs": [recorded]}), VOLUME, user)) == found


@pytest.mark.parametrize(
    ("answer", "words", "reason"),
    [
        (node("down"), "Your files are on worker1, which does not answer at the moment", "home-down"),
        (node("ready", "drain"), "Your files are on worker1, which is being serviced", "home-drained"),
        (node("ready", "pause"), "Your files are on worker1, which is being serviced", "home-drained"),
        (refused(404), "Your files are on a node that is no longer part of the cluster", "home-gone"),
    ],
)
def test_a_home_that_cannot_be_had_is_told(answer: object, words: str, reason: str) -> None:
    """Never an empty home somewhere else; the administrator reads which record it is."""
    with pytest.raises(homes.NotHere) as told:
        asyncio.run(homes.node_up(Docker({"inspect_node": answer}), "n1", VOLUME))
    assert (words in told.value.words, told.value.reason, VOLUME in told.value.detail) == (True, reason, True)


def test_a_home_on_a_node_that_takes_no_servers_any_more_is_told() -> None:
    """The person reads where the files are, the administrator which setting keeps servers off that node."""
    with pytest.raises(homes.NotHere) as told:
        asyncio.run(homes.node_up(Docker({"inspect_node": {"ID": "n1", **node()}}), "n1", VOLUME, ["node.role==worker"]))
    assert told.value.words.startswith("Your files are on worker1, where servers no longer run.")
    assert "hosts.toml keeps servers off it (node.role==worker)" in told.value.detail


def test_an_engine_that_fails_is_no_lost_home() -> None:
    """Only "not found" means that a node is gone; one that is up is no news."""
    asyncio.run(homes.node_up(Docker({"inspect_node": node()}), "n1", VOLUME))
    with pytest.raises(Exception, match="no quorum"):
        asyncio.run(homes.node_up(Docker({"inspect_node": refused(503, "no quorum")}), "n1", VOLUME))


def test_a_home_is_remembered_with_whose_and_where() -> None:
    """By labels, which swarmhub's own tasks read."""
    docker = Docker({"create_config": {"ID": "c1"}})
    asyncio.run(homes.remember(docker, VOLUME, "jupyterhub", "ada", "n1"))
    labels = {"swarmhub.home": "jupyterhub", "swarmhub.user": "ada", "swarmhub.node": "n1"}
    assert docker.calls == [("create_config", (VOLUME, b"{}"), {"labels": labels})]


@pytest.mark.parametrize(
    ("act", "method", "status"),
    [
        (lambda docker: homes.remember(docker, VOLUME, "jupyterhub", "ada", "n1"), "create_config", 409),
        (lambda docker: homes.forget(docker, VOLUME), "remove_config", 404),
    ],
    ids=["remembered twice", "forgotten twice"],
)
def test_what_is_done_already_is_no_error(act: Any, method: str, status: int) -> None:
    """Two named servers of one user may start at once; any other error is one."""
    asyncio.run(act(Docker({method: refused(status)})))
    with pytest.raises(Exception, match="broken"):
        asyncio.run(act(Docker({method: refused(500, "broken")})))


def test_a_folder_is_made_whole_and_for_nobody_else(tmp_path: Path) -> None:
    """With its owner before it has its name; one that is there is left alone, and without its file server there is none."""
    owner = f"{os.getuid()}:{os.getgid()}"
    homes.make_folder("ada", owner, tmp_path)
    assert [(one.name, one.stat().st_mode & 0o777) for one in tmp_path.iterdir()] == [("ada", 0o700)]
    homes.make_folder("ada", "4242:4242", tmp_path)
    assert (tmp_path / "ada").stat().st_uid == os.getuid()
    with pytest.raises(OSError, match="No such file"):
        homes.make_folder("ada", "1000:100", tmp_path / "not-mounted")


def test_a_folder_is_made_only_where_the_marker_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the hub sees another file system, or a broken one, it makes nothing: the node decides, and the log says why."""
    owner = f"{os.getuid()}:{os.getgid()}"
    homes.make_folder("ada", owner, tmp_path, is_marked=True)
    homes.make_folder("ada", owner, tmp_path / "not-mounted", is_marked=True)
    assert (list(tmp_path.iterdir()), "the hub does not see the mount" in capsys.readouterr().err) == ([], True)
    (tmp_path / ".swarmhub").mkdir()
    homes.make_folder("ada", owner, tmp_path, is_marked=True)
    assert (tmp_path / "ada").is_dir()


def test_a_home_that_root_may_not_make_is_told_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the administrator: a file server with root_squash is where to make it."""

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(homes, "make_folder", denied)
    with pytest.raises(homes.NotHere, match="Your home cannot be made on the file server") as told:
        asyncio.run(homes.have_folder("ada", "20001:100"))
    assert told.value.detail.endswith("does it take root's rights away (root_squash)? Then make it there, for 20001:100")


def test_a_file_server_that_hangs_holds_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start ends with words; the threads that it may hold are those for files alone."""
    hangs = threading.Event()
    monkeypatch.setattr(homes, "make_folder", lambda *_, **__: hangs.wait(10))
    monkeypatch.setattr(homes, "FILE_SECONDS", 0.05)
    homes._threads.cache_clear()
    try:
        with pytest.raises(homes.NotHere, match="The file server that has your home does not answer"):
            asyncio.run(homes.have_folder("ada", "1000:100"))
    finally:
        hangs.set()
        homes._threads.cache_clear()
