"""Where homes and shared folders are in the container: over nothing that is needed there, and not over each other."""

from typing import Any

import pytest

from swarmhub.settings.schema.clashes.targets import covering


def refused(*folders: dict[str, Any], **more: Any) -> dict[str, str]:
    """Return what is refused of folders, by key, with its reason."""
    tables = {"folders": [{"type": "path", "path": f"/mnt/{number}", **one} for number, one in enumerate(folders)], **more}
    return {".".join(map(str, key)): wrong for key, wrong in covering(tables)}


@pytest.mark.parametrize(
    "mount",
    [
        "/",
        "/etc",
        "/etc/",
        "//etc",
        "/usr",
        "/usr/local",
        "/bin",
        "/lib",
        "/opt",
        "/opt/conda",
        "/opt/conda/",
        "/proc",
        "/proc/self",
        "/dev",
        "/dev/shm",
        "/sys/fs",
        "/run",
        "/var",
        "/run/secrets/x",
        "/etc/swarmhub",
        "/etc/swarmhub/x",
        "/tmp",
        "/tmp/jupyter-runtime",
    ],
)
def test_a_folder_hides_nothing_that_a_server_needs(mount: str) -> None:
    """However the path is written; the home's own place neither."""
    assert "would hide /" in refused({"mount": mount})["folders.0.mount"]
    assert "would hide /" in refused(home={"mount": mount})["home.mount"]


@pytest.mark.parametrize(
    "mount",
    [
        "/srv",
        "/srv/course",
        "/mnt",
        "/data",
        "/opt/course",
        "/opt/conda/share/course",
        "/etc/course",
        "/home/jovyan/course",
        "/usr/share/course",
    ],
)
def test_all_else_is_taken(mount: str) -> None:
    """Below the home, too."""
    assert refused({"mount": mount}) == {}


@pytest.mark.parametrize(
    ("mount", "why"),
    [
        ("/home/jovyan", "is the home's own place"),
        ("/home//jovyan/", "is the home's own place"),
        ("/home", "has the home '/home/jovyan' in it"),
    ],
)
def test_a_folder_is_not_over_the_home(mount: str, why: str) -> None:
    """Docker starts no server, or makes the place for the home in the folder that all share."""
    assert why in refused({"mount": mount})["folders.0.mount"]
    assert refused({"mount": mount}, home={"keep": False}) == {}


@pytest.mark.parametrize("table", ["profiles", "overrides"])
def test_the_homes_of_other_images_count(table: str) -> None:
    """Where they are is looked at as that of all."""
    assert refused({"mount": "/home/rstudio"}, **{table: [{"home_mount": "/home/rstudio"}]}).keys() == {"folders.0.mount"}
    assert refused(**{table: [{}, {"home_mount": "/etc"}]}).keys() == {f"{table}.1.home_mount"}


STAFF, COURSE = {"groups": ["staff"]}, {"groups": ["course"]}


@pytest.mark.parametrize(
    ("one", "other", "is_refused"),
    [
        ({}, {}, True),
        ({}, {"mount": "/x/"}, True),
        ({}, STAFF, True),
        (STAFF, STAFF, True),
        (STAFF, COURSE, False),
        ({"profiles": ["Big"]}, {"profiles": ["Small"]}, False),
        ({"profiles": ["Big"]}, STAFF, True),
        ({}, {"mount": "/x/y"}, False),
    ],
)
def test_nobody_gets_two_folders_at_one_place(one: dict[str, Any], other: dict[str, Any], is_refused: bool) -> None:
    """For teachers and students it may be another one."""
    assert bool(refused({"mount": "/x", **one}, {"mount": "/x", **other})) is is_refused


def test_what_others_complain_about_is_no_matter() -> None:
    """Wrong types are theirs."""
    assert refused({"mount": 3}, home=3, profiles=[3, {"home_mount": 3}], overrides="x") == {}
