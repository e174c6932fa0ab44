"""No home and no folder is the hub's own, another's, the node's, or below what somebody may write, whoever somebody is."""

from typing import Any

import pytest

from swarmhub.settings.schema.clashes.volumes import apart, taken


def folder(name: str, **more: str) -> dict[str, object]:
    """Return the tables with one shared folder."""
    return {"folders": [{"name": name, "mount": "/shared", **more}]}


@pytest.mark.parametrize(
    ("data", "key", "volume"),
    [
        (folder("jupyterhub-data"), ("folders", 0, "name"), "jupyterhub-data"),
        (folder("jupyterhub-{username}"), ("folders", 0, "name"), "jupyterhub-engine"),
        (folder("{username}-{profile}"), ("folders", 0, "name"), "jupyterhub-data"),
        ({"volume": {"name": "jupyterhub-home-data"}}, ("home", "name"), "jupyterhub-home-data"),
        ({"home": {"name": "jupyterhub-{username}"}}, ("home", "name"), "jupyterhub-data"),
        (folder("jupyterhub_drill"), ("folders", 0, "name"), "jupyterhub_drill"),
        ({"hub": {"service": "lab"}} | folder("lab-{username}"), ("folders", 0, "name"), "lab-engine"),
    ],
)
def test_a_template_that_can_be_the_hubs_volume_is_refused(
    data: dict[str, object], key: tuple[object, ...], volume: str
) -> None:
    """A user called data would have the hub's database mounted, with the plain socket."""
    assert (key, volume) in [(at, wrong.split("'")[3]) for at, wrong in taken(data) if "hub's own" in wrong]


@pytest.mark.parametrize(
    "data",
    [
        {},
        folder("course-{username}"),
        folder("jupyterhub-folder-{username}"),
        {"home": {"name": "jupyterhub-user-{username}"}},
        folder("jupyterhub-data", type="nfs", server="nas", path="/export"),
        {"folders": "wrong", "hub": 3},
    ],
    ids=[
        "nothing",
        "another name",
        "as long as it differs",
        "homes from before",
        "no volume of that name",
        "what others complain about",
    ],
)
def test_all_else_is_taken(data: dict[str, object]) -> None:
    """The defaults, and what cannot meet."""
    assert list(taken(data)) == []


def home(**table: Any) -> dict[str, Any]:
    """Return the tables with such homes."""
    return {"home": {"type": "path", "path": "/srv/homes", **table}}


def keys(data: dict[str, Any]) -> set[str]:
    """Return the keys that are refused."""
    return {".".join(map(str, key)) for key, _ in taken(data)}


@pytest.mark.parametrize(
    ("kind", "name", "refused"),
    [
        ("volume", "{username}", False),
        ("volume", "{username}-{servername}", False),
        ("volume", "{username}_{profile}", False),
        ("volume", "{username}{servername}", True),
        ("volume", "{username}x{servername}", True),
        ("volume", "{servername}", True),
        ("volume", "everybody", True),
        ("path", "{username}", False),
        ("path", "home-{username}.d", False),
        ("path", "{username}-{servername}", True),
        ("path", "{username}_{servername}", False),
        ("path", "{username}.{servername}_{profile}", False),
        ("path", "{username}_{servername}{profile}", True),
        ("nfs", "{username}{profile}", True),
        ("cifs", "{servername}", True),
    ],
)
def test_a_template_tells_people_apart(kind: str, name: str, refused: bool) -> None:
    """By the parts that it has; that of a home has the user."""
    data = {"home": {"name": name}} if kind == "volume" else home(type=kind, name=name, server="files")
    assert keys(data) == ({"home.name"} if refused else set())
    assert keys({"home": {**data["home"], "keep": False}}) == set()


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("{username}", True),
        ("{profile}-x", True),
        ("jupyterhub-home-shared", True),
        ("jupyterhub-home-{profile}", True),
        ("jupyterhub-{username}", True),
        ("course", False),
        ("work-{username}", False),
        ("jupyterhub_backups", True),
    ],
)
def test_a_folders_volume_is_nobodys_home_and_no_other_volume(name: str, refused: bool) -> None:
    """Nor that of another program, whose name a user may take."""
    assert keys(folder(name)) == ({"folders.0.name"} if refused else set())


def paths(*tables: dict[str, Any], **at_home: Any) -> dict[str, Any]:
    """Return the tables with homes on a path, and folders."""
    return {**home(**at_home), "folders": [{"type": "path", "mount": "/x", **one} for one in tables]}


OPEN: dict[str, Any] = {"read_only": False}


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (paths({"path": "/srv/course"}), set()),
        (paths({"path": "/srv", **OPEN}), {"home.path"}),
        (paths({"path": "/srv//homes/", **OPEN}), {"home.path"}),
        (paths({"path": "/srv", "name": "homes", **OPEN}), {"home.path"}),
        (paths({"path": "/srv/homes"}), {"folders.0.path"}),
        (paths({"path": "/srv"}), {"folders.0.path"}),
        (paths({"path": "/srv/homes", "groups": ["staff"]}), set()),
        (paths({"path": "/srv/homes", "name": "{username}", "groups": ["staff"]}), {"folders.0.path"}),
        (paths({"path": "/srv/homes/ada"}), {"folders.0.path"}),
        (paths({"path": "//srv/homes", "name": "shared"}), {"folders.0.path"}),
        (paths({"path": "/srv/homes/ada/course"}), {"folders.0.path"}),
        (paths({"path": "/srv/homes", "name": "{profile}"}), {"home.path", "folders.0.path"} - {"home.path"}),
        (paths({"path": "/mnt/a", **OPEN}, {"path": "/mnt/a/b"}), {"folders.1.path"}),
        (paths({"path": "/mnt/a", **OPEN}, {"path": "/mnt/a", "name": "{username}"}), {"folders.1.path"}),
        (paths({"path": "/mnt/a"}, {"path": "/mnt/a/b", **OPEN}), set()),
        (paths({"path": "/mnt/a", **OPEN}, {"path": "/mnt/ab", **OPEN}), set()),
        (paths({"path": "/mnt/a"}, {"path": "/mnt/a", **OPEN}), set()),
        (paths({"path": "/mnt/a", "name": "{username}", **OPEN}, {"path": "/mnt/a/b/c"}), {"folders.1.path"}),
        (paths({"path": "/srv", "type": "nfs", "server": "files", **OPEN}), set()),
        (paths({"path": "/srv", "type": "nfs", "server": "files", **OPEN}, type="nfs", server="files"), {"home.path"}),
        (paths({"path": "/srv", **OPEN}, keep=False), set()),
    ],
)
def test_nothing_is_mounted_from_below_what_people_write(data: dict[str, Any], refused: set[str]) -> None:
    """A link that somebody puts there would lead the engine to any folder of the node; names are not told from others."""
    found = keys(data)
    assert refused <= found <= refused | {"home.path"}
    assert bool(found) == bool(refused)


@pytest.mark.parametrize(
    ("repository", "refused"),
    [
        ("/srv/homes", True),
        ("/srv/homes/backup", True),
        ("/srv//homes/./ada/backup", True),
        ("/mnt/course/backup", True),
        ("/srv/homes-backup", False),
        ("/srv", False),
        ("/mnt/backup", False),
        ("sftp:nas:/srv/homes/backup", False),
    ],
)
def test_backups_are_in_nothing_that_people_get(repository: str, refused: bool) -> None:
    """Somebody called backup would have them as a home; and they would be saved into themselves."""
    found = keys(paths({"path": "/mnt/course"}) | {"backup": {"repository": repository}})
    assert found == ({"backup.repository"} if refused else set())
    assert keys({"home": {"type": "nfs", "server": "nas", "path": "/srv"}, "backup": {"repository": "/srv/backup"}}) == set()


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"type": "none", "o": "bind", "device": "/srv/homes/ada"}, {"folders.0.path"}),
        ({"o": "rw,rbind", "device": "/srv/other"}, set()),
        ({"type": "none", "o": "bind", "device": "/etc"}, {"folders.0.path"}),
        ({"type": "none", "o": "bind", "device": "/srv/../etc"}, {"folders.0.path"}),
        ({"type": "none", "o": "bind", "device": "/srv/./homes//ada"}, {"folders.0.path"}),
        ({"type": "tmpfs", "device": "tmpfs"}, set()),
    ],
)
def test_a_volume_that_is_a_path_counts_as_one(options: dict[str, str], refused: set[str]) -> None:
    """A driver's options may name a folder of the node."""
    folder = {"name": "x", "options": options, "mount": "/x", **OPEN}
    assert keys({**home(), "folders": [folder]}) == refused


@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({"type": "nfs", "o": "addr=files,rw", "device": ":/srv"}, {"type": "nfs", "server": "files"}),
        ({"type": "nfs4", "o": "rw", "device": "files:/srv"}, {"type": "nfs", "server": "files"}),
        ({"type": "cifs", "o": "guest", "device": "//files/srv"}, {"type": "cifs", "server": "files"}),
    ],
)
def test_a_volume_of_a_file_server_counts_as_that(options: dict[str, str], at: dict[str, str]) -> None:
    """By the options of its driver; another server's folder is another one."""
    folder = {"name": "x", "options": options, "mount": "/x", **OPEN}
    assert keys({**home(**at), "folders": [folder]}) == {"home.path"}
    assert keys({**home(**at | {"server": "others"}), "folders": [folder]}) == set()


@pytest.mark.parametrize(
    ("path", "read", "written"),
    [
        ("/", True, True),
        ("/etc/jupyter", False, True),
        ("/var/lib", True, True),
        ("/var/run/docker.sock", True, True),
        ("//run", True, True),
        ("/usr", False, True),
        ("/srv/etc", False, False),
        ("/var/homes", False, False),
        ("/runs", False, False),
    ],
)
def test_the_nodes_own_folders_are_no_ones(path: str, read: bool, written: bool) -> None:
    """Who writes there is root on the node, and so is who reads its engine's socket."""
    for is_refused, more in ((read, {}), (written, OPEN)):
        data = {"folders": [{"type": "path", "path": path, "mount": "/x", **more}]}
        assert keys(data) == ({"folders.0.path"} if is_refused else set())
    assert ("home.path" in keys(home(path=path))) == written


def on(workers: int, **tables: Any) -> list[str]:
    """Return what is wrong with a shared folder on a local volume, on so many workers and a manager."""
    hosts = {"managers": ["m"], "workers": [f"w{number}" for number in range(workers)]}
    return [wrong for _, wrong in apart({"hosts": hosts, **folder("team"), **tables})]


def test_a_folder_that_each_node_has_for_itself_is_refused() -> None:
    """Unless somebody has said that it is meant so, servers run on one node only, or all nodes reach it."""
    (wrong,) = on(2)
    assert wrong.startswith("a volume of the driver 'local' is another, empty one on each of the 3 nodes; use type = 'path'")
    assert on(0) == []
    assert on(1, notebook={"nodes": "workers"}) == []
    assert on(2, folders=[{"name": "team", "mount": "/x", "per_node": True}]) == []
    assert on(2, folders=[{"name": "team", "mount": "/x", "driver": "glusterfs"}]) == []
    assert on(2, folders=[{"name": "team", "mount": "/x", "options": {"type": "nfs", "device": ":/x"}}]) == []
    assert on(2, folders=[{"type": "path", "path": "/x", "mount": "/x"}]) == []


def test_a_folder_of_ones_own_may_be_where_the_home_is() -> None:
    """Who has a home on a node returns to it; with homes that are everywhere, they come to any."""
    own = folder("work-{username}")
    assert on(2, **own) == []
    assert len(on(2, **own, home={"type": "path", "path": "/mnt/homes"})) == 1
    assert len(on(2, **own, home={"keep": False})) == 1
