"""The overlay's trial: what it makes, what it says, and that it leaves nothing."""

import subprocess
from typing import Any

import pytest

from swarmhub.doctor.network import overlay
from swarmhub.doctor.network.overlay import OverlayTrial, Participant
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from tests.unit.doctor.answers import SpeakingHost
from tests.unit.support.fakes import Clock, Request, in_turn, settings

ID = "sha256:empty"
NAME = "swarmhub-doctor-1a2b3c"
NODES = {"a": "n1", "b": "n2", "c": "n3"}
SETTINGS = settings(network={"encrypted": True, "options": {"com.docker.network.driver.mtu": "1400"}})


def task(node: str, address: str, state: str = "running", **status: Any) -> dict[str, Any]:
    """Return a task of the trial's service."""
    attached = [{"Network": {"ID": "net"}, "Addresses": [f"{address}/24"]}]
    return {
        "NodeID": node,
        "NetworksAttachments": attached,
        "Status": {"State": state, "ContainerStatus": {"ContainerID": node}, **status},
    }


TASKS = [task("n1", "10.0.9.1"), task("n2", "10.0.9.2"), task("n3", "10.0.9.3")]


def answers(request: Request) -> list[dict[str, Any]]:
    """Answer a load as an engine does."""
    return [{"stream": "Loaded image"}]


@pytest.fixture
def hosts() -> dict[str, SpeakingHost]:
    """Return three hosts whose containers reach each other; the first is the manager."""
    made = {}
    for number, name in enumerate(NODES, 1):
        peers = "".join(f"10.0.9.{other} reached\n" for other in (1, 2, 3) if other != number)
        known = {
            f"GET /images/{NAME}/json": {"Id": ID},
            "POST /images/load": answers,
            "GET /containers/json": [{"Id": f"c{number}"}],
        }
        made[name] = SpeakingHost(name, known, docker=peers)
    made["a"].engine.answers |= {"GET /tasks": TASKS, "GET /services": [], "GET /networks": []}
    return made


def trial(hosts: dict[str, SpeakingHost]) -> OverlayTrial:
    """Return a trial on these hosts."""
    return OverlayTrial(
        hosts["a"], "1a2b3c", {name: Participant(host, NODES[name], ("/bin", "/usr"), "amd64") for name, host in hosts.items()}
    )


def test_healthy_overlay_is_a_line_a_host(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """Every container reached both others, on a network with the settings' options, from an image that nobody pulls."""
    found = trial(hosts).run(SETTINGS, encrypted=True)
    text = "packets of an overlay network come through with 2 other nodes"
    assert [(one.host, one.level, one.text) for one in found] == [(host, "ok", text) for host in NODES]
    manager = hosts["a"].engine
    body = manager.sent("POST /networks/create").body
    assert body["Options"] == {"com.docker.network.driver.mtu": "1400", "encrypted": ""}
    assert (body["Name"], body["Attachable"], body["IPAM"]["Config"]) == (NAME, False, [])
    container = manager.sent("POST /services/create").body["TaskTemplate"]["ContainerSpec"]
    assert container["Image"] == ID
    assert [(one["Source"], one["ReadOnly"]) for one in container["Mounts"]] == [("/bin", True), ("/usr", True)]
    # Containers first, which spares their engines a wait.
    left = ["DELETE /containers/c1", f"DELETE /services/{NAME}", f"DELETE /images/{NAME}", f"DELETE /networks/{NAME}"]
    assert manager.asked("DELETE") == left
    assert hosts["b"].engine.asked("DELETE") == ["DELETE /containers/c2", f"DELETE /images/{NAME}"]


def test_encryption_that_the_kernels_lack_is_left_out() -> None:
    """That is said elsewhere; the rest can still be tried."""
    assert "encrypted" not in overlay.network_body(NAME, SETTINGS, encrypted=False)["Options"]


def test_network_that_is_still_in_use_is_tried_again(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """Its endpoints go a moment after their tasks."""
    hosts["a"].engine.answers[f"DELETE /networks/{NAME}"] = in_turn(EngineError("a", 403, "in use"), None)
    assert all(one.level == "ok" for one in trial(hosts).run(SETTINGS, encrypted=False))


def test_what_cannot_be_removed_is_named(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """With the commands that remove it."""
    hosts["a"].engine.answers[f"DELETE /networks/{NAME}"] = EngineError("a", 403, "in use")
    found = trial(hosts).run(SETTINGS, encrypted=False)
    assert (found[-1].level, f"docker network rm {NAME}" in found[-1].remedy) == ("warning", True)


def test_trial_that_fails_is_cleaned_up(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """A network that cannot be made is a failure in the engine's words, and the images go."""
    hosts["a"].engine.answers["POST /networks/create"] = EngineError("a", 500, "no address is left")
    found = trial(hosts).run(SETTINGS, encrypted=False)
    assert [(one.level, one.text) for one in found] == [("failure", "no address is left")]
    assert f"DELETE /images/{NAME}" in hosts["b"].engine.asked()


def test_nothing_is_made_after_an_interruption(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """Whoever comes to it after the clean-up makes nothing any more."""
    one = trial(hosts)
    one.clean_up()
    assert one.run(SETTINGS, encrypted=False) == []
    assert hosts["a"].engine.asked("POST") == []


def test_container_that_does_not_start_is_told(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """In its engine's words; the others are tried all the same."""
    hosts["a"].engine.answers["GET /tasks"] = [*TASKS[:2], task("n3", "10.0.9.3", "rejected", Err="no such device")]
    hosts["a"].said["docker"], hosts["b"].said["docker"] = "10.0.9.2 reached\n", "10.0.9.1 reached\n"
    found = trial(hosts).run(SETTINGS, encrypted=False)
    assert [(one.host, one.level) for one in found] == [("c", "failure"), ("a", "ok"), ("b", "ok")]
    assert found[0].text == "a container on an overlay network does not start: no such device"


def test_host_that_cannot_call_is_told(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """Its last words are."""
    hosts["c"].said["docker"] = Output(126, "", "exec failed\n")
    found = trial(hosts).run(SETTINGS, encrypted=False)
    assert ("c", "the overlay cannot be tried: exec failed") in [(one.host, one.text) for one in found]


def test_one_node_has_nothing_to_try(hosts: dict[str, SpeakingHost]) -> None:
    """No network is made for it."""
    alone = OverlayTrial(hosts["a"], "1a2b3c", {"a": Participant(hosts["a"], "n1", ("/bin",), "amd64")})
    assert (alone.run(SETTINGS, encrypted=False), hosts["a"].engine.requests) == ([], [])


def test_leftovers_of_a_killed_run_are_removed(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """Those that are old enough not to be somebody else's trial of this moment."""
    old = {"ID": "old", "CreatedAt": "2026-01-01T00:00:00.5Z"}
    new = {"Id": "new", "Created": "2999-01-01T00:00:00.5Z"}
    hosts["a"].engine.answers |= {"GET /services": [old], "GET /networks": [new]}
    trial(hosts).run(SETTINGS, encrypted=False)
    asked = hosts["a"].engine.asked("DELETE")
    assert ("DELETE /services/old" in asked, "DELETE /networks/new" in asked) == (True, False)


R, K, U = "reached", "known", "unknown"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"a": {"b": K, "c": R}, "b": {"a": K, "c": K}, "c": {"a": R, "b": K}}, {"a": "ok", "b": "failure", "c": "ok"}),
        ({"a": {"b": K}, "b": {"a": K}}, {"a": "failure", "b": "failure"}),
        ({"a": {"b": R, "c": K}, "b": {"a": R, "c": R}, "c": {"a": K, "b": R}}, {"a": "failure", "b": "ok", "c": "failure"}),
    ],
)
def test_host_that_is_cut_off_is_blamed(answers: dict[str, dict[str, str]], expected: dict[str, str]) -> None:
    """What the others do not reach because of it is said once; a broken pair is said on both."""
    assert {one.host: one.level for one in overlay.judge(answers, encrypted=False)} == expected


@pytest.mark.parametrize(
    ("answer", "encrypted", "ports"),
    [
        (K, False, "They hear of each other: open 4789/udp between them"),
        (K, True, "They hear of each other: open 4789/udp and the IP protocol 50 (ESP) between them"),
        (U, False, "They do not even hear of each other: open 7946/tcp, 7946/udp and 4789/udp between them"),
    ],
)
def test_remedy_names_the_ports(answer: str, encrypted: bool, ports: str) -> None:
    """A name that has come by gossip tells that 7946 is open."""
    found = overlay.judge({"a": {"b": answer}, "b": {"a": answer}}, encrypted=encrypted)
    assert found[0].remedy == ports


def test_script_calls_in_a_real_shell() -> None:
    """An address at which nothing listens at port 9 refuses, and that is an answer."""
    words = ["bash", "-c", overlay.SCRIPT, "bash", "localhost", "30", "127.0.0.1"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "127.0.0.1 reached\n"


def test_lost_host_does_not_end_the_trial(hosts: dict[str, SpeakingHost], clock: Clock) -> None:
    """It is a failure of that host; the others go on."""
    hosts["c"].engine.answers["POST /images/load"] = StepError("c", "the connection broke", "Run this again")
    hosts["a"].said["docker"], hosts["b"].said["docker"] = "10.0.9.2 reached\n", "10.0.9.1 reached\n"
    found = trial(hosts).run(SETTINGS, encrypted=False)
    assert {one.host: one.level for one in found} == {"c": "failure", "a": "ok", "b": "ok"}
