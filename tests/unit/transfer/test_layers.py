"""What each node lacks of an image, and in which order nodes pass it on."""

from typing import Any

import pytest

from swarmhub.transfer import layers
from swarmhub.transfer.layers import Image, Part, Store
from tests.unit.support.fakes import WORKER1, FakeHost

IMAGE = Image("sha256:1", ("a", "b", "c"), 30)


def store(*images: Image, in_containerd: bool = False) -> Store:
    """Return what a node keeps."""
    return Store("amd64", in_containerd, images)


def image(*names: str, id_: str = "x") -> Image:
    """Return an image of these layers."""
    return Image(id_, names)


@pytest.mark.parametrize(
    ("held", "missing", "base"),
    [
        ((), ("a", "b", "c"), None),
        ((image("z"),), ("a", "b", "c"), None),
        ((image("a"), image("a", "b", "z", id_="y")), ("c",), "y"),
        ((image("b", "c"),), ("a", "b", "c"), None),
        ((image("a", "b", "c"),), (), "x"),
        ((image("a", "b", "c", "d"),), (), "x"),
        ((image(),), ("a", "b", "c"), None),
    ],
    ids=["nothing", "others", "the longest beginning", "not upon the same", "all", "all and more", "an empty image"],
)
def test_a_node_lacks_what_is_above_the_longest_same_beginning(
    held: tuple[Image, ...], missing: tuple[str, ...], base: str | None
) -> None:
    """A layer upon other ones is another one to an engine."""
    part = layers.part(IMAGE, store(*held))
    assert (part.missing, part.base and part.base.id) == (missing, base)


def test_an_image_is_held_by_its_tag_and_layers() -> None:
    """The same layers by another tag are not the image, nor another image by the tag, be it only by its variables."""
    same = Image("1", IMAGE.layers, tags=frozenset({"own:1"}))
    assert layers.holds(store(same), "own:1", IMAGE)
    assert layers.holds(store(same), "docker.io/library/own:1", IMAGE)
    assert not layers.holds(store(same), "own:2", IMAGE)
    assert not layers.holds(store(Image("1", ("a",), tags=frozenset({"own:1"}))), "own:1", IMAGE)
    found = {"Id": "1", "RootFS": {"Layers": ["sha256:a"]}, "RepoTags": ["own:1"], "Config": {"Env": ["A=1"]}}
    one, other = layers.read(found), layers.read(found | {"Config": {"Env": ["A=2"]}})
    assert (layers.holds(store(one), "own:1", one), layers.holds(store(one), "own:1", other)) == (True, False)


def test_each_node_lacks_all_that_those_behind_it_lack() -> None:
    """So the source sends a layer once, and a node has what the next one asks for."""
    parts = {"few": Part(("c",)), "all": Part(("a", "b", "c")), "none": Part(()), "some": Part(("b", "c"))}
    assert layers.in_order(parts) == ["all", "some", "few", "none"]
    assert (layers.most(parts.values()), layers.most([])) == (("a", "b", "c"), ())


@pytest.mark.parametrize(
    ("status", "in_containerd"),
    [([["driver-type", "io.containerd.snapshotter.v1"]], True), ([["Backing", "xfs"]], False), (None, False)],
)
def test_a_node_says_what_it_keeps_and_where(status: Any, in_containerd: bool) -> None:
    """Each image once, though it is listed by several tags; one that has just gone is left out."""
    found = {
        "Id": "1",
        "RootFS": {"Type": "layers", "Layers": ["sha256:a", "sha256:b"]},
        "Size": 5,
        "RepoTags": ["own:1"],
        "Architecture": "arm64",
    }
    answers = {
        "GET /images/json": [{"Id": "1"}, {"Id": "1"}, {"Id": "gone"}],
        "GET /images/1/json": found,
        "GET /info": {"DriverStatus": status},
        "GET /version": {"Arch": "arm64"},
    }
    expected = Image("1", ("a", "b"), 5, frozenset({"own:1"}), "arm64")
    assert layers.observe(FakeHost(WORKER1, answers)) == Store("arm64", in_containerd, (expected,))


def test_an_image_without_layers_or_tags_is_read() -> None:
    """Engines answer null for what there is none of."""
    assert layers.read({"Id": "1", "RootFS": {"Type": "layers"}, "RepoTags": None}) == Image("1", ())
