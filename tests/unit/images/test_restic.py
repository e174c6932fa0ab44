"""The image that backups are made with."""

from pathlib import Path

import pytest

from hub import FOLDER
from swarmhub.images import restic
from swarmhub.images.hub.build import Base
from swarmhub.settings import Settings
from swarmhub.teardown import leftovers
from tests.unit.support.fakes import settings


def with_ca(folder: Path) -> Settings:
    """Return settings that name an authority."""
    (folder / "ca.crt").write_text("-----BEGIN CERTIFICATE-----")
    return settings(hub={"ca": str(folder / "ca.crt")})


def test_its_tag_is_that_of_what_goes_into_it(tmp_path: Path) -> None:
    """Of the base and of authorities; not of the hub's own files. By it, teardown finds it."""
    tag = restic.recipe(settings()).tag
    others = [restic.recipe(one).tag for one in (settings(hub={"base_image": "debian:sid-slim"}), with_ca(tmp_path))]
    assert len({tag, *others}) == 3
    assert leftovers.built(settings()).fullmatch(tag)
    assert [*restic.recipe(settings()).files] == ["Dockerfile", "ca/.keep"]


def test_it_is_built_on_what_the_hub_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """With packages as fresh; another base is another image, so that the next backup builds it."""
    before = restic.recipe(settings()).tag
    on = Base("debian:trixie-slim", f"sha256:{'a' * 64}", "2026-11-29T20:51:44Z")
    monkeypatch.setattr("swarmhub.images.hub.build.base", lambda settings: on)
    made = restic.recipe(settings())
    assert made.given == {"BASE": on.reference, "FRESH": on.fresh}
    assert made.tag != before


def test_it_is_made_where_there_are_backups_only() -> None:
    """Neither a bundle nor what `fab prune` leaves has it otherwise."""
    repository = settings(backup={"repository": "/mnt/backup"})
    assert restic.wanted(settings()) == ()
    assert restic.wanted(repository) == (restic.recipe(repository),)


def test_it_has_what_the_script_runs() -> None:
    """Debian's own restic, and ssh for SFTP."""
    text = (FOLDER / "backup" / "Dockerfile").read_text()
    assert {"restic", "openssh-client", "python3", "ca-certificates"} <= {*text.split()}
