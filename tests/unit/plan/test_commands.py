"""The docker command that a person would type: what the engine would get from it."""

import copy
import shlex
from typing import Any

import pytest

from swarmhub.certificate import certbot, certs
from swarmhub.host import Json
from swarmhub.plan import commands
from swarmhub.services import network, volume
from tests.unit.support.fakes import settings


def spec(**container: Any) -> dict[str, Any]:
    """Return a service's spec, with this in its container's part."""
    return {
        "Name": "jupyterhub",
        "TaskTemplate": {"ContainerSpec": {"Image": "jupyterhub:1"} | container},
        "Mode": {"Replicated": {"Replicas": 1}},
    }


def template(**more: Any) -> dict[str, Any]:
    """Return a service's spec, with this in its task's template."""
    made = spec()
    made["TaskTemplate"] |= more
    return made


def flags(command: str) -> list[tuple[str, str]]:
    """Return the flags that a shell makes of a "service update", with their values."""
    words = shlex.split(command)
    assert (words[:4], words[-1]) == (["docker", "service", "update", "--no-resolve-image"], "jupyterhub")
    return list(zip(words[4:-1:2], words[5:-1:2], strict=True))


def created(wanted: Json) -> list[tuple[str, str]]:
    """Return the flags of the "service create" for a spec."""
    words = shlex.split(commands.service_create(wanted))
    assert words[:6] == ["docker", "service", "create", "--no-resolve-image", "--name", "jupyterhub"]
    return list(zip(words[6:-1:2], words[7:-1:2], strict=True))


@pytest.mark.parametrize("word", ["a b", "$(id)", "a'b", 'a"b', "", "a;b", "`id`", "a\nb", "*"])
def test_a_shell_gets_each_word_as_it_is(word: str) -> None:
    """No setting breaks out of the line that people paste."""
    assert shlex.split(commands.line("network", "create", word)) == ["docker", "network", "create", word]


@pytest.mark.parametrize(
    ("tables", "command"),
    [
        ({}, "docker network create --driver overlay jupyter"),
        ({"attachable": True}, "docker network create --driver overlay --attachable jupyter"),
        ({"encrypted": True}, "docker network create --driver overlay --opt encrypted jupyter"),
        ({"subnet": "10.5.0.0/20"}, "docker network create --driver overlay --subnet 10.5.0.0/20 jupyter"),
        (
            {"options": {"com.docker.network.driver.mtu": "1450"}},
            "docker network create --driver overlay --opt com.docker.network.driver.mtu=1450 jupyter",
        ),
    ],
    ids=str,
)
def test_a_network_has_its_settings(tables: dict[str, Any], command: str) -> None:
    """Driver, options and subnet; an option without a value stands alone."""
    assert commands.network(network.desired(settings(network=tables))) == command


def test_a_volume_has_its_settings() -> None:
    """Driver and options, with commas and equals signs in their values."""
    wanted = volume.desired(settings(volume={"options": {"type": "nfs", "o": "addr=10.0.0.9,rw"}}))
    assert commands.volume(wanted) == (
        "docker volume create --driver local --opt type=nfs --opt o=addr=10.0.0.9,rw jupyterhub-data"
    )


def test_certbot_runs_with_its_folder_its_port_and_its_arguments() -> None:
    """The arguments come after the image."""
    wanted = certs.desired(settings(certs={"email": "ada@example.org"}))
    words = shlex.split(commands.container(certbot.container(wanted, "https://acme.example.org", force=False)))
    image = words.index(wanted.image)
    assert words[:image] == ["docker", "run", "--rm", "--volume", "/etc/letsencrypt:/etc/letsencrypt", "--publish", "80:80"]
    assert words[image + 1 :] == certbot.arguments(wanted, "https://acme.example.org", force=False)


def test_a_containers_environment_is_passed() -> None:
    """A setting with a space stays one word."""
    body = {"Image": "x", "Cmd": [], "Env": ["A=b c"], "HostConfig": {"Binds": [], "PortBindings": {}}}
    assert commands.container(body) == "docker run --rm --env 'A=b c' x"


def test_a_secret_comes_from_the_environment_and_no_argv() -> None:
    """The shell's own printf passes it: neither a process list nor a history has its value."""
    assert commands.secret("GITHUB_CLIENT_SECRET", "hub-secret-1f", "swarmhub.service=hub") == (
        'printf %s "$GITHUB_CLIENT_SECRET" | docker secret create --label swarmhub.service=hub hub-secret-1f -'
    )


MOUNT = {"Type": "volume", "Source": "data", "Target": "/data"}
SECRET = {"SecretName": "s-1", "File": {"Name": "S", "UID": "0", "GID": "0", "Mode": 0o400}}
PORT = {"Protocol": "tcp", "TargetPort": 443, "PublishedPort": 443, "PublishMode": "host"}
CHECK = {"Test": ["CMD", "curl", "a b"], "Interval": 2_000_000_000, "Timeout": 500_000_000, "StartPeriod": 60_000_000_000}


@pytest.mark.parametrize(
    ("wanted", "flag"),
    [
        (spec() | {"Labels": {"a": "b c"}}, ("--label", "a=b c")),
        (spec(Labels={"a": "b"}), ("--container-label", "a=b")),
        (spec(Env=["A=b=c"]), ("--env", "A=b=c")),
        (spec(Mounts=[MOUNT]), ("--mount", "type=volume,source=data,target=/data")),
        (spec(Mounts=[MOUNT | {"ReadOnly": True}]), ("--mount", "type=volume,source=data,target=/data,readonly")),
        (spec(Secrets=[SECRET]), ("--secret", "source=s-1,target=S,mode=0400")),
        (template(Networks=[{"Target": "n1"}]), ("--network", "n1")),
        (template(Placement={"Constraints": ["node.role==manager"]}), ("--constraint", "node.role==manager")),
        (spec() | {"EndpointSpec": {"Ports": [PORT]}}, ("--publish", "published=443,target=443,protocol=tcp,mode=host")),
        (
            spec() | {"EndpointSpec": {"Ports": [{**PORT, "PublishMode": "ingress"}]}},
            ("--publish", "published=443,target=443,protocol=tcp,mode=ingress"),
        ),
        (spec() | {"EndpointSpec": {"Mode": "dnsrr"}}, ("--endpoint-mode", "dnsrr")),
        (spec(User="61081:0"), ("--user", "61081:0")),
        (spec(), ("--replicas", "1")),
        (spec(Healthcheck=CHECK), ("--health-cmd", "curl 'a b'")),
        (
            spec(Healthcheck=CHECK | {"Test": ["CMD-SHELL", "until curl 'a b'; do :; done"]}),
            ("--health-cmd", "until curl 'a b'; do :; done"),
        ),
        (spec(Healthcheck=CHECK), ("--health-interval", "2s")),
        (spec(Healthcheck=CHECK), ("--health-timeout", "0.5s")),
        (spec(Healthcheck=CHECK), ("--health-start-period", "60s")),
        (spec(Healthcheck=CHECK | {"StartInterval": 200_000_000}), ("--health-start-interval", "0.2s")),
        (spec(Healthcheck=CHECK | {"Retries": 5}), ("--health-retries", "5")),
        (spec(StopGracePeriod=20_000_000_000), ("--stop-grace-period", "20s")),
        (template(RestartPolicy={"Condition": "any"}), ("--restart-condition", "any")),
        (template(RestartPolicy={"Delay": 2_000_000_000}), ("--restart-delay", "2s")),
        (spec() | {"UpdateConfig": {"Order": "stop-first"}}, ("--update-order", "stop-first")),
        (spec() | {"UpdateConfig": {"Monitor": 3_000_000_000}}, ("--update-monitor", "3s")),
        (spec() | {"UpdateConfig": {"FailureAction": "rollback"}}, ("--update-failure-action", "rollback")),
        (spec() | {"RollbackConfig": {"Order": "stop-first"}}, ("--rollback-order", "stop-first")),
        (spec() | {"RollbackConfig": {"Monitor": 3_000_000_000}}, ("--rollback-monitor", "3s")),
        (spec() | {"RollbackConfig": {"FailureAction": "pause"}}, ("--rollback-failure-action", "pause")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_part_of_a_service_has_its_flag(wanted: Json, flag: tuple[str, str]) -> None:
    """What the spec says, the flag says, in docker's own form."""
    assert flag in created(wanted)


def test_a_services_image_comes_last() -> None:
    """What would follow it would be the container's own arguments."""
    assert shlex.split(commands.service_create(spec()))[-1] == "jupyterhub:1"


def test_what_is_not_set_has_no_flag() -> None:
    """An engine's empty values are none."""
    empty = spec(Env=None, Labels=None, Mounts=None, Secrets=None, Healthcheck=None)
    empty |= {"Labels": None, "EndpointSpec": None, "UpdateConfig": None, "RollbackConfig": None}
    empty["TaskTemplate"] |= {"Networks": None, "Placement": None, "RestartPolicy": None}
    assert created(empty) == [("--replicas", "1")]


def test_what_is_as_wanted_is_not_in_an_update() -> None:
    """Only what differs is typed."""
    assert flags(commands.service_update(spec(Env=["A=b"]), spec(Env=["A=b"]))) == []


def ported(**more: Any) -> dict[str, Any]:
    """Return a spec with a port."""
    return spec() | {"EndpointSpec": {"Ports": [PORT | more]}}


HOST_443 = "published=443,target=443,protocol=tcp,mode=host"
HOST_8443 = "published=8443,target=443,protocol=tcp,mode=host"
INGRESS_443 = "published=443,target=443,protocol=tcp,mode=ingress"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (spec() | {"Labels": {"a": "1"}}, spec() | {"Labels": {"a": "2"}}, [("--label-add", "a=2")]),
        (spec() | {"Labels": {"a": "1"}}, spec(), [("--label-rm", "a")]),
        (spec(), spec() | {"Labels": {"a": "1"}}, [("--label-add", "a=1")]),
        (spec(Labels={"a": "1"}), spec(Labels={"a": "2"}), [("--container-label-add", "a=2")]),
        (spec(Labels={"a": "1"}), spec(), [("--container-label-rm", "a")]),
        (spec(), spec(Labels={"a": "1"}), [("--container-label-add", "a=1")]),
        (spec(Env=["A=1", "B=1"]), spec(Env=["A=2", "B=1"]), [("--env-add", "A=2")]),
        (spec(Env=["A=1", "B=1"]), spec(Env=["B=1"]), [("--env-rm", "A")]),
        (spec(), spec(Env=["A=1"]), [("--env-add", "A=1")]),
        (
            spec(Mounts=[MOUNT]),
            spec(Mounts=[MOUNT | {"Source": "other"}]),
            [("--mount-add", "type=volume,source=other,target=/data")],
        ),
        (spec(Mounts=[MOUNT]), spec(), [("--mount-rm", "/data")]),
        (spec(), spec(Mounts=[MOUNT]), [("--mount-add", "type=volume,source=data,target=/data")]),
        (
            spec(Secrets=[SECRET]),
            spec(Secrets=[SECRET | {"SecretName": "s-2"}]),
            [("--secret-rm", "s-1"), ("--secret-add", "source=s-2,target=S,mode=0400")],
        ),
        (
            spec(Secrets=[SECRET | {"File": {"Name": "S", "Mode": 0o444}}]),
            spec(Secrets=[SECRET]),
            [("--secret-rm", "s-1"), ("--secret-add", "source=s-1,target=S,mode=0400")],
        ),
        (spec(Secrets=[SECRET]), spec(), [("--secret-rm", "s-1")]),
        (
            template(Networks=[{"Target": "n1"}]),
            template(Networks=[{"Target": "n2"}]),
            [("--network-rm", "n1"), ("--network-add", "n2")],
        ),
        (
            template(Placement={"Constraints": ["node.id==a"]}),
            template(Placement={"Constraints": ["node.id==b"]}),
            [("--constraint-rm", "node.id==a"), ("--constraint-add", "node.id==b")],
        ),
        (ported(), ported(PublishedPort=8443), [("--publish-rm", HOST_443), ("--publish-add", HOST_8443)]),
        (ported(), ported(PublishMode="ingress"), [("--publish-rm", HOST_443), ("--publish-add", INGRESS_443)]),
        (ported(), spec(), [("--publish-rm", HOST_443)]),
        (spec(), ported(), [("--publish-add", HOST_443)]),
        (spec(Image="jupyterhub:0"), spec(), [("--image", "jupyterhub:1")]),
        (spec() | {"Mode": {"Replicated": {"Replicas": 0}}}, spec(), [("--replicas", "1")]),
        (spec(Healthcheck=CHECK), spec(Healthcheck=CHECK | {"Interval": 3_000_000_000}), [("--health-interval", "3s")]),
    ],
)
def test_an_update_has_the_flags_that_lead_from_one_to_the_other(old: Json, new: Json, expected: list[tuple[str, str]]) -> None:
    """Added, removed by what docker removes it by, or changed: where adding does not replace, the old one goes first."""
    assert flags(commands.service_update(new, old)) == expected


def test_a_command_leaves_the_specs_as_they_are() -> None:
    """What is sent to the engine afterwards is what was planned."""
    old, new = ported(), spec(Env=["A=1"])
    before = copy.deepcopy((old, new))
    commands.service_update(new, old)
    assert (old, new) == before
