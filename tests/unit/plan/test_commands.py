"""The docker command that a person would type: what the engine would get from it."""

import copy
import shlex
from typing import Any

import pytest

from swarmhub.engine.swarm import configs, specs
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


def file(content: str) -> Json:
    """Return how a file with this content is mounted."""
    return configs.reference("/srv/x.json", "x", content)


def flags(wanted: Json, found: Json) -> list[tuple[str, str]]:
    """Return the flags that a shell makes of a "service update", with their values."""
    command = commands.service_update(wanted, found, specs.compare(wanted, found))
    words = shlex.split(command, comments=True)
    assert (words[:4], words[-1]) == (["docker", "service", "update", "--no-resolve-image"], "jupyterhub")
    return list(zip(words[4:-1:2], words[5:-1:2], strict=True))


def created(wanted: Json) -> list[tuple[str, str]]:
    """Return the flags of the "service create" for a spec."""
    words = shlex.split(commands.service_create(wanted), comments=True)
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


def test_a_secret_comes_from_the_environment_and_no_argv() -> None:
    """The shell's own printf passes it: neither a process list nor a history has its value."""
    assert commands.secret("GITHUB_CLIENT_SECRET", "hub-secret-1f", "swarmhub.service=hub") == (
        'printf %s "$GITHUB_CLIENT_SECRET" | docker secret create --label swarmhub.service=hub hub-secret-1f -'
    )


MOUNT = {"Type": "volume", "Source": "data", "Target": "/data"}
SECRET = {"SecretName": "s-1", "File": {"Name": "S", "UID": "0", "GID": "0", "Mode": 0o400}}
PORT = {"Protocol": "tcp", "TargetPort": 443, "PublishedPort": 443, "PublishMode": "host"}


@pytest.mark.parametrize(
    ("wanted", "flag"),
    [
        (spec() | {"Labels": {"a": "b c"}}, ("--label", "a=b c")),
        (spec(Env=["A=b=c"]), ("--env", "A=b=c")),
        (spec(Mounts=[MOUNT]), ("--mount", "type=volume,source=data,target=/data")),
        (spec(Mounts=[MOUNT | {"ReadOnly": True}]), ("--mount", "type=volume,source=data,target=/data,readonly")),
        (spec(Secrets=[SECRET]), ("--secret", "source=s-1,target=S,mode=0400")),
        (spec(Configs=[file("[]")]), ("--config", "source=x-4f53cda18c2baa0c0354,target=/srv/x.json,mode=0440")),
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
        (spec() | {"Mode": {"Replicated": {"Replicas": 0}}}, ("--replicas", "0")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_part_of_a_service_has_its_flag(wanted: Json, flag: tuple[str, str]) -> None:
    """What the spec says, the flag says, in docker's own form."""
    assert flag in created(wanted)


def test_a_services_image_comes_last() -> None:
    """What would follow it would be the container's own arguments."""
    assert shlex.split(commands.service_create(spec()))[-1] == "jupyterhub:1"


CHECK = {"Test": ["CMD", "curl"], "Interval": 2_000_000_000}
MORE = [
    spec(Healthcheck=CHECK),
    spec(Labels={"a": "b"}),
    spec(Mounts=[MOUNT | {"BindOptions": {"Propagation": "rslave"}}]),
    template(Networks=[{"Target": "n1", "Aliases": ["hub"]}]),
    template(RestartPolicy={"Condition": "any"}),
    spec() | {"UpdateConfig": {"Order": "stop-first"}},
]


@pytest.mark.parametrize("wanted", MORE)
def test_what_a_command_does_not_say_is_no_secret(wanted: Json) -> None:
    """Behind the command a comment says that there is more, and where."""
    assert commands.service_create(wanted).endswith(" jupyterhub:1  # and more: see fab plan --details")


@pytest.mark.parametrize("wanted", MORE)
def test_an_update_that_no_command_says_whole_tells_so(wanted: Json) -> None:
    """The flags are those of the part that it says."""
    old = spec(Image="jupyterhub:0", Mounts=wanted["TaskTemplate"]["ContainerSpec"].get("Mounts") and [MOUNT])
    old["TaskTemplate"]["Networks"] = wanted["TaskTemplate"].get("Networks") and [{"Target": "n1"}]
    command = commands.service_update(wanted, old, specs.compare(wanted, old))
    assert (
        command
        == "docker service update --no-resolve-image --image jupyterhub:1 jupyterhub  # and more: see fab plan --details"
    )


def test_what_goes_is_more_too() -> None:
    """A field that is no longer wanted is a difference like any other."""
    found = spec(Image="jupyterhub:0", Healthcheck=CHECK)
    assert commands.service_update(spec(), found, specs.compare(spec(), found)).endswith(commands.MORE)


def test_an_update_that_no_flag_here_says_has_no_command() -> None:
    """One without a flag would change nothing."""
    wanted = spec(Healthcheck=CHECK)
    assert commands.service_update(wanted, spec(), specs.compare(wanted, spec())) == ""


def test_what_is_not_set_has_no_flag() -> None:
    """An engine's empty values are none, and nothing more."""
    empty = spec(Env=None, Labels=None, Mounts=None, Secrets=None, Healthcheck=None)
    empty |= {"Labels": None, "EndpointSpec": None, "UpdateConfig": None, "RollbackConfig": None}
    empty["TaskTemplate"] |= {"Networks": None, "Placement": None, "RestartPolicy": None}
    assert (created(empty), "#" in commands.service_create(empty)) == ([("--replicas", "1")], False)


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
            spec(Configs=[file("[]")]),
            spec(Configs=[file("{}")]),
            [
                ("--config-rm", "x-4f53cda18c2baa0c0354"),
                ("--config-add", "source=x-44136fa355b3678a1146,target=/srv/x.json,mode=0440"),
            ],
        ),
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
        (spec(User="61081:0"), spec(), [("--user", "")]),
        (spec() | {"Mode": {"Replicated": {"Replicas": 0}}}, spec(), [("--replicas", "1")]),
    ],
)
def test_an_update_has_the_flags_that_lead_from_one_to_the_other(old: Json, new: Json, expected: list[tuple[str, str]]) -> None:
    """Added, removed by what docker removes it by, or changed: where adding does not replace, the old one goes first."""
    assert flags(new, old) == expected


def test_a_command_leaves_the_specs_as_they_are() -> None:
    """What is sent to the engine afterwards is what was planned."""
    old, new = ported(), spec(Env=["A=1"])
    before = copy.deepcopy((old, new))
    commands.service_update(new, old, specs.compare(new, old))
    assert (old, new) == before
