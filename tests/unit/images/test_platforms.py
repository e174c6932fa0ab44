"""Which nodes can run which images."""

from collections.abc import Collection, Mapping

import pytest

from swarmhub.images import platforms
from swarmhub.images.platforms import Misfit
from swarmhub.images.pull import Held
from tests.unit.support.fakes import MANAGER, NOTEBOOK, WORKER1, WORKER2

MIXED = {MANAGER: "x86_64", WORKER1: "x86_64", WORKER2: "aarch64"}
ALIKE = dict.fromkeys(MIXED, "x86_64")
AMD, ARM = Held("sha256:1", architecture="amd64"), Held("sha256:2", architecture="arm64")


def found(
    held: Mapping[str, Held | None], machines: Mapping[str, str] = MIXED, offers: Collection[str] | None = None
) -> list[Misfit]:
    """Return who cannot run the image; without `offers`, nobody may ask the registry."""

    def offered(_: str, __: Mapping[str, Held | None]) -> Collection[str]:
        assert offers is not None
        return offers

    return platforms.misfits({host: {NOTEBOOK: one} for host, one in held.items()}, machines, offered)


@pytest.mark.parametrize(
    ("machine", "made_for", "can"),
    [
        ("x86_64", ["amd64"], True),
        ("x86_64", ["386"], True),
        ("aarch64", ["arm64", "amd64"], True),
        ("aarch64", ["arm"], True),
        ("aarch64", ["amd64"], False),
        ("x86_64", ["arm64"], False),
        ("riscv64", ["amd64"], True),
        ("", ["amd64"], True),
        ("x86_64", [], True),
    ],
)
def test_a_machine_runs_what_is_made_for_it(machine: str, made_for: list[str], can: bool) -> None:
    """Of machines and images of which nothing is known, the pull or the start will tell."""
    assert platforms.runs(machine, made_for) is can


def test_what_a_node_of_the_same_kind_holds_it_can_run() -> None:
    """No registry is asked, whether the nodes are alike or not."""
    assert found({MANAGER: AMD, WORKER1: None, WORKER2: ARM}) == []
    assert found({MANAGER: AMD, WORKER1: None, WORKER2: None}, ALIKE) == []
    assert found(dict.fromkeys(ALIKE), ALIKE) == []


@pytest.mark.parametrize(
    ("offers", "unfit"), [(("amd64",), [WORKER2]), (("amd64", "arm64"), []), (("arm64",), [MANAGER, WORKER1]), ((), [])]
)
def test_of_what_no_such_node_holds_the_registry_tells(offers: tuple[str, ...], unfit: list[str]) -> None:
    """Where it says nothing, the pull is tried."""
    assert [one.host for one in found(dict.fromkeys(MIXED), offers=offers)] == unfit


def test_an_image_for_one_architecture_alone_is_pulled_anywhere_and_told() -> None:
    """An engine takes it without a word, and its servers would end at once."""
    (one,) = found({MANAGER: AMD, WORKER1: AMD, WORKER2: AMD})
    assert one.told == (
        f"{WORKER2} is aarch64, and {NOTEBOOK} is for amd64: no server with it is placed there. "
        "Name an image in hosts.toml that its registry has for both"
    )
    assert [one.host for one in found({MANAGER: ARM, WORKER1: ARM}, ALIKE)] == [MANAGER, WORKER1]
