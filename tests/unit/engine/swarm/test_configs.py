"""Small facts that are kept on the cluster, as Swarm configs."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from swarmhub.engine.swarm import configs
from swarmhub.engine.swarm.configs import StoredFile
from swarmhub.host import EngineError
from swarmhub.plan.plans import Change
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, Request


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


LABELS = {"swarmhub.service": "hub"}


def service(content: str, path: str = "/srv/file.json") -> dict[str, Any]:
    """Return the spec of a service with a file."""
    return {"TaskTemplate": {"ContainerSpec": {"Configs": [configs.reference(path, "hub-file", content)]}}}


def making(spec: dict[str, Any], host: FakeHost) -> Change:
    """Return what makes the file of a spec."""
    (change,) = configs.missing(spec, configs.files(host), LABELS, MANAGER)
    return change


def test_a_file_is_named_by_its_content(host: FakeHost) -> None:
    """The same one is made once; an engine that lists it tells whose it is, where it goes, and what is in it."""
    spec = service("{}")
    (name,) = configs.ensure(host, spec, LABELS)
    assert configs.ensure(host, spec, LABELS) == {name: "c1"}
    assert configs.files(host, "swarmhub.service=hub") == {name: StoredFile("c1", "/srv/file.json", "{}")}
    assert configs.files(host, "swarmhub.service=other") == {}
    assert (name.startswith("hub-file-"), name in configs.ensure(host, service("[]"), LABELS)) == (True, False)


@pytest.mark.parametrize(
    ("found", "is_kept"),
    [("{}", True), ("[]", False), (None, False)],
    ids=["the same content", "another content", "no service"],
)
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_a_file_of_an_earlier_release_keeps_its_config(
    found: str | None, is_kept: bool, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name ends in fewer digits of its content's hash; nothing is replaced for that, known or not what is in it."""
    with monkeypatch.context() as earlier:
        earlier.setattr(configs, "DIGITS", configs.FORMER_DIGITS)
        before = service(found) if found else None
    there = before if is_known or before is None else configs.bare(before)
    kept = configs.keeping(service("{}"), there)
    assert kept == (before if is_kept else service("{}"))


def test_a_name_that_another_content_has_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two contents may share the fewer digits."""
    with monkeypatch.context() as earlier:
        earlier.setattr(configs, "DIGITS", configs.FORMER_DIGITS)
        before = service("{}")
    configs.references(before)[0]["Data"] = "[]"
    assert configs.keeping(service("{}"), before) == service("{}")


def test_what_is_sent_has_no_content_and_what_was_found_gets_it_back(host: FakeHost) -> None:
    """An engine keeps the content in the config only."""
    spec = service("{}")
    configs.ensure(host, spec, LABELS)
    assert "Data" not in str(configs.bare(spec))
    assert configs.filled(configs.bare(spec), configs.files(host)) == spec
    assert configs.content(configs.bare(spec), "/srv/file.json") == ""


def test_a_file_of_which_nothing_came_is_taken_back(host: FakeHost) -> None:
    """The deploy that failed leaves no trace; one that a service uses by now stays."""
    change = making(service("{}"), host)
    change.apply(host, FakeProgress())
    assert (configs.missing(service("{}"), configs.files(host), LABELS, MANAGER), change.undo is not None) == ([], True)
    assert change.undo is not None
    host.engine.answers["DELETE /configs/c1"] = EngineError(MANAGER, 400, "config is in use by the following service: hub")
    change.undo(host, FakeProgress())
    assert len(configs.files(host)) == 1
    del host.engine.answers["DELETE /configs/c1"]
    change.undo(host, FakeProgress())
    assert configs.files(host) == {}


def test_somebody_who_makes_the_same_file_meanwhile_does_no_harm(host: FakeHost) -> None:
    """It has the same content, by its name; another error is one."""
    change = making(service("{}"), host)
    host.engine.answers["POST /configs/create"] = EngineError(MANAGER, 409, "already exists")
    change.apply(host, FakeProgress())
    host.engine.answers["POST /configs/create"] = EngineError(MANAGER, 500, "no space left on device")
    with pytest.raises(EngineError, match="no space"):
        change.apply(host, FakeProgress())


@pytest.mark.parametrize(("is_gone", "left"), [(False, ["{}"]), (True, [])])
def test_files_from_before_go(host: FakeHost, is_gone: bool, left: list[str]) -> None:
    """Those at the same place, of the same hub; all of them with their service."""
    for content in ("{}", "[]"):
        configs.ensure(host, service(content), LABELS)
    configs.ensure(host, service("[2]", "/srv/another.json"), LABELS)
    configs.ensure(host, service("[1]"), {"swarmhub.service": "other"})
    configs.tidy(host, service("{}"), "swarmhub.service=hub", is_gone=is_gone)
    assert sorted(one.content for one in configs.files(host).values()) == ["[1]", "[2]", *left]


def test_a_file_whose_content_is_known_later_has_a_name_that_is() -> None:
    """What tells it from another such file is not shown; a text of somebody's that says the same words is a text."""
    first, second = (configs.reference("/x", "hub", f'{{"image":"known after build","n":{one}}}') for one in (1, 2))
    assert first["ConfigName"] != second["ConfigName"]
    assert {one["ConfigName"].partition("#")[0] for one in (first, second)} == {"hub-known after build"}
    spec = {"TaskTemplate": {"ContainerSpec": {"Configs": [first]}}}
    (change,) = configs.missing(spec, (), {}, "m")
    assert change.what == "config hub-known after build (35 bytes)"
    assert "known" not in configs.reference("/x", "hub", '{"about":"it is known after noon"}')["ConfigName"]
