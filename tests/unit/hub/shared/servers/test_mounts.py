"""The mounts of a server: its home, by the kind of storage, and shared folders."""

from typing import Any

import pytest
from dockerspawner import DockerSpawner

from hub.shared.people.names import Names
from hub.shared.servers import mounts
from hub.shared.servers.mounts import Home
from tests.unit.hub.asked import tables

ADA = Names("ada-l", profile="Big")


def home(names: Names = ADA, **table: Any) -> Home | None:
    """Return the home by such a [home]."""
    return mounts.home(tables(home=table), "jupyterhub", names)


def made(names: Names = ADA, **table: Any) -> Home:
    """Return the home, which there is."""
    found = home(names, **table)
    assert found is not None
    return found


def test_a_home_is_a_volume_on_a_node() -> None:
    """By default a named volume of the node, that says whose it is; none is kept where none is wanted."""
    assert made() == Home(
        {
            "Type": "volume",
            "Source": "jupyterhub-home-ada-2dl",
            "Target": "/home/jovyan",
            "VolumeOptions": {
                "DriverConfig": {"Name": "local", "Options": {}},
                "Labels": {"swarmhub.home": "jupyterhub", "swarmhub.user": "ada-l"},
            },
        },
        record="jupyterhub-home-ada-2dl",
    )
    # The engine's local driver makes an XFS project quota of it.
    assert made(quota="5G").mount["VolumeOptions"]["DriverConfig"]["Options"] == {"size": str(5 * 2**30)}
    assert home(keep=False) is None


@pytest.mark.parametrize(
    "table",
    [{"driver": "rexray"}, {"options": {"device": ":/x", "type": "nfs"}}],
    ids=["a plugin", "a device of the local driver's"],
)
def test_a_volume_that_every_node_reaches_ties_nobody_to_one(table: dict[str, Any]) -> None:
    """A plugin's volume and one on a device are where the user is."""
    assert made(**table).record == ""


def test_a_home_on_a_path_is_a_folder_of_it() -> None:
    """The user's name stays as it is; the hub makes the folder."""
    assert made(type="path", path="/mnt/homes/") == Home(
        {"Type": "bind", "Source": "/mnt/homes/ada-l", "Target": "/home/jovyan"}, folder="ada-l"
    )


def test_a_home_on_nfs_is_mounted_by_the_engine() -> None:
    """A volume of the local driver, with the server's address among the mount options; nothing is copied into it."""
    found = made(type="nfs", server="files.example.org", path="/export", mount_options="nfsvers=4.2,soft")
    assert found.folder == "ada-l"
    assert found.mount["VolumeOptions"] == {
        "NoCopy": True,
        "DriverConfig": {
            "Name": "local",
            "Options": {"type": "nfs", "device": ":/export/ada-l", "o": "addr=files.example.org,nfsvers=4.2,soft"},
        },
    }


def test_a_home_on_cifs_names_the_share() -> None:
    """The kernel wants //server/share."""
    found = made(type="cifs", server="files.example.org", path="/homes", mount_options="sec=krb5")
    assert found.mount["VolumeOptions"]["DriverConfig"]["Options"] == {
        "type": "cifs",
        "device": "//files.example.org/homes/ada-l",
        "o": "addr=files.example.org,sec=krb5",
    }


def test_another_server_is_another_volume() -> None:
    """An engine takes a volume that has the name, whatever options it was made with."""
    first, second = (made(type="nfs", server=server, path="/x").mount["Source"] for server in ("a.example", "b.example"))
    assert (first != second, first.startswith("jupyterhub-home-ada-2dl-")) == (True, True)


@pytest.mark.parametrize(
    ("name", "volume", "folder"),
    [
        ("{username}", "jupyterhub-home-ada-2dl", "ada-l"),
        ("{username}-{servername}", "jupyterhub-home-ada-2dl-lab", "ada-l-lab"),
        ("{profile}.{username}", "jupyterhub-home--42ig.ada-2dl", "Big.ada-l"),
        ("all", "all", "all"),
        ("jupyterhub-user-{username}", "jupyterhub-user-ada-2dl", "jupyterhub-user-ada-l"),
    ],
)
def test_a_name_is_filled_in(name: str, volume: str, folder: str) -> None:
    """By user, server and profile."""
    names = Names("ada-l", "lab", "Big")
    assert (made(names, name=name).mount["Source"], made(names, name=name, type="path", path="/h").folder) == (volume, folder)


WHOLE = "jupyterhub-user-{username}"


@pytest.mark.parametrize("user", ["ada", "a.b", "user@example.org", "Ada", "a-b_c", "josé", "x" * 80])
def test_a_whole_name_is_the_one_that_dockerspawner_has_made(user: str) -> None:
    """Its own escaping, since 12.0; a name that begins with text is whole, however long it is."""
    found = made(Names(user), name=WHOLE)
    assert found.mount["Source"] == WHOLE.format(username=DockerSpawner._escape(user))
    assert found.record == mounts.formerly(found.mount["Source"])


@pytest.mark.parametrize(("name", "begins"), [("{username}", "hub-home-"), (WHOLE, "jupyterhub-user-"), ("x" * 60, "x" * 42)])
def test_names_of_homes_begin_alike(name: str, begins: str) -> None:
    """Those of records, too, which end in a hash where the volume's name is too long for Swarm."""
    assert mounts.beginning(name, "hub") == begins
    assert made(Names("y" * 80), name=name).record.startswith(mounts.beginning(name, "jupyterhub"))


def test_a_long_name_ends_in_a_hash() -> None:
    """Swarm takes 63 letters; two long names stay two."""
    first, second = (mounts.short("x" * 70 + end) for end in "ab")
    assert (len(first), first[:42], first != second) == (63, "x" * 42, True)


def test_a_home_that_could_be_anothers_is_found_by_its_former_name() -> None:
    """Where a record tells whose it is."""
    name = "{username}-{servername}"
    first, second = (made(names, name=name) for names in (Names("a", "2e."), Names("a.", "2e")))
    assert (first.mount["Source"] == second.mount["Source"], first.record == second.record) == (False, False)
    assert first.former
    assert second.former
    assert first.former.record == second.former.record == "jupyterhub-home-a-2e-2e"
    assert made(Names("a", "lab"), name=name).former is None


@pytest.mark.parametrize(
    ("table", "source"),
    [({}, None), ({"keep": False, "type": "path", "path": "/h"}, None), ({"type": "path", "path": "/mnt/homes"}, "/mnt/homes")],
    ids=["volumes", "none kept", "a path"],
)
def test_the_hub_reaches_what_it_makes_folders_in(table: dict[str, Any], source: str | None) -> None:
    """Only where homes are folders."""
    found = mounts.above_homes(tables(home=table)["home"], "jupyterhub")
    assert (found and (found["Source"], found["Target"])) == (source and (source, mounts.HOMES))


def test_the_hub_mounts_the_export_above_the_homes() -> None:
    """With the same options as the homes below it."""
    found = mounts.above_homes(tables(home={"type": "nfs", "server": "f.example", "path": "/export"})["home"], "jupyterhub")
    assert found is not None
    assert found["VolumeOptions"]["DriverConfig"]["Options"]["device"] == ":/export"


FOLDERS: list[dict[str, Any]] = [
    {"mount": "/srv/course", "type": "path", "path": "/mnt/course"},
    {"mount": "/srv/shared", "type": "path", "path": "/mnt", "name": "shared", "read_only": False, "groups": ["staff"]},
    {"mount": "/srv/data", "name": "data", "driver": "rexray", "profiles": ["Big"]},
]


@pytest.mark.parametrize(
    ("groups", "profile", "sources"),
    [
        ([], "", [("/mnt/course", True)]),
        (["staff"], "", [("/mnt/course", True), ("/mnt/shared", False)]),
        ([], "Big", [("/mnt/course", True), ("data", True)]),
    ],
)
def test_folders_are_for_groups_and_profiles(groups: list[str], profile: str, sources: list[tuple[str, bool]]) -> None:
    """Read-only unless they say otherwise."""
    given = tables(folders=FOLDERS, profiles=[{"name": "Big"}])
    found = mounts.folders(given, "jupyterhub", Names("ada", profile=profile), groups)
    assert [(one["Source"], one["ReadOnly"]) for one in found] == sources


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("plain", "plain"),
        ("{name}", "{name}"),
        ("a{{b}}", 'a{{"{{"}}b}}'),
        ("{{{{", '{{"{{"}}{{"{{"}}'),
        ("{{{", '{{"{{"}}{'),
        ('{{"{{"}}', '{{"{{"}}"{{"{{"}}"}}'),
    ],
)
def test_what_swarm_would_expand_stays_as_it_is(text: str, sent: str) -> None:
    """Go writes out the text that a template quotes; in tables it is the same."""
    assert (mounts.literal(text), mounts.literal({"a": {"b": text}, "c": 1})) == (sent, {"a": {"b": sent}, "c": 1})
    assert (mounts.is_literal(sent), mounts.is_literal("{{.Node.Hostname}}")) == (True, False)


def test_what_is_mounted_from_a_marked_folder_comes_with_the_marker() -> None:
    """An engine that does not find it starts nothing; nothing of a volume or of a file server that engines mount has one."""
    one = {"name": "x", "mount": "/a", "type": "path", "path": "/mnt/x/", "read_only": True}
    found = mounts.home({"home": {**one, "keep": True, "marked": True, "name": "{username}"}}, "jupyterhub", ADA)
    (marker, folder), (bare,) = (mounts.folders({"folders": [one | more]}, "hub", ADA, ()) for more in ({"marked": True}, {}))
    assert (marker["Type"], marker["Source"], marker["ReadOnly"]) == ("bind", "/mnt/x/.swarmhub", True)
    assert folder == bare
    assert found is not None
    assert found.mounts == (marker, found.mount)
