"""Options that JupyterHub takes and that have no effect on a hub like this are told with what to use."""

from pathlib import Path

import pytest

from swarmhub import settings
from swarmhub.errors import SettingsError
from swarmhub.settings import without_effect


def told(folder: Path, conf: str = "", tables: str = "", notebook: str = "", proxy: tuple[str, str] | None = None) -> list[str]:
    """Return what is said of a folder's settings, with these tables and this file of conf.d."""
    file = folder / "hosts.toml"
    file.write_text(f"{file.read_text()}{notebook}\n{tables}".replace(*(proxy or ("", ""))))
    loaded = settings.load(file)
    try:
        without_effect.check(loaded, Path("hosts.toml"), "conf.d", {"10-old.py": conf.encode(), ".keep": b"\0"})
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


OLD = {
    "image": ('c.DockerSpawner.image = "x"', "DockerSpawner.image has no effect: use notebook.image"),
    "choices": ('c.DockerSpawner.allowed_images = ["x"]', "DockerSpawner.allowed_images has no effect: use [[profiles]]"),
    "volumes": ('c.SwarmSpawner.volumes = {"a": "/b"}', "SwarmSpawner.volumes has no effect: use [home] and [[folders]]"),
    "an entry": ('c.DockerSpawner.volumes["a"] = "/b"', "DockerSpawner.volumes has no effect: use [home] and [[folders]]"),
    "a merge": (
        "c.DockerSpawner.extra_host_config.update(x=1)",
        "DockerSpawner.extra_host_config has no effect: use memory_li",
    ),
    "more": ("c.DockerSpawner.links |= {}", "DockerSpawner.links has no effect: use network.name"),
    "a hook": (
        "def hook(spawner):\n    spawner.volumes['a'] = '/b'",
        "spawner.volumes has no effect: use [home] and [[folders]]",
    ),
    "its image": ("async def hook(spawner):\n    spawner.image = 'x'", "spawner.image has no effect: use notebook.image"),
    "the page": ('c.Spawner.default_url = "/tree"', "Spawner.default_url has no effect: use notebook.default_url"),
    "the hub's address": ('c.JupyterHub.hub_ip = "0.0.0.0"', "JupyterHub.hub_ip has no effect: remove it"),
    "a path": ('c.JupyterHub.base_url = "/x/"', "JupyterHub.base_url is swarmhub's own: use hub.base_url"),
    "an address": ('c.JupyterHub.bind_url = "http://:1"', "JupyterHub.bind_url is swarmhub's own: use hub.port, hub.base_url"),
    "a spawner": ('c.JupyterHub.spawner_class = "simple"', "JupyterHub.spawner_class is swarmhub's own: remove it: servers"),
    "a proxy's api": ('c.ConfigurableHTTPProxy.api_url = "x"', "ConfigurableHTTPProxy.api_url has no effect: the proxy is a"),
    "the network": ('c.SwarmSpawner.network_name = "x"', "SwarmSpawner.network_name is swarmhub's own: use network.name"),
    "by a key": ('c.DockerSpawner["volumes"] = {}', "DockerSpawner.volumes has no effect: use [home] and [[folders]]"),
    "by keys": ('c["DockerSpawner"]["volumes"] = {}', "DockerSpawner.volumes has no effect: use [home] and [[folders]]"),
    "with a type": ("c.DockerSpawner.volumes: dict = {}", "DockerSpawner.volumes has no effect: use [home] and [[folders]]"),
    "by a call": ("get_config().DockerSpawner.volumes = {}", "DockerSpawner.volumes has no effect: use [home]"),
    "of a class": ("c.DockerSpawner.update(volumes={})", "DockerSpawner.volumes has no effect: use [home]"),
    "of a table": ('c.DockerSpawner.update({"volumes": {}})', "DockerSpawner.volumes has no effect: use [home]"),
    "mounts": ("c.SwarmSpawner.mounts = []", "SwarmSpawner.mounts has no effect: use [home] and [[folders]]"),
    "an older spawner": ("c.SwarmSpawner.container_spec = {}", "SwarmSpawner.container_spec has no effect: use notebook.image"),
    "its sizes": ("c.SwarmSpawner.resource_spec = {}", "SwarmSpawner.resource_spec has no effect: use memory_limit"),
    "a pull": ('c.DockerSpawner.pull_policy = "always"', "DockerSpawner.pull_policy has no effect: no option: fab deploy"),
    "the proxy": ('c.ConfigurableHTTPProxy.command = ["x"]', "ConfigurableHTTPProxy.command has no effect: the proxy is a"),
}


@pytest.mark.parametrize(("conf", "wrong"), OLD.values(), ids=OLD)
def test_an_option_of_an_old_configuration_is_told_with_its_line(folder: Path, conf: str, wrong: str) -> None:
    """However it is set, by the configuration or by a hook of it."""
    (problem,) = told(folder, f"c = get_config()\n\n{conf}\n", proxy=("separate = false", "separate = true"))
    assert problem.startswith(f"conf.d/10-old.py:{2 + len(conf.splitlines())}: {wrong}")


EXTRAS = {
    "an image": ('container_spec = {"image": "x"}', "image: use notebook.image"),
    "a command": ('container_spec["args"] = ["x"]', "args: use command of [notebook]"),
    "a health check": ("container_spec.update(healthcheck={})", "healthcheck: no option"),
    "another container": ("task_spec = dict(container_spec=1)", "container_spec: use extra_container_spec"),
    "another place": ("task_spec |= {'placement': 1}", "placement: use extra_placement_spec"),
    "a mode": ('endpoint_spec = {"mode": "vip"}', "mode: use network.endpoint_mode"),
    "none": ('container_spec = {"ulimits": 1}', "ulimits: there is no such key; there are mounts, env,"),
    "an image by a key": ('container_spec["image"] = "x"', "image: use notebook.image"),
    "a size": ('resources_spec = {"mem_limit": 1}', "mem_limit: memory_limit is set in [notebook]"),
}


@pytest.mark.parametrize(("conf", "wrong"), EXTRAS.values(), ids=EXTRAS)
def test_what_would_replace_what_the_hub_sets_is_told(folder: Path, conf: str, wrong: str) -> None:
    """In conf.d with its line, in hosts.toml with its key; what is added is no problem."""
    (problem,) = told(folder, f"c = get_config()\nc.SwarmSpawner.extra_{conf}\n", notebook='memory_limit = "1G"')
    assert problem.startswith("conf.d/10-old.py:2: SwarmSpawner.extra_")
    assert f"_spec may not have {wrong}" in problem


def test_what_hosts_toml_adds_is_no_problem(folder: Path) -> None:
    """Mounts, variables and capabilities are added to what every server gets; what replaces is told with its key."""
    spec = '{mounts = ["a:/b"], env = {A = "b"}, cap_add = ["SYS_PTRACE"], image = "x"}'
    (line,) = told(folder, tables=f"[jupyterhub.SwarmSpawner]\nextra_container_spec = {spec}\n")
    assert line.partition(": ")[2].startswith("jupyterhub.SwarmSpawner.extra_container_spec: may not have image: use notebook.")


def test_one_in_hosts_toml_is_told_with_its_key(folder: Path) -> None:
    """All of them at once."""
    lines = told(folder, tables='[jupyterhub.DockerSpawner]\nimage = "x"\n\n[jupyterhub.Spawner]\nstart_timeout = 600\n')
    assert [line.partition(": ")[2] for line in lines] == [
        "jupyterhub.DockerSpawner.image: has no effect: use notebook.image, or the image of a profile",
        "jupyterhub.Spawner.start_timeout: has no effect: use notebook.start_timeout",
    ]


def test_a_size_counts_where_hosts_toml_has_none(folder: Path) -> None:
    """The two together would hide one of them."""
    assert told(folder, "c.DockerSpawner.mem_limit = '8G'\n") == []
    (line,) = told(folder, "def hook(spawner):\n    spawner.mem_limit = '8G'\n", notebook='memory_limit = "1G"')
    assert line == (
        "conf.d/10-old.py:2: spawner.mem_limit has no effect: notebook.memory_limit is set, which wins; keep one of the two"
    )


@pytest.mark.parametrize(
    "conf",
    [
        "c.Spawner.pre_spawn_hook = print\nc.SwarmSpawner.extra_container_spec = {}\nc.Spawner.args = ['--debug']",
        "def hook(spawner):\n    spawner.environment['A'] = spawner.image\n    print(spawner.volumes)",
        "c.JupyterHub.image = 1\nother.volumes = 2\nc.KubeSpawner.image = 3",
        "c.Spawner.image = [",
    ],
    ids=["what has an effect", "what is read", "other classes", "no Python"],
)
def test_what_has_an_effect_is_no_problem(folder: Path, conf: str) -> None:
    """Unknown classes and mistakes are told by the check that loads the configuration."""
    assert told(folder, conf) == []


def test_a_proxy_in_the_hub_has_its_options(folder: Path) -> None:
    """JupyterHub starts it then."""
    assert told(folder, 'c.ConfigurableHTTPProxy.command = ["x"]') == []


def test_a_spawner_of_ones_own_may_inherit_from_ours(folder: Path) -> None:
    """A class that conf.d makes is for the check in the hub's image to judge, and so is a network that a hook chooses."""
    conf = "c.JupyterHub.spawner_class = Mine\ndef hook(spawner):\n    spawner.network_name = 'x'"
    assert told(folder, conf) == []


@pytest.mark.parametrize("name", ["10-own.PY", "10-own.py.txt", "10-own.Py.TXT"])
def test_a_file_that_is_not_read_for_its_name_is_told(folder: Path, name: str) -> None:
    """As Windows makes such names; what is no configuration, such as a page, is no problem."""
    loaded = settings.load(folder / "hosts.toml")
    with pytest.raises(SettingsError) as error:
        without_effect.check(loaded, Path("hosts.toml"), "conf.d", {name: b"c = 1", "page.html": b"", "README.txt": b""})
    said = f"conf.d/{name}:1: is not read: only names that end in .py are; rename it"
    assert [str(problem) for problem in error.value.problems] == [said]


@pytest.mark.parametrize(
    ("option", "key", "value"),
    [
        ("extra_container_spec", "mounts", "scratch:/scratch"),
        ("extra_container_spec", "env", "A=1"),
        ("extra_container_spec", "cap_add", "CAP_SYS_NICE"),
        ("extra_placement_spec", "constraints", "node.role==worker"),
        ("extra_task_spec", "networks", "storage"),
    ],
)
def test_a_text_that_has_to_be_a_list_is_told(folder: Path, option: str, key: str, value: str) -> None:
    """It would be a list of its letters, and no server would start."""
    (problem,) = told(folder, tables=f'[jupyterhub.SwarmSpawner]\n{option} = {{{key} = "{value}"}}\n')
    assert problem.endswith(f"jupyterhub.SwarmSpawner.{option}.{key}: '{value}' is a text, and has to be a list: [\"{value}\"]")
