"""Bundles: how one is made on a manager that reaches the registries, and what a deploy takes from one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.images import bundle, pull, restic
from swarmhub.images.bundle import AGAIN, STEP, Bundle, Item
from swarmhub.images.hub import build
from swarmhub.images.pull import Held
from swarmhub.parallel import together
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.run.run import Run


def wanted(run: Run) -> dict[str, bool]:
    """Map each image that a deploy needs and no node makes by itself to whether it is built: its tag says what is in it."""
    settings, builds = run.settings, run.look.builds
    built = [one.tag for one in (*run.recipes, *builds, *build.grounds(builds), *restic.wanted(settings))]
    certbot = [settings.certs.certbot] if settings.proxy.takes_tls and not settings.certs.is_own else []
    return {name: name in built for name in (*settings.images, *built, *certbot)}


def certbot_plan(run: Run) -> Plan:
    """Plan the pull of what certificates are asked for with, where the manager lacks it.

    Raises:
        StepError: it is named by a digest, by which no engine knows what it takes from a bundle.

    """
    names = [name for name in wanted(run) if name == run.settings.certs.certbot]
    if named := next((name for name in names if "@" in name), ""):
        cause = f"no engine knows {named} by its digest when it comes from a bundle"
        raise StepError(run.manager, cause, "Name certs.image by its tag", STEP)
    lacking = [name for name in names if not run.look.on_manager(name)]
    changes = tuple(Change("pull", name, run.manager, partial(_pull, name)) for name in lacking)
    return Plan(STEP, "the manager holds all that goes into it", changes)


def _pull(image: str, host: Host, progress: Progress) -> None:
    pull.fetch(host, progress, image, pull.split(image)[1])


def make(run: Run, path: Path) -> str:
    """Write the bundle of these settings' images, which the manager holds; return what it is, in a line.

    Raises:
        StepError: the manager lacks one, or the file cannot be written.

    """
    host, names = run.hosts[run.manager], wanted(run)
    found = dict(zip(names, together([partial(_inspected, host, name) for name in names]), strict=True))
    images = [Item(name, pull.fingerprint(one), one.get("Size") or 0, names[name]) for name, one in found.items()]
    total = _bytes(found.values())
    made = datetime.now(UTC).isoformat(timespec="seconds")

    def say(done: int) -> None:
        run.report.amount(host.name, done, max(done + 1, total))

    with _tagged(host, names), run.report.working(STEP, f"writing {path}"):
        saved = host.engine.download("/images/get", names=[pull.local(name) for name in names])
        sha256 = bundle.write(path, host.name, run.look.architecture(), made, images, saved, say)
    size = path.stat().st_size
    return f"{path}: {len(images)} images for {run.look.architecture()}, {size / 1e6:.0f} MB, SHA-256 of them {sha256[:16]}…"


@contextmanager
def _tagged(host: Host, names: Collection[str]) -> Iterator[None]:
    """Give those images a tag for so long that are named by a digest: an engine would save them without a name."""
    lacking = [name for name in names if pull.local(name) != name and not host.engine.find(f"/images/{pull.local(name)}/json")]
    try:
        for name in lacking:
            repository, tag = pull.split(pull.local(name))
            host.engine.post(f"/images/{name}/tag", repo=repository, tag=tag)
        yield
    finally:
        for name in lacking:
            host.engine.delete(f"/images/{pull.local(name)}", noprune=True)


def _inspected(host: Host, name: str) -> Json:
    found = pull.inspect(host, name)
    if found is None:
        raise StepError(host.name, f"holds no {name}, which goes into the bundle", "Run this again", STEP)
    return found


def _bytes(found: Collection[Json]) -> int:
    """Return how many bytes images have, as far as an engine tells: of one that is built on another, what it adds."""
    total, below = 0, list[tuple[list[str], int]]()
    for one in sorted(found, key=lambda one: len(one["RootFS"].get("Layers") or [])):
        layers, size = one["RootFS"].get("Layers") or [], one.get("Size") or 0
        total += size - max((its for beginning, its in below if layers[: len(beginning)] == beginning), default=0)
        below.append((layers, size))
    return total


def plan(run: Run, given: Bundle) -> Plan:
    """Plan what the manager takes from a bundle.

    Raises:
        StepError: the bundle is for other engines or other settings.

    """
    _require_fitting(run, given)
    names = wanted(run)
    held = dict(zip(names, together([partial(run.look.on_manager, name) for name in names]), strict=True))
    items = [item for name in names if (item := given.find(name)) and not item.is_held(held[name])]
    _require_all(run, given, [name for name in names if not (given.find(name) or held[name])])
    what = f"{len(items)} of its {len(given.images)} images"
    gist = f"{', '.join(item.name for item in items)} from {given.path}, made {given.made[:10]}"
    changes = (Change("load", what, run.manager, _Loader(given, tuple(items)), gist=gist),) if items else ()
    return Plan(STEP, f"the manager holds all that {given.path} has for these settings", changes)


def _require_fitting(run: Run, given: Bundle) -> None:
    its = run.look.architecture()
    if its != given.architecture:
        remedy = f"Make one on a manager that is {its}: fab bundle"
        raise StepError(run.manager, f"is {its}, and {given.path} is for {given.architecture}", remedy, STEP)


def _require_all(run: Run, given: Bundle, lacking: Sequence[str]) -> None:
    """Make sure that nothing has to come from elsewhere."""
    # The hub's image is built from what is below it, and needs nothing else.
    made = {one.tag for one in run.look.builds if one.ground and one.ground.tag not in lacking}
    missing = [name for name in lacking if name not in made and not _is_elsewhere(run, name)]
    if missing:
        cause = f"{given.path} lacks {', '.join(missing)}, which these settings want, and so does this manager"
        raise StepError(run.manager, cause, AGAIN, STEP)


def _is_elsewhere(run: Run, image: str) -> bool:
    """Tell whether another node can give a notebook image."""
    seen = run.look.images(run.look.present()) if image in run.settings.images else {}
    return any(one[image] for one in seen.values() if not isinstance(one, StepError))


def later(run: Run, given: Bundle) -> set[str]:
    """Return the notebook images whose ids the load will make known."""
    held = run.look.held(run.manager)
    return {one for one in run.settings.images if (item := given.find(one)) and not item.is_held(held[one])}


def voting(given: Bundle, image: str, held: Mapping[str, Held | None]) -> dict[str, Held | None]:
    """Return what nodes hold of an image, but for those that hold another than the bundle has."""
    item = given.find(image)
    return {host: one for host, one in held.items() if item is None or item.is_held(one)}


@dataclass(frozen=True)
class _Loader:
    given: Bundle
    items: tuple[Item, ...]

    def __call__(self, host: Host, progress: Progress) -> None:
        try:
            with self.given.only(self.items, lambda done: progress.amount(host.name, done, self.given.size)) as archive:
                host.engine.load(archive)
        except StepError as error:
            # An engine whose disk is full hangs up while it is still sent to, and its answer does not arrive.
            cause = f"its engine has stopped taking the images: {error.cause}"
            helps = "Is its disk full? docker system df. Then run this again: images that it has taken are not sent again"
            raise StepError(host.name, cause, helps) from error
        for item in self.items:
            if not item.is_held(pull.observe(host, item.name)):
                cause = f"its engine has taken {self.given.path}, and holds no {item.name} of it"
                raise StepError(host.name, cause, f"See what it says there: docker load. {AGAIN}")
