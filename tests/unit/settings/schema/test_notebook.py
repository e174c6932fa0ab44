"""What builds an image, in [notebook] and in profiles: what goes together, and what nobody may read."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.support.fakes import settings


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"build_args": {"A": "1"}}, "is for a Dockerfile: name its folder with 'build'"),
        ({"build": "x", "build_args": {"API_TOKEN": "1"}}, "looks like a secret"),
        ({"build": "x", "build_args": {"INDEX": "https://ada:hush@example.org/"}}, "has an address with a password"),
        ({"packages": ["$(id)"]}, "is no Python package, such as 'numpy>=2'"),
        ({"packages": ["-r x"]}, "is no Python package"),
        ({"packages": ["a\nb"]}, "is not a line of text"),
        ({"packages": ["a @ https://t@example.org/a.whl"]}, "has an address with a password or a token"),
        ({"build": "a;b"}, "is not a file's path"),
    ],
)
def test_what_cannot_be_built_is_refused(table: dict[str, Any], wrong: str) -> None:
    """In [notebook] and in profiles alike."""
    for tables in ({"notebook": table}, {"profiles": [{"name": "A", **table}]}):
        with pytest.raises(ValueError, match=wrong):
            settings(**tables)


@pytest.mark.parametrize("table", [{"packages": ["numpy>=2", "six"]}, {"build": "x", "build_args": {"A": "1"}}])
def test_what_is_built_is_known(table: dict[str, Any]) -> None:
    """By a list of packages or by a folder; without them nothing is."""
    assert settings(notebook=table).notebook.is_built
    assert not settings().notebook.is_built


@pytest.mark.parametrize(
    "option",
    [
        {"type": "cifs", "mount_options": "username=ada,password=hunter2"},
        {"type": "cifs", "mount_options": "vers=3.0,pass=hunter2,uid=1000"},
        {"type": "cifs", "mount_options": "Password2=hunter2"},
        {"type": "cifs", "mount_options": "username=ada,password=hunter2!$"},
        {"options": {"type": "cifs", "device": "//nas/homes", "o": "addr=nas,username=ada,passwd=hunter2"}},
        {"driver": "cloud", "options": {"api_key": "hunter2"}},
    ],
)
@pytest.mark.parametrize("table", ["home", "volume", "folder"])
def test_a_password_of_a_file_server_is_no_setting(table: str, option: dict[str, Any]) -> None:
    """Everybody who may ask an engine could read it; the message does not have it either."""
    given = {"server": "nas", "path": "/homes", **option} if "mount_options" in option else option
    if table == "volume" and "options" not in option:
        given = {"options": {"o": option["mount_options"]}}
    tables = {"folders": [{**given, "name": "a", "mount": "/srv/a"}]} if table == "folder" else {table: given}
    with pytest.raises(ValidationError) as refused:
        settings(**tables)
    messages = [one["msg"] for one in refused.value.errors()]
    assert len(messages) == 1
    assert "could be read by `docker service inspect`" in messages[0]
    assert "hunter2" not in messages[0]


@pytest.mark.parametrize(
    "options", ["credentials=/etc/nas", "vers=3.0,cred=/etc/nas", "soft,_netdev", "soft,nofail", "x-systemd.automount"]
)
def test_options_that_only_fstab_understands_are_refused(options: str) -> None:
    """An engine mounts by the kernel alone, which refuses them, or goes on without the password, at the first start."""
    with pytest.raises(ValidationError, match="which only /etc/fstab understands"):
        settings(home={"type": "nfs", "server": "nas", "path": "/homes", "mount_options": options})


@pytest.mark.parametrize("server", ["fd00::5", "[fd00::5]", "nas:/homes", "//nas", "nas/homes", "näs"])
def test_a_file_server_is_named_alone(server: str) -> None:
    """Without its path; by IPv6 only by a name."""
    with pytest.raises(ValidationError, match="is not a file server's name or IPv4 address, without a path"):
        settings(home={"type": "nfs", "server": server, "path": "/homes"})


@pytest.mark.parametrize("server", ["nas", "NAS.example.org", "10.0.0.5", "nas_1.example.org"])
def test_a_file_server_has_any_name_of_a_host(server: str) -> None:
    """Upper case and underscores included."""
    assert settings(home={"type": "nfs", "server": server, "path": "/homes"}).home.server == server


@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        ("memory_limit", "1K", "no container with less than 6M"),
        ("memory_limit", "99999999999999T", "is more than 1024T"),
        ("shared_memory", "9999T", "is more than 1024T"),
        ("cpu_limit", 0.001, "is no number of CPUs from 0.01 to 1024"),
        ("cpu_limit", float("nan"), "is no number of CPUs"),
        ("processes", 10**20, "less than or equal to 4194304"),
        ("start_timeout", "999999999999d", "is more than a hundred years"),
    ],
)
def test_a_number_is_one_that_docker_takes(key: str, value: object, wrong: str) -> None:
    """A slip is told at the check, and not by an engine at each start."""
    with pytest.raises(ValidationError, match=wrong):
        settings(notebook={key: value})


@pytest.mark.parametrize("path", ["/srv/übungen", "/srv/homes ", "/srv /homes", "~/homes", "homes", "/srv/a:b", "/srv/../etc"])
def test_a_path_is_told_what_it_may_have(path: str) -> None:
    """It may be absolute and be refused for a letter, or a space that nobody sees."""
    with pytest.raises(ValidationError, match=r"is not an absolute path of letters a-z, digits, .* and spaces within names"):
        settings(home={"type": "path", "path": path})


@pytest.mark.parametrize("owner", ["1000", "9999999999:100", "1000:4294967295", "jovyan:users", "-1:100", "١:100"])
def test_an_owner_has_numbers_that_linux_has(owner: str) -> None:
    """Another one ends the start of each new user."""
    with pytest.raises(ValidationError, match="is not a user's and a group's number, such as 1000:100"):
        settings(home={"owner": owner})
