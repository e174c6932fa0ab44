"""What the settings say of themselves: defaults, and values that follow from others."""

import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from swarmhub.settings.schema.model import Settings
from tests.unit.support.fakes import settings


def tables(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a table and all tables in it."""
    inner = [field.annotation for field in model.model_fields.values()]
    found = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [model, *(part for kind in found for part in tables(kind))]


def test_every_setting_says_what_it_is() -> None:
    """The reference and the messages are made of the descriptions: no setting is without one."""
    silent = [
        f"{table.__name__}.{name}"
        for table in tables(Settings)[1:]
        for name, field in table.model_fields.items()
        if not field.description
    ]
    assert silent == []


def test_no_table_takes_keys_that_nobody_reads() -> None:
    """Every table is frozen and refuses what it does not know."""
    loose = [
        table
        for table in tables(Settings)
        if not table.model_config.get("frozen") or table.model_config.get("extra") != "forbid"
    ]
    assert loose == []


def test_hosts_are_all_managers_first() -> None:
    """The first manager is the one that holds the hub; workers follow."""
    given = settings(hosts={"managers": ["m1", "m2"], "workers": ["w1"]})
    assert (given.hosts.all, given.manager) == (("m1", "m2", "w1"), "m1")


def test_one_manager_alone_is_a_cluster() -> None:
    """A swarm of one host has no workers."""
    assert settings(hosts={"managers": ["m1"], "workers": []}).hosts.all == ("m1",)


@pytest.mark.parametrize(
    ("table", "api"),
    [
        ({}, "https://api.github.com"),
        ({"url": "https://git.example.org"}, "https://git.example.org/api/v3"),
        ({"url": "https://git.example.org/"}, "https://git.example.org/api/v3"),
        ({"url": "https://github.com/"}, "https://api.github.com"),
        ({"url": "https://git.example.org", "api": "https://api.example.org/"}, "https://api.example.org"),
    ],
)
def test_githubs_api_follows_from_its_address(table: dict[str, Any], api: str) -> None:
    """The API is GitHub's own, an Enterprise's, or the one that is named; a slash at the end means nothing."""
    assert settings(github=table).github.api_url == api


@pytest.mark.parametrize("table", ["hub", "notebook"])
def test_default_images_have_a_tag(table: str) -> None:
    """No image is left to mean every tag of its name."""
    images = [value for name, value in getattr(settings(), table) if name.endswith("image")]
    assert [image for image in images if ":" not in image.rpartition("/")[2]] == []


@pytest.mark.parametrize(
    ("subdomains", "wildcard", "names"),
    [
        (False, False, ("x.org",)),
        (True, False, ("x.org", "*.x.org")),
        (False, True, ("x.org", "*.x.org")),
        (True, True, ("x.org", "*.x.org")),
    ],
)
def test_the_certificate_is_for_what_browsers_ask_for(subdomains: bool, wildcard: bool, names: tuple[str, ...]) -> None:
    """The domain always: a wildcard stands for names below it only."""
    certs = {"dns": "rfc2136", "dns_credentials": "dns.ini", "wildcard": wildcard}
    assert settings(hub={"domain": "x.org", "subdomains": subdomains}, certs=certs).names == names


NAMED = {"secret": "NAME"}


@pytest.mark.parametrize(("given", "path"), [("/", "/"), ("/jupyter", "/jupyter/"), ("/a/b/", "/a/b/")])
def test_a_path_begins_and_ends_with_a_slash(given: str, path: str) -> None:
    """As JupyterHub has it."""
    assert settings(hub={"base_url": given}).hub.base_url == path


@pytest.mark.parametrize("given", ["jupyter", "/a b/", "//a", "/a?b", "https://x/"])
def test_what_is_no_path_is_refused(given: str) -> None:
    """It is in addresses, and in the proxy's configuration."""
    with pytest.raises(ValueError, match="is no path, such as /jupyter/"):
        settings(hub={"base_url": given})


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"speaks": "http"}, "is for the addresses of a reverse proxy in front"),
        ({"behind": ["10.1.2.3"], "separate": False}, "needs proxy.separate = true"),
        ({"behind": ["10.1.2.3"], "speaks": "http", "http_port": 0}, "may not be 0"),
        ({"behind": ["0.0.0.0/0"]}, "is no reverse proxy's address"),
        ({"behind": ["127.0.0.1"]}, "is no reverse proxy's address"),
        ({"behind": ["proxy.example.org"]}, "is not an IPv4 subnet"),
    ],
)
def test_a_proxy_in_front_is_named_by_its_addresses(table: dict[str, Any], wrong: str) -> None:
    """Neither everybody's nor none."""
    with pytest.raises(ValueError, match=wrong):
        settings(proxy=table, certs={})


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"subnet": "10.20.0.0"}, "'10.20.0.0' has 1 addresses; name a subnet of /8 to /29"),
        ({"subnet": "10.20.0.1/32"}, "has 1 addresses"),
        ({"subnet": "0.0.0.0/0"}, "name a subnet of /8 to /29"),
        ({"proxy_subnet": "10.20.0.0/31"}, "has 2 addresses"),
        ({"subnet": "127.0.0.0/8"}, "has addresses that no container can have"),
        ({"subnet": "169.254.0.0/16"}, "has addresses that no container can have"),
        ({"pool": "224.0.0.0/8"}, "has addresses that no container can have"),
        ({"subnet": "fd00::/64"}, "'fd00::/64' is not an IPv4 subnet, such as 10.20.0.0/16: it is an IPv6 one"),
        ({"subnet": "10.20.0.5/16"}, "has host bits set"),
        ({"pool": "10.20.0.0/28"}, "has no room for one network of Docker's, a /24"),
        ({"subnet": "10.20.0.0/16", "proxy_subnet": "10.20.1.0/28"}, "overlaps network.subnet, 10.20.0.0/16"),
        ({"options": {"com.docker.network.driver.mtu": "14OO"}}, "'14OO' is no number of bytes"),
        ({"options": {"com.docker.network.driver.mtu": "68"}}, "'68' is no number of bytes"),
    ],
)
def test_what_no_network_can_be_made_of_is_refused(table: dict[str, Any], wrong: str) -> None:
    """Before Docker refuses it, in the middle of a deploy, or makes a network without room for a server."""
    with pytest.raises(ValueError, match=re.escape(wrong)):
        settings(network=table)


def test_a_subnet_may_be_a_part_of_the_pool() -> None:
    """Docker chooses from the rest."""
    given = settings(network={"subnet": "10.20.0.0/255.255.0.0", "proxy_subnet": "10.21.0.0/29", "pool": "10.0.0.0/8"})
    assert (given.network.subnet, given.network.proxy_subnet) == ("10.20.0.0/16", "10.21.0.0/29")


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"notebook": {"memory_guarantee": "8G", "memory_limit": "2G"}}, "notebook.memory_guarantee"),
        ({"notebook": {"cpu_guarantee": 2, "cpu_limit": 0.5}}, "notebook.cpu_guarantee"),
        (
            {"notebook": {"memory_guarantee": "2G"}, "profiles": [{"name": "a"}, {"name": "b", "memory_limit": "1G"}]},
            "profiles.1.memory_guarantee",
        ),
    ],
)
def test_no_server_is_guaranteed_more_than_it_may_use(given: dict[str, Any], key: str) -> None:
    """Nodes would keep for it what it cannot have; a profile has what [notebook] says, too."""
    with pytest.raises(ValidationError) as refused:
        settings(**given)
    assert [".".join(map(str, one["ctx"]["at"])) for one in refused.value.errors()] == [key]
