"""The notebook images on every node."""

import pytest

from swarmhub.doctor.images import notebook
from swarmhub.images.declared import Declared
from swarmhub.images.pull import Held, Holding
from tests.unit.support.fakes import MANAGER, NOTEBOOK, settings

ONE, OTHER = Held("sha256:1", frozenset({"sha256:d1"}), 5), Held("sha256:2", frozenset(), 3)
LABEL = frozenset({"d1"})


@pytest.mark.parametrize(
    ("held", "labels", "levels"),
    [
        ({"a": ONE, "b": ONE}, {}, ["ok", "ok"]),
        ({"a": ONE, "b": ONE}, {"a": LABEL, "b": LABEL}, ["ok", "ok"]),
        ({"a": ONE, "b": ONE}, {"a": LABEL, "b": frozenset()}, ["ok", "warning"]),
        ({"a": ONE, "b": None}, {}, ["ok", "failure"]),
        ({"a": ONE, "b": OTHER}, {}, ["ok", "failure"]),
        ({"a": None, "b": None}, {}, ["warning"]),
    ],
)
def test_every_node_holds_the_same(held: dict[str, Held | None], labels: dict[str, frozenset[str]], levels: list[str]) -> None:
    """Before the first pull nobody has one, which is no failure; a label that is missing keeps servers away."""
    assert [one.level for one in notebook.judge(NOTEBOOK, held, labels, MANAGER)] == levels


@pytest.mark.parametrize(
    ("held", "coming"),
    [
        ({"a": {"x": ONE, "y": OTHER}, "b": {"x": ONE, "y": OTHER}}, {"a": 0, "b": 0}),
        ({"a": {"x": ONE, "y": OTHER}, "b": {"x": None, "y": None}}, {"a": 0, "b": 8}),
        ({"a": {"x": ONE, "y": None}, "b": {"x": None, "y": None}}, {"a": None, "b": None}),
    ],
)
def test_what_is_still_to_come_is_counted(held: dict[str, Holding], coming: dict[str, int | None]) -> None:
    """By what other nodes say of its size, where one holds it."""
    assert notebook.coming(held, held) == coming


@pytest.mark.parametrize(("held", "coming"), [({"x": ONE, "y": OTHER}, 8), ({"x": ONE, "y": None}, None)])
def test_a_host_whose_engine_is_silent_may_lack_all(held: Holding, coming: int | None) -> None:
    """Its disk is judged as if everything were still to come; where nobody knows how much that is, it is said so."""
    assert (notebook.coming(["b"], {"a": held}), notebook.coming(["b"], {})) == ({"b": coming}, {"b": None})


def test_what_people_would_lose_with_an_image_is_a_failure() -> None:
    """Nobody sees it before a server stops."""
    (one,) = notebook.losses(settings(), {NOTEBOOK: Declared(home="/root")}, MANAGER)
    assert (one.check, one.host, one.level) == ("image", MANAGER, "failure")
    assert one.text.startswith(f"{NOTEBOOK} has its home directory at /root")
    assert "home_mount" in one.remedy
