"""No home and no folder is a volume of the hub's own, whoever somebody is."""

import pytest

from swarmhub.settings.schema.volumes import taken


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
        ({"hub": {"service": "lab"}} | folder("lab-{username}"), ("folders", 0, "name"), "lab-engine"),
    ],
)
def test_a_template_that_can_be_the_hubs_volume_is_refused(
    data: dict[str, object], key: tuple[object, ...], volume: str
) -> None:
    """A user called data would have the hub's database mounted, with the plain socket."""
    assert (key, volume) in [(at, wrong.split("'")[3]) for at, wrong in taken(data)]


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
