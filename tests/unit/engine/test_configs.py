"""Small facts that are kept on the cluster, as Swarm configs."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from swarmhub.engine import configs
from swarmhub.host import EngineError
from tests.unit.support.fakes import FakeHost, Request


@pytest.fixture
def host() -> FakeHost:
    """Return a manager that keeps its Swarm configs."""
    return FakeHost()


def test_a_record_is_read_as_it_was_made(host: FakeHost) -> None:
    """JSON goes in, in base64 as the API takes it, and comes out, letters of every language too."""
    data = {"who": "Žofie", "parts": [1, None]}
    configs.create(host, "one", {"kind": "x"}, data)
    assert json.loads(base64.b64decode(host.engine.sent("POST /configs/create").body["Data"])) == data
    (record,) = configs.listed(host, "kind")
    assert (record.name, record.labels, record.data) == ("one", {"kind": "x"}, data)


def test_a_record_that_is_made_has_the_id_that_it_is_found_by(host: FakeHost) -> None:
    """Its id is what it is removed by later."""
    id_ = configs.create(host, "one", {"kind": "x"}, {})
    assert [record.id for record in configs.listed(host, "kind=x")] == [id_]


def test_records_are_listed_by_label_and_in_the_order_of_their_names(host: FakeHost) -> None:
    """Only those with the label; engines list them in no order."""
    for name, kind in (("b", "x"), ("c", "y"), ("a", "x")):
        configs.create(host, name, {"kind": kind}, {})
    assert [record.name for record in configs.listed(host, "kind=x")] == ["a", "b"]


def test_labels_can_be_changed(host: FakeHost) -> None:
    """Its data stay; its labels are the new ones only."""
    id_ = configs.create(host, "one", {"kind": "x", "old": "1"}, {"a": 1})
    configs.relabel(host, id_, {"kind": "x", "new": "2"})
    (record,) = configs.listed(host, "kind")
    assert (record.labels, record.data) == ({"kind": "x", "new": "2"}, {"a": 1})


def test_a_change_that_somebody_else_was_faster_with_is_refused(host: FakeHost) -> None:
    """It is made on the version that was read."""
    id_ = configs.create(host, "one", {"kind": "x"}, {})

    def late(request: Request) -> Any:
        host.engine.configs.kept[id_]["Version"]["Index"] += 1
        return host.engine.configs.answer(request)

    host.engine.answers[f"POST /configs/{id_}/update"] = late
    with pytest.raises(EngineError, match="update out of sequence"):
        configs.relabel(host, id_, {"kind": "y"})


def test_fields_that_this_version_does_not_know_are_left_out() -> None:
    """A newer version may have written more."""

    @dataclass
    class Thing:
        a: int
        b: int = 2

    assert configs.known(Thing, {"a": 1, "c": 3}) == {"a": 1}
