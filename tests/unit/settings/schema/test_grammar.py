"""What a word of hosts.toml may be: what SSH, Swarm, Docker and browsers take, and nothing that a shell would act on."""

from pathlib import Path

import pytest

from swarmhub import settings as settings_file
from swarmhub.plan.hidden import in_line
from tests.unit.settings.written import edited, good, in_hub, problems

SHELL = [
    "a b",
    "a\nb",
    'a"b',
    "a\\b",
    "a\tb",
    "$(id)",
    "`id`",
    "a;id",
    "a|id",
    "a&id",
    "a>b",
    "a<b",
    "a'b",
    "a*",
    "a?",
    "$HOME",
]
A_PATH = "is not a file's path; "
# What is said of them, and the words that are refused beside those that a shell would act on.
REFUSED = {
    "hosts.workers[1]": (
        "is not a host name or address: ",
        "-oProxyCommand=id root@swarm-manager1 swarm-manager1:22 .swarm-manager1 a..b swarm- a.. . : 1: ::1::2 fe80::1%;id "
        f"{'a' * 64} ſwarm-manager1 swärm-manager1 [::1] a,b ::1%-a/b",
    ),
    "hub.domain": (
        "is not a domain name in lower case, such as hub.example.org",
        "hub Hub.example.org hub.example.org. https://hub.example.org hub.example.org:443 hub_.example.org -hub.example.org "
        "*.example.org hub..org hüb.example.org ../../etc.passwd 10.0.0.1 hub.1",
    ),
    "hub.service": ("is not ", f"hub.one hub- hub_ -hub MyHub {'h' * 63}"),
    "notebook.image": (
        "is not an image, such as ",
        "Debian debian: :tag debian@sha256:abc debian:a:b -debian quay.io//x https://quay.io/x x/Y:1 debian:-x ../x "
        f"debian:{'t' * 129}",
    ),
    "github.url": (
        "is not an https:// address without query or password",
        "http://github.com github.com https:// https://user:pw@github.com https://github.com?x=1 https://github.com/#x "
        "https://git_hub.com ftp://github.com https://gıthub.com https://ſ.example.org",
    ),
    **dict.fromkeys(
        (
            *("network.name", "network.options.mtu", "volume.name", "volume.driver", "volume.options.o"),
            *("certs.email", "certs.server", "certs.staging_server", "certs.image", "github.api"),
        ),
        ("is not ", ""),
    ),
    **dict.fromkeys(("secrets.file", "ssh.config", "certs.ca"), (A_PATH, "")),
}

HOSTS = ["swarm_worker", "_w", "worker.example.org.", "WORKER", "10.0.0.21", "fe80::1%eth0", "2001:db8::21", "::ffff:10.0.0.21"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_may_be_named_as_ssh_takes_it(file: Path, host: str) -> None:
    """An underscore, the dot of a whole name, an IPv6 address with its interface."""
    file.write_text(edited(workers=f'["{host}"]'))
    assert settings_file.load(file).hosts.workers == (host,)


def written(key: str, value: str) -> str:
    """Return a hosts.toml with a text at a key."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    table, _, name = key.partition(".")
    if table == "hosts":
        return edited(workers=f'["swarm-worker1", "{escaped}"]')
    if name in ("domain", "image") and table in ("hub", "notebook"):
        return edited(**{name: f'"{escaped}"'})
    return in_hub(f'{name} = "{escaped}"') if table == "hub" else edited(f'[{table}]\n{name} = "{escaped}"')


@pytest.mark.parametrize("key", REFUSED)
def test_what_nobody_would_take_is_refused(file: Path, key: str) -> None:
    """A user, a port or an option is no part of a host; a path may hold a blank, and nothing else that a shell would act on."""
    said, words = REFUSED[key]
    for value in (*words.split(), *([""] if words else []), *SHELL[said == A_PATH :]):
        (problem,) = problems(file, written(key, value))
        assert f": {key}: {in_line(repr(value))} {said}" in problem


def test_what_is_a_name_is_taken(file: Path) -> None:
    """Short names, domain names and addresses of hosts, in any case; lower case, digits and hyphens for a service."""
    for host in ("a", "swarm-manager1", "Swarm-Manager1", "node1.example.org", "10.0.0.21", "a" * 63):
        assert good(file, edited(managers='["m"]', workers=f'["{host}"]')).hosts.workers == (host,)
    for name in ("jupyterhub", "hub2", "my-hub", "my_hub"):
        assert good(file, written("hub.service", name)).hub.service == name


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("debian", "debian:latest"),
        ("debian:trixie-slim", "debian:trixie-slim"),
        ("registry.lab:5000/notebook", "registry.lab:5000/notebook:latest"),
        ("registry.lab:5000/a/b__c/d--e:V1.2_x", "registry.lab:5000/a/b__c/d--e:V1.2_x"),
        (f"debian@sha256:{'a' * 64}", f"debian@sha256:{'a' * 64}"),
        (f"debian:12@sha256:{'a' * 64}", f"debian:12@sha256:{'a' * 64}"),
    ],
)
def test_an_image_without_a_tag_means_latest(file: Path, image: str, full: str) -> None:
    """An engine pulls every tag of a bare name: the tag is spelt out, and one that is there or a digest is kept."""
    assert good(file, written("notebook.image", image)).notebook.image == full


@pytest.mark.parametrize("port", ["0", "65536", "-1", "443.5", '"443"', "true"])
def test_a_port_is_a_number_from_1_to_65535(file: Path, port: str) -> None:
    """Anything else is refused at hub.port."""
    (problem,) = problems(file, in_hub(f"port = {port}"))
    assert problem.startswith("hosts.toml:6: hub.port: ")


@pytest.mark.parametrize(
    "options",
    [
        {"type": "nfs", "o": "addr=10.0.0.9,rw,nfsvers=4", "device": ":/export/hub"},
        {"type": "none", "o": "bind", "device": "/srv/hub"},
        {"type": "cifs", "o": "addr=nas.example.org,vers=3.0", "device": "//nas.example.org/hub"},
    ],
    ids=lambda options: options["type"],
)
def test_the_local_drivers_own_options_are_taken(file: Path, options: dict[str, str]) -> None:
    """A volume on NFS, on a folder or on a Windows share is described as Docker's documentation does it."""
    table = ", ".join(f'{key} = "{value}"' for key, value in options.items())
    assert good(file, edited(f"[volume]\noptions = {{ {table} }}")).volume.options == options


def test_a_drivers_option_of_a_wrong_name_is_told_by_its_name(file: Path) -> None:
    """The key of the message is what stands in the file, and nothing else."""
    (problem,) = problems(file, edited('[volume]\noptions = { "a b" = "c" }'))
    assert problem.startswith("hosts.toml:16: volume.options.a b: 'a b' is not ")


@pytest.mark.parametrize(
    "name", ["ngshare", "a.b-c_d", "ldap3[all, tls]>=2,<3", "jupyterhub-ldapauthenticator >=2.0, !=2.1", "a==1.*"]
)
def test_a_package_is_named_as_python_names_it(tmp_path: Path, name: str) -> None:
    """With its extras and versions."""
    assert good(tmp_path / "hosts.toml", in_hub(f'packages = ["{name}"]')).hub.packages == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-r file",
        "--index-url=https://a.b",
        "a @ https://a.b/c.whl",
        "git+https://a.b/c",
        "./a",
        "a; os_name",
        "a>=",
        "a\\nb",
    ],
)
def test_a_package_is_no_address_and_no_option(tmp_path: Path, name: str) -> None:
    """An address would be in the lock; an option would be the resolver's."""
    (told,) = problems(tmp_path / "hosts.toml", in_hub(f'packages = ["{name}"]'))
    assert "hub.packages[0]: " in told
    assert "is not a Python package by its name" in told
