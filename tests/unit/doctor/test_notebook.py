"""The notebook image on every node."""

import pytest

from swarmhub.doctor import notebook
from swarmhub.images import Held
from tests.unit.fakes import MANAGER, NOTEBOOK, FakeHost

ONE, OTHER = Held("sha256:1", frozenset({"sha256:d1"})), Held("sha256:2", frozenset())


@pytest.mark.parametrize(
    ("held", "levels"),
    [
        ({"a": ONE, "b": ONE}, ["ok", "ok"]),
        ({"a": ONE, "b": None}, ["ok", "failure"]),
        ({"a": ONE, "b": OTHER}, ["ok", "failure"]),
        ({"a": None, "b": None}, ["warning"]),
    ],
)
def test_every_node_holds_the_same(held: dict[str, Held | None], levels: list[str]) -> None:
    """Before the first pull nobody has one, which is no failure."""
    assert [one.level for one in notebook.judge(NOTEBOOK, held, MANAGER)] == levels


def test_size_is_what_the_engine_says() -> None:
    """0 where it is not."""
    held = FakeHost(answers={f"GET /images/{NOTEBOOK}/json": {"Size": 5}})
    assert (notebook.size(held.engine, NOTEBOOK), notebook.size(FakeHost().engine, NOTEBOOK)) == (5, 0)
