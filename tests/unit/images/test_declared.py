"""What an image says of its own files, against where homes and shared folders are."""

from typing import Any

import pytest

from swarmhub.images.declared import Declared, homes_of, judged, read
from tests.unit.support.fakes import NOTEBOOK, settings

OTHER = "quay.io/x/other:1"
STACKS = {"Env": ["PATH=/bin", "HOME=/home/jovyan"], "WorkingDir": "/home/jovyan/", "User": "1000", "Volumes": None}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (STACKS, Declared((), "/home/jovyan", "/home/jovyan")),
        ({"Volumes": {"/b": {}, "/a": {}}, "User": "jovyan:users"}, Declared(("/a", "/b"), "", "")),
        ({"User": ""}, Declared((), "/root", "")),
        ({"User": "0:0", "Env": None}, Declared((), "/root", "")),
        (None, Declared()),
    ],
)
def test_it_is_read_off_the_image(config: Any, said: Declared) -> None:
    """Where a variable does not say the home, only root's is known."""
    assert read({"Config": config}) == said


def told(said: Declared, **given: Any) -> list[str]:
    """Return what people would lose with an image that says this."""
    return [cause for cause, _ in judged(settings(**given), {NOTEBOOK: said}).get(NOTEBOOK, [])]


FOLDER = {"type": "path", "path": "/mnt/x"}


@pytest.mark.parametrize(
    ("volume", "given", "above"),
    [
        ("/home/jovyan/work", {}, "/home/jovyan"),
        ("/home/jovyan/work/", {}, "/home/jovyan"),
        ("/home/jovyan", {}, ""),
        ("/home", {}, ""),
        ("/home/jovyans", {}, ""),
        ("/data", {}, ""),
        ("/home/jovyan/work", {"home": {"keep": False}}, ""),
        ("/home/jovyan/work", {"folders": [{**FOLDER, "mount": "/home/jovyan/work/"}]}, ""),
        ("/srv/x/y", {"folders": [{**FOLDER, "mount": "/srv/x"}]}, "/srv/x"),
    ],
)
def test_a_volume_below_what_is_kept_is_told(volume: str, given: dict[str, Any], above: str) -> None:
    """It hides what is there, and goes with the container; what is mounted at its own place takes its stead."""
    found = told(Declared((volume,)), **given)
    assert [f"below {above}: " in one for one in found] == ([True] if above else [])


@pytest.mark.parametrize(
    ("said", "given", "lost"),
    [
        (Declared(home="/root"), {}, "has its home directory at /root, and the home is at /home/jovyan"),
        (Declared(start="/app"), {}, "has its working directory at /app"),
        (Declared(home="/root", start="/root"), {}, "has its home directory at /root"),
        (Declared(home="/home/jovyan", start="/"), {}, ""),
        (Declared(home="/home/jovyan/", start="/home/jovyan/work"), {}, ""),
        (Declared(home="/home/jovyan"), {"home": {"mount": "/home/jovyan/work"}}, ""),
        (Declared(home="/root"), {"home": {"mount": "/root"}}, ""),
        (Declared(home="/root"), {"folders": [{**FOLDER, "mount": "/root/course"}]}, "has its home directory"),
        (Declared(start="/srv/x/y"), {"folders": [{**FOLDER, "mount": "/srv/x"}]}, ""),
        (Declared(start="/app"), {"jupyterhub": {"Spawner": {"notebook_dir": "/home/jovyan"}}}, ""),
        (Declared(home="/root"), {"home": {"type": "path", "path": "/mnt/h"}, "owners": {"uid_claim": "uid"}}, ""),
    ],
)
def test_a_home_directory_that_is_not_kept_is_told(said: Declared, given: dict[str, Any], lost: str) -> None:
    """And a folder in which JupyterLab opens; not what somebody has chosen so."""
    found = told(said, **given)
    assert len(found) == bool(lost)
    assert all(one.startswith(lost) for one in found)


def test_the_place_of_each_images_home_is_known() -> None:
    """By the profiles and overrides that may meet, in whatever order."""
    chosen = settings(
        profiles=[{"name": "A"}, {"name": "B", "image": OTHER, "home_mount": "/b"}],
        overrides=[
            {"profiles": ["A"], "image": OTHER},
            {"groups": ["x"], "profiles": ["B"], "home_mount": "/x"},
            {"users": ["ada"], "image": "quay.io/x/third:1"},
        ],
    )
    assert homes_of(chosen, NOTEBOOK) == ("/home/jovyan",)
    assert homes_of(chosen, OTHER) == ("/home/jovyan", "/b", "/x")
    assert homes_of(chosen, "quay.io/x/third:1") == ("/home/jovyan", "/b", "/x")
    assert homes_of(settings(), NOTEBOOK) == ("/home/jovyan",)


def test_a_profile_that_says_the_place_is_told_nothing() -> None:
    """Its image has the home where the profile has it; the other image has not."""
    profiles = [{"name": "A"}, {"name": "R", "image": OTHER, "home_mount": "/home/rstudio"}]
    said = Declared(home="/home/rstudio", start="/home/rstudio")
    assert judged(settings(profiles=profiles), {OTHER: said}) == {}
    assert judged(settings(profiles=profiles), {NOTEBOOK: said}).keys() == {NOTEBOOK}
