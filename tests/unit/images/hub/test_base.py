"""What the hub's image is built on: the file that says it, and what is wrong with one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from swarmhub.errors import SettingsError
from swarmhub.images.hub import base, build
from swarmhub.images.hub.build import Base
from swarmhub.settings import Settings
from tests.unit.support.fakes import settings

DIGEST = f"sha256:{'a' * 64}"
NOW = datetime(2026, 11, 29, 20, 51, 44, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a hosts.toml that is in use, and a userlist."""
    (tmp_path / "hosts.toml").write_text('[hub]\nbase_image = "debian:trixie-slim"\n')
    (tmp_path / "users").write_text("ada admin\n")
    monkeypatch.setenv("SWARMHUB_HOSTS", str(tmp_path / "hosts.toml"))
    return tmp_path


def given(folder: Path, **hub: Any) -> Settings:
    """Return settings whose files are in the folder."""
    return settings(hub={"userlist": str(folder / "users"), "base_lock": str(folder / "base.lock")} | hub)


def test_without_the_file_the_image_is_built_on_its_tag(folder: Path) -> None:
    """And the builder may take what it has."""
    (hub, proxy) = build.wanted(given(folder))
    (ground,) = build.grounds((hub, proxy))
    assert [(one.base, one.given) for one in (ground, proxy)] == [("debian:trixie-slim", {"BASE": "debian:trixie-slim"})] * 2


def test_what_is_kept_is_built_on_by_everybody_who_has_the_file(folder: Path) -> None:
    """Both images by the digest, with packages from that time on; another time makes other images."""
    wanted = given(folder)
    before = [one.tag for one in build.wanted(wanted)]
    now = base.of_now(wanted, DIGEST, NOW)
    foreseen = [one.tag for one in build.wanted(wanted, now)]
    assert base.keep(wanted, now) == "base.lock"
    (hub, proxy) = build.wanted(given(folder))
    reference = f"debian:trixie-slim@{DIGEST}"
    (ground,) = build.grounds((hub, proxy))
    assert ground.given == proxy.given == {"BASE": reference, "FRESH": "2026-11-29T20:51:44Z"}
    assert (ground.bases, hub.bases) == ([reference], [ground.tag])
    assert (ground.gist, hub.gist) == ("on debian:trixie-slim, aaaaaaaaaaaa, fresh on 2026-11-29",) * 2
    assert [hub.tag, proxy.tag] == foreseen
    assert not {*before} & {*foreseen}
    base.keep(wanted, base.of_now(wanted, DIGEST, NOW.replace(second=45)))
    assert build.desired(wanted).tag != hub.tag


def test_where_no_registry_answers_the_base_is_that_of_the_node(folder: Path) -> None:
    """The packages are newer all the same."""
    wanted = given(folder)
    base.keep(wanted, base.of_now(wanted, "", NOW))
    assert build.base(wanted) == Base("debian:trixie-slim", "", "2026-11-29T20:51:44Z")
    assert build.desired(wanted).base == "debian:trixie-slim"


def test_the_file_of_another_image_is_told_at_the_line_of_the_setting(folder: Path) -> None:
    """An image that was changed in hosts.toml is not built on the one from before."""
    base.keep(given(folder), base.of_now(given(folder), DIGEST, NOW))
    said = r"hosts\.toml:2: hub\.base_image: base\.lock is of another image, debian:trixie-slim\. Run: fab build-hub --fresh"
    with pytest.raises(SettingsError, match=said):
        build.desired(given(folder, base_image="debian:sid-slim"))


@pytest.mark.parametrize(
    "text", ["", "<<<<<<< ours\n", f'{base.FIRST}image = "debian:trixie-slim"\ndigest = "sha256:1"\nfresh = ""\n']
)
def test_a_file_that_somebody_has_edited_is_refused(folder: Path, text: str) -> None:
    """It goes into a Dockerfile: nothing but what is written here is read."""
    (folder / "base.lock").write_text(text)
    with pytest.raises(SettingsError, match=r"base\.lock:1: is not what fab build-hub --fresh writes"):
        build.desired(given(folder))
