"""`fab smoke`, and a deploy that ends with it."""

from collections.abc import Sequence

import pytest

from swarmhub.certificate import health
from swarmhub.run import task
from swarmhub.run.run import Run
from swarmhub.smoke import proof
from tests.unit.support.cluster import Type
from tests.unit.support.fakes import MANAGER, WORKER1, WORKER2

Tried = list[tuple[tuple[str, ...], str]]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Tried:
    """Return which hosts were tried with which profile, in a cluster whose hub is well."""
    tried: Tried = []

    def prove(run: Run, targets: Sequence[str], profile: str = "") -> None:
        tried.append((tuple(targets), profile))

    monkeypatch.setattr(proof, "prove", prove)
    monkeypatch.setattr(health, "check", lambda *_: None)
    return tried


@pytest.mark.parametrize(("named", "wanted"), [((), (MANAGER, WORKER1, WORKER2)), ((WORKER2,), (WORKER2,))])
def test_all_nodes_or_the_named_ones_are_tried(
    type_: Type, tried: Tried, named: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    """-H names nodes; the run leaves no entry in the history, which tells of changes."""
    type_("smoke", *named, profile="GPU")
    assert tried == [(wanted, "GPU")]
    assert not task._current[0].journal.leaves_entry


@pytest.mark.parametrize(("wanted", "times"), [(True, 1), (False, 0)])
def test_a_deploy_ends_with_it_on_demand(type_: Type, tried: Tried, wanted: bool, times: int) -> None:
    """Every node is tried, whatever manager -H names, and the deploy keeps its entry."""
    type_("deploy", MANAGER, smoke=wanted)
    assert tried == [((MANAGER, WORKER1, WORKER2), "")] * times
    assert task._current[0].journal.leaves_entry
