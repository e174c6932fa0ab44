"""How a host is reached, and its engine."""

import pytest

from swarmhub.doctor.finding import Level
from swarmhub.doctor.hosts import access
from swarmhub.errors import StepError
from swarmhub.host import Output
from tests.unit.doctor.answers import SpeakingHost, info, seen
from tests.unit.support.fakes import MANAGER, WORKER1

VERSION = {"Version": "29.0.1", "ApiVersion": "1.52", "Arch": "amd64"}
ANSWERS = {"GET /info": info(), "GET /version": VERSION}


def test_healthy_host_is_asked_once_for_each() -> None:
    """A command, two questions to the engine, and the script."""
    host = SpeakingHost(answers=ANSWERS)
    found = access.observe(host)
    assert (found.node, found.address, found.trouble) == ("n1", "10.0.0.11", ())
    # An engine keeps its last node id after it has left a swarm.
    assert seen(info=info(state="inactive")).node == ""
    assert (host.engine.asked(), [argv[0] for argv in host.ran]) == (["GET /info", "GET /version"], ["true", "sh"])


@pytest.mark.parametrize(
    ("said", "text", "remedy"),
    [
        (StepError(MANAGER, "cannot reach it", "Is it up?"), "cannot reach it", "Is it up?"),
        (Output(1, "", "sudo: a password is required\n"), "cannot run commands there: sudo: a password is required", ""),
    ],
)
def test_unreachable_host_is_asked_nothing_more(said: Output | Exception, text: str, remedy: str) -> None:
    """One failure with the remedy, no second wait for a connection; with ssh.sudo every command would fail the same way."""
    host = SpeakingHost(true=said)
    (one,) = access.observe(host).trouble
    assert (one.check, one.text, one.remedy.startswith(remedy)) == ("ssh", text, True)
    assert (host.ran, host.engine.requests) == ([("true",)], [])


def test_a_shell_that_greets_is_told() -> None:
    """Whatever else its words break; the line has the first of them."""
    trouble = access.observe(SpeakingHost(true="\nWelcome!\nHave fun\n", answers=ANSWERS)).trouble
    assert ("'Welcome!'" in trouble[0].text, "bashrc" in trouble[0].remedy) == (True, True)


def test_stopped_engine_does_not_hide_the_host() -> None:
    """Clock, disk and the rest are seen without it."""
    found = access.observe(SpeakingHost(answers={"GET /info": StepError(MANAGER, "does not run", "Start it")}))
    assert [one.check for one in found.trouble] == ["docker"]
    assert found.probe is not None


def test_images_of_containerds_store_are_elsewhere() -> None:
    """The disk that fills up is containerd's."""
    status = [["driver-type", "io.containerd.snapshotter.v1"]]
    assert access.folders({"DockerRootDir": "/data", "DriverStatus": status}) == ("/data", "/var/lib/containerd")


@pytest.mark.parametrize(("api", "level"), [("1.40", Level.FAILURE), ("1.41", Level.OK), ("1.52", Level.OK)])
def test_old_engine_fails(api: str, level: Level) -> None:
    """Docker 20.10 is the oldest."""
    findings = access.judge({MANAGER: seen(version=VERSION | {"ApiVersion": api})}, with_sudo=False)
    assert [one.level for one in findings if one.check == "docker"] == [level]


def test_engines_of_different_majors_warn() -> None:
    """They are named with their versions."""
    two = {MANAGER: seen(), WORKER1: seen(WORKER1, version=VERSION | {"Version": "26.1.5"})}
    warned = [one.text for one in access.judge(two, with_sudo=False) if one.level is Level.WARNING]
    assert warned == [f"engines of different major versions: {MANAGER} 29.0.1, {WORKER1} 26.1.5"]
