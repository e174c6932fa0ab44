"""What has run here: each change of the hub's service is a release, kept on the cluster as a Swarm config."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from swarmhub import settings
from swarmhub.engine.swarm import configs, specs
from swarmhub.history import author, database
from swarmhub.history.database import Database
from swarmhub.host import EngineError, Host, Json
from swarmhub.images.pull import digest_of, short
from swarmhub.plan.differences import Difference, differences
from swarmhub.plan.plans import Change, Cost, Plan, Progress
from swarmhub.services.hub import service as services
from swarmhub.settings import Settings, handed

LABEL = "swarmhub.release"
KEPT = 10
# Alembic's; a database that could not be read has none.
REVISION = re.compile("[0-9a-f]{12}")


@dataclass(frozen=True)
class Release:
    """The hub's image, the whole service, the settings, the notebook images by digest, that of [notebook] first.

    `copy` is the database from before it, in the volume of the copies; `schema` is the
    revision of the database that its hub works with.
    """

    number: int
    service: str
    hub_image: str
    notebook_images: tuple[str, ...]
    spec: Json
    settings: Json
    copy: str
    made: str = ""
    who: str = ""
    commit: str = ""
    schema: str = ""
    id: str = ""


@dataclass(frozen=True)
class Urls:
    """The URLs of the database before a release and from then on, where it is on a server."""

    before: SecretStr | None = None
    after: SecretStr | None = None


def observe(manager: Host, service: str) -> tuple[Release, ...]:
    """Ask for the releases of a service, the oldest first."""
    found = configs.listed(manager, f"{LABEL}={service}")
    releases = (_read(record.data | {"id": record.id}) for record in found)
    return tuple(sorted(releases, key=lambda release: release.number))


def of_every_hub(listed: Sequence[Json]) -> tuple[Release, ...]:
    """Return the releases of all hubs on the swarm, of all configs that it lists."""
    found = [configs.record(one) for one in listed if LABEL in (one["Spec"].get("Labels") or {})]
    return tuple(_read(one.data | {"id": one.id}) for one in found)


def _read(data: Json) -> Release:
    # A release from before profiles has one image.
    images = tuple(data["notebook_images"] if "notebook_images" in data else [data["notebook_image"]])
    return Release(**configs.known(Release, data | {"notebook_images": images}))


def draft(settings: Settings, spec: Json, parts: services.Parts, before: Sequence[Release]) -> Release:
    """Return the release that the service's spec will be."""
    number = before[-1].number + 1 if before else 1
    copied = f"{settings.hub.service}-before-{number}.sqlite"
    pinned = tuple(parts.images[image] for image in settings.images)
    # A hub brings its database to the revision of its image, which another release with that image has recorded.
    schemas = (one.schema for one in before if one.hub_image == parts.hub_image and REVISION.fullmatch(one.schema))
    return Release(
        number,
        settings.hub.service,
        parts.hub_image,
        pinned,
        configs.bare(spec),
        handed.kept(settings),
        copied,
        schema=next(schemas, ""),
    )


def around(
    plan: Plan,
    new: Release,
    before: Sequence[Release],
    found: Json | None,
    manager: str,
    *,
    by_hand: bool = False,
    urls: Urls = Urls(),
) -> Plan:
    """Return the service's plan with the database copied and opened before it, and the release recorded after it.

    `by_hand` tells that the database is taken over from a hub that is no service; `urls` are those of servers that it is on.
    """
    # Not with the image that runs: it may be gone, and the new one is there.
    kept = Database(new.settings["volume"]["name"], new.hub_image, new.service, urls.before)
    changes = (*database.opening(kept, new.spec, found, manager), *plan.changes)
    is_upgraded = any(change.cost is Cost.HUB_RESTART for change in changes) if found else by_hand
    if is_upgraded:
        changes = (database.copy(kept, new.copy, manager), *changes)
    else:
        new = replace(new, copy="")
    if not before or specs.compare(new.spec, before[-1].spec):
        changes = (*changes, record(new, manager, urls.after))
    return replace(plan, changes=changes)


def record(new: Release, manager: str, url: SecretStr | None = None) -> Change:
    """Return what records a release, whose database may be on a server."""
    return Change("record", f"release {new.number}", manager, _Recorder(new, url))


def settings_between(old: Release, new: Release) -> tuple[Difference, ...]:
    """Return what differs in the settings of two releases."""
    return differences(new.settings, old.settings)


def rows(releases: Sequence[Release], running: Json | None) -> list[tuple[str, ...]]:
    """Return the releases as people read them, the newest first; a star marks what runs."""
    current = _current(releases, running)
    return [
        (
            f"{'*' if one is current else ' '} {one.number}",
            one.made[:19].replace("T", " "),
            one.who,
            one.commit or "-",
            one.hub_image,
            _told(one.notebook_images),
            one.copy or "-",
        )
        for one in reversed(releases)
    ]


def _told(pinned: Sequence[str]) -> str:
    more = f" and {len(pinned) - 1} more" if len(pinned) > 1 else ""
    return f"{short(digest_of(pinned[0]))}{more}"


def _current(releases: Sequence[Release], running: Json | None) -> Release | None:
    fits = (one for one in reversed(releases) if running and not specs.compare(one.spec, running["Spec"]))
    return next(fits, None)


def _name(release: Release) -> str:
    return f"{release.service}-release-{release.number}"


@dataclass(frozen=True)
class _Recorder:
    release: Release
    url: SecretStr | None

    def __call__(self, host: Host, progress: Progress) -> None:
        kept = Database(self.release.settings["volume"]["name"], self.release.hub_image, self.release.service, self.url)
        release = replace(
            self.release,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            who=author.name(),
            # What is rolled back to was not made from what is checked out now.
            commit=self.release.commit or author.commit(settings.path().resolve().parent),
            schema=self.release.schema or database.observe(host, kept).schema,
            spec=_as_runs(host, self.release),
        )
        data: dict[str, Any] = asdict(release)
        del data["id"]
        configs.create(host, _name(release), {LABEL: release.service}, data)
        for old in observe(host, release.service)[:-KEPT]:
            _forget(host, old, kept, progress)


def _as_runs(host: Host, release: Release) -> Json:
    """Return the spec with what was known only later, such as a certificate's fingerprint."""
    spec = configs.bare((services.observe(host, release.service).service or {"Spec": release.spec})["Spec"])
    for reference in spec["TaskTemplate"]["ContainerSpec"].get("Secrets") or []:
        reference.pop("SecretID", None)
    return spec


def _forget(host: Host, old: Release, kept: Database, progress: Progress) -> None:
    # The record goes after the copy: where that cannot be removed, the next deploy still knows of it.
    if old.copy:
        database.remove(host, kept, old.copy)
    host.engine.delete(f"/configs/{old.id}")
    left = observe(host, old.service)
    needed = {name for release in left for name in services.settings_files(release.spec)}
    unused = [name for name in services.settings_files(old.spec) if name not in needed]
    for id_ in configs.ids(host, unused).values() if unused else ():
        configs.remove(host, id_)
    if old.hub_image not in {release.hub_image for release in left}:
        try:
            host.engine.delete(f"/images/{old.hub_image}")
        except EngineError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
    progress.log(host.name, f"forgot release {old.number}: only the last {KEPT} stay")
