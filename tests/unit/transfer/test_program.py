"""The image of a transfer's program: packed on the manager, and given to the nodes that lack it."""

import gzip
import io
import json
import tarfile
from typing import Any

import pytest

from swarmhub.engine import context
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.inside import SCRIPTS
from swarmhub.transfer import program
from tests.unit.support.fakes import MANAGER, WORKER1, FakeHost, in_turn

HUB, ID = "jupyterhub:1", "sha256:hub"
PACKER = {"pack.py": context.lines(SCRIPTS / "pack.py")}
TAG = f"jupyterhub_transfer:{context.digest({**program.files(), **PACKER}, ID)}"
LAYER = context.archive({"usr/bin/python3.13": b"elf"})


def manager(**answers: Any) -> FakeHost:
    """Return a manager with the hub's image, whose container packs Python."""
    known = {
        f"GET /images/{HUB}/json": {"Id": ID},
        f"GET /images/{TAG}/json": {"Id": "sha256:program"},
        "POST /containers/create": {"Id": "pack"},
        "GET /containers/pack/logs": [],
        "POST /containers/pack/wait": {"StatusCode": 0},
        "GET /containers/pack/archive": [context.archive({"python.tar": LAYER})],
        "GET /version": {"Arch": "arm64"},
    }
    return FakeHost(MANAGER, {**known, **answers})


def lacking(**answers: Any) -> FakeHost:
    """Return a node that has the image once it has been loaded."""
    gone = EngineError(WORKER1, 404, "no such image")
    return FakeHost(WORKER1, {f"GET /images/{TAG}/json": in_turn(gone, {"Id": "sha256:program"}), **answers})


def test_nodes_that_have_the_program_are_sent_nothing() -> None:
    """It is named by what it is made of, and not made for nothing."""
    at = manager()
    assert program.ensure(at, HUB, "jupyterhub", [at]) == {MANAGER: "sha256:program"}
    assert at.engine.asked("POST") == []


def test_a_node_that_lacks_the_program_is_given_it() -> None:
    """As an image of one layer, for the manager's architecture."""
    at, node = manager(), lacking()
    assert program.ensure(at, HUB, "jupyterhub", [at, node]) == {MANAGER: "sha256:program", WORKER1: "sha256:program"}
    sent = gzip.decompress(node.engine.sent("POST /images/load").body)
    with tarfile.open(fileobj=io.BytesIO(sent)) as tar:
        files = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    assert at.engine.asked("DELETE") == ["DELETE /containers/pack"]
    (image,) = json.loads(files["manifest.json"])
    assert (image["RepoTags"], files[image["Layers"][0]]) == ([TAG], LAYER)
    assert json.loads(files[image["Config"]])["architecture"] == "arm64"


def test_a_node_whose_disk_is_full_is_told_and_the_others_go_on() -> None:
    """With what helps."""
    at, node = manager(), lacking(**{"POST /images/load": EngineError(WORKER1, 500, "write: no space left on device")})
    found = program.ensure(at, HUB, "jupyterhub", [at, node])
    assert found[MANAGER] == "sha256:program"
    assert str(found[WORKER1]) == (
        f"{WORKER1}: cannot load {TAG}: write: no space left on device. Free some disk there: docker system df"
    )


def test_without_the_hubs_image_nothing_can_be_brought() -> None:
    """The error names what makes it."""
    with pytest.raises(StepError, match="First: fab build-hub"):
        program.ensure(FakeHost(MANAGER), HUB, "jupyterhub", [])


def test_python_that_cannot_be_packed_is_told() -> None:
    """With the last line, and the container is removed."""
    said = {"GET /containers/pack/logs": ["Traceback", "ModuleNotFoundError"], "POST /containers/pack/wait": {"StatusCode": 1}}
    at = manager(**said)
    with pytest.raises(StepError, match=r"cannot be packed: .*ModuleNotFoundError"):
        program.ensure(at, HUB, "jupyterhub", [at, lacking()])
    assert at.engine.asked("DELETE") == ["DELETE /containers/pack"]


def test_all_that_the_program_imports_is_sent() -> None:
    """Its own modules, and empty packages above them."""
    names = {name.removeprefix("relay/") for name in program.files()}
    assert {f"swarmhub/inside/relay/{one}.py" for one in ("__init__", "__main__", "blobs", "engine", "wire")} <= names
    assert program.files()["relay/swarmhub/__init__.py"] == b""
