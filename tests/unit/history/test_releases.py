"""What has run here: each change of the hub's service is a release, and the last ones are kept."""

import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.engine.swarm import configs
from swarmhub.errors import StepError
from swarmhub.history import author, database, releases
from swarmhub.history.releases import LABEL, Release
from swarmhub.host import EngineError
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import Parts
from tests.unit.support.cluster import as_kept, stored
from tests.unit.support.fakes import CALLBACK, EXTRA, MANAGER, NOTEBOOK, FakeHost, FakeProgress, once, settings, with_extra

NAME = "jupyterhub"
SECRETS = {name: SecretStr(value) for name, value in {"GITHUB_CLIENT_SECRET": "hush", "OAUTH_CALLBACK_URL": CALLBACK}.items()}
PARTS = Parts("n1", "net", "jupyterhub:2", {NOTEBOOK: f"quay.io/x@sha256:{'a' * 64}"}, "c0ffee", "cluster")
LOOKED = '{"bytes": 4096, "schema": "4621fec11365", "users": 2}'
RESTART = Change("update", f"service {NAME}", MANAGER, lambda *_: None, cost=Cost.HUB_RESTART)
LABELS = Change("update", f"service {NAME}", MANAGER, lambda *_: None)


def spec(image: str = "jupyterhub:2") -> dict[str, Any]:
    """Return the hub's wanted spec with that image."""
    return hub_service.desired(settings(), SECRETS, replace(PARTS, hub_image=image))


def kept(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return a service as the engine answers it."""
    ids = {one["SecretName"]: "id" for one in wanted["TaskTemplate"]["ContainerSpec"]["Secrets"]}
    return {"ID": "s1", "Version": {"Index": 1}, "Spec": as_kept(wanted, ids)}


def release(number: int, image: str = "", **more: Any) -> Release:
    """Return a release, each with an image and a copy of its own."""
    image = image or f"jupyterhub:{number}"
    values: dict[str, Any] = {"settings": settings().model_dump(mode="json", exclude={"secrets"})}
    values |= {"copy": f"{NAME}-before-{number}.sqlite", "made": f"2026-11-{number:02}T10:00:00+00:00", "who": "ada@desk"}
    values |= {"notebook_images": (PARTS.images[NOTEBOOK],), "spec": spec(image)}
    return Release(number, NAME, image, **(values | more))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHost:
    """Return a manager on which the new hub runs, and stand in a folder at some commit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(author, "name", lambda: "ada@desk")
    monkeypatch.setattr(author, "commit", lambda folder: f"commit of {folder.name}")
    return FakeHost(answers={"GET /secrets": [], f"GET /services/{NAME}": kept(spec()), **once(LOOKED)})


def keep(host: FakeHost, *known: Release) -> None:
    """Keep releases on the cluster, as earlier runs have."""
    for one in known:
        data = {key: value for key, value in asdict(one).items() if key != "id"}
        configs.create(host, f"{one.service}-release-{one.number}", {LABEL: one.service}, data)
    host.engine.requests.clear()


def record(host: FakeHost, new: Release) -> FakeProgress:
    """Record a release, and return what was said."""
    progress = FakeProgress()
    releases.record(new, MANAGER).apply(host, progress)
    return progress


def numbers(host: FakeHost) -> list[int]:
    """Return the numbers of the releases that are kept."""
    return [one.number for one in releases.observe(host, NAME)]


def removed(host: FakeHost) -> list[str]:
    """Return the copies of the database that were removed."""
    bodies = [request.body for request in host.engine.requests if str(request) == "POST /containers/create"]
    return [body["Cmd"][2] for body in bodies if body["Cmd"][0] == "remove"]


def test_releases_are_read_in_the_order_of_their_numbers(host: FakeHost) -> None:
    """The tenth comes after the ninth, though its name does not."""
    keep(host, *(release(number) for number in (10, 2, 9)))
    assert numbers(host) == [2, 9, 10]


def test_a_release_is_read_as_it_was_kept(host: FakeHost) -> None:
    """Nothing of it is lost, and it has the id that it is removed by."""
    keep(host, release(1))
    assert releases.observe(host, NAME) == (replace(release(1), id="c1"),)


def test_a_release_of_a_newer_version_is_read(host: FakeHost) -> None:
    """What this version does not know of a release it leaves out."""
    data = {key: value for key, value in asdict(release(1)).items() if key != "id"} | {"canary": True}
    configs.create(host, "x", {LABEL: NAME}, data)
    assert numbers(host) == [1]


def test_a_release_from_before_profiles_is_read(host: FakeHost) -> None:
    """It names its one image in a field of its own."""
    data = {key: value for key, value in asdict(release(1)).items() if key not in ("id", "notebook_images")}
    configs.create(host, "x", {LABEL: NAME}, data | {"notebook_image": PARTS.images[NOTEBOOK]})
    assert releases.observe(host, NAME) == (replace(release(1), id="c1"),)


def test_a_release_holds_all_images(host: FakeHost) -> None:
    """As the settings order them."""
    parts = replace(PARTS, images={EXTRA: "quay.io/extra@sha256:2", NOTEBOOK: "quay.io/x@sha256:1"})
    new = releases.draft(with_extra(settings()), spec(), parts, ())
    keep(host, new)
    assert releases.observe(host, NAME)[0].notebook_images == ("quay.io/x@sha256:1", "quay.io/extra@sha256:2")
    assert releases.rows([new], None)[0][5] == "1 and 1 more"


def test_the_releases_of_another_hub_are_not_this_ones(host: FakeHost) -> None:
    """Two hubs on one swarm have numbers of their own."""
    keep(host, release(1), replace(release(7), service="other"))
    assert numbers(host) == [1]


@pytest.mark.parametrize(("before", "number"), [((), 1), ((1,), 2), ((8, 12), 13)])
def test_a_new_release_has_the_next_number(before: tuple[int, ...], number: int) -> None:
    """Numbers go on where the oldest ones have been forgotten."""
    new = releases.draft(settings(), spec(), PARTS, [release(one) for one in before])
    assert (new.number, new.copy) == (number, f"{NAME}-before-{number}.sqlite")


def test_a_release_holds_what_it_takes_to_go_back(host: FakeHost) -> None:
    """Both images, the whole service, and the settings, with plain values."""
    new = releases.draft(settings(), spec(), PARTS, ())
    assert (new.hub_image, new.notebook_images, new.spec, new.settings["hub"]["domain"]) == (
        "jupyterhub:2",
        (PARTS.images[NOTEBOOK],),
        configs.bare(spec()),
        "hub.example.org",
    )


def test_a_release_does_not_tell_where_the_secrets_come_from() -> None:
    """The command that prints them is nobody's on the cluster."""
    given = settings(secrets={"command": ["pass", "show", "hub"]})
    assert "secrets" not in releases.draft(given, spec(), PARTS, ()).settings


def around(
    changes: tuple[Change, ...], before: list[Release], found: dict[str, Any] | None, image: str = "jupyterhub:2"
) -> Plan:
    """Return the plan of the step with what goes around it."""
    new = releases.draft(settings(), spec(image), replace(PARTS, hub_image=image), before)
    return releases.around(Plan("service", "as wanted", changes), new, before, found, MANAGER)


COPY_2, RECORD_2 = f"copy the hub's database to jupyterhub_backups: {NAME}-before-2.sqlite", "record release 2"


@pytest.mark.parametrize(
    ("changes", "before", "found", "expected"),
    [
        ((RESTART,), [release(1)], kept(spec("jupyterhub:1")), [COPY_2, f"update service {NAME}", RECORD_2]),
        ((LABELS,), [release(1)], kept(spec("jupyterhub:1")), [f"update service {NAME}", RECORD_2]),
        ((RESTART,), [], None, ["open jupyterhub-data to the hub's user", f"update service {NAME}", "record release 1"]),
        ((), [release(2)], kept(spec()), []),
        ((), [release(1)], kept(spec()), [RECORD_2]),
        ((), [], kept(spec()), ["record release 1"]),
    ],
    ids=["restart", "labels only", "first", "as wanted", "not recorded", "from before releases"],
)
def test_a_change_of_the_hub_is_a_release_and_has_a_copy_before_it(
    changes: tuple[Change, ...], before: list[Release], found: dict[str, Any] | None, expected: list[str]
) -> None:
    """The copy comes first and the record last; a hub that goes on running needs no copy, and one as recorded no record."""
    assert [f"{one.verb} {one.what}" for one in around(changes, before, found).changes] == expected


def test_the_copy_is_made_with_the_image_that_is_there(host: FakeHost) -> None:
    """The image that runs may have been pruned since; that must not stop the deploy that mends it."""
    (first, *_) = around((RESTART,), [release(1)], kept(spec("jupyterhub:1"))).changes
    first.apply(host, FakeProgress())
    assert host.engine.sent("POST /containers/create").body["Image"] == "jupyterhub:2"


def test_a_release_without_a_copy_names_none(host: FakeHost) -> None:
    """Nobody is told of a file that is not there."""
    around((LABELS,), [release(1)], kept(spec("jupyterhub:1"))).changes[-1].apply(host, FakeProgress())
    assert releases.observe(host, NAME)[-1].copy == ""


def test_the_record_says_who_made_it_when_and_from_which_commit(host: FakeHost, tmp_path: Path) -> None:
    """What nobody can know before it has been made is filled in then."""
    record(host, release(2, made="", who=""))
    (found,) = releases.observe(host, NAME)
    assert (found.who, found.commit, bool(found.made), found.schema) == (
        "ada@desk",
        f"commit of {tmp_path.name}",
        True,
        "4621fec11365",
    )


@pytest.mark.parametrize(
    ("image", "schema", "expected"),
    [("jupyterhub:2", "4621fec11365", "4621fec11365"), ("jupyterhub:1", "4621fec11365", ""), ("jupyterhub:2", "damaged", "")],
    ids=["the same image", "another image", "damaged then"],
)
def test_the_schema_is_known_where_a_release_with_the_same_image_has_it(image: str, schema: str, expected: str) -> None:
    """The hub's image decides it, so nobody has to open the database again."""
    before = [replace(release(1, image), schema=schema)]
    assert releases.draft(settings(), spec(), replace(PARTS, hub_image="jupyterhub:2"), before).schema == expected


def test_a_schema_that_is_known_is_recorded_without_a_look_at_the_database(host: FakeHost) -> None:
    """That look would take a container."""
    record(host, replace(release(2), schema="4621fec11365"))
    assert (releases.observe(host, NAME)[0].schema, host.engine.asked("POST /containers")) == ("4621fec11365", [])


def test_a_release_that_was_gone_back_to_keeps_its_commit(host: FakeHost) -> None:
    """Its image was made from that one, whatever is checked out now."""
    record(host, release(2, commit="0a1b2c3d"))
    assert releases.observe(host, NAME)[0].commit == "0a1b2c3d"


def test_the_record_has_the_service_as_it_runs(host: FakeHost) -> None:
    """What the plan could not know, such as a new certificate's fingerprint, is in it."""
    runs = spec()
    runs["TaskTemplate"]["ContainerSpec"]["Labels"] = {hub_service.CERTIFICATE_LABEL: "f00d"}
    host.engine.answers[f"GET /services/{NAME}"] = kept(runs)
    planned = copy.deepcopy(spec())
    planned["TaskTemplate"]["ContainerSpec"]["Labels"] = {hub_service.CERTIFICATE_LABEL: "known after certs"}
    record(host, replace(release(2), spec=planned))
    found = releases.observe(host, NAME)[0].spec
    assert found["TaskTemplate"]["ContainerSpec"]["Labels"] == {hub_service.CERTIFICATE_LABEL: "f00d"}


def test_the_record_has_no_ids_of_secrets(host: FakeHost) -> None:
    """They are the swarm's own, and another one's after a way back."""
    record(host, release(2))
    secrets = releases.observe(host, NAME)[0].spec["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert [sorted(one) for one in secrets] == [["File", "SecretName"]] * len(secrets)


def ten(**images: str) -> list[Release]:
    """Return ten releases, with other images for some: `_1="jupyterhub:9"`."""
    return [release(number, images.get(f"_{number}", "")) for number in range(1, 11)]


def test_ten_are_kept_whole(host: FakeHost) -> None:
    """Up to there nothing goes."""
    keep(host, *ten()[:9])
    record(host, release(10))
    assert host.engine.asked("DELETE") == ["DELETE /containers/once"]


def test_a_forgotten_release_without_a_copy_has_none_removed(host: FakeHost) -> None:
    """The first release never has one."""
    keep(host, replace(release(1), copy=""), *ten()[1:])
    record(host, release(11))
    assert removed(host) == []


def test_only_the_last_ten_stay(host: FakeHost) -> None:
    """The eleventh takes the place of the first, whose copy and image go with it; an operator reads so."""
    keep(host, *ten())
    assert record(host, release(11)).lines == [(MANAGER, "forgot release 1: only the last 10 stay")]
    assert (numbers(host), removed(host)) == (list(range(2, 12)), [f"/backups/{NAME}-before-1.sqlite"])
    assert "DELETE /images/jupyterhub:1" in host.engine.asked()


def test_a_copy_that_cannot_be_removed_keeps_its_record(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing would know of it any more, and it has everybody's tokens: the next deploy removes it."""
    keep(host, *ten())
    with monkeypatch.context() as full:
        full.setattr(
            database, "remove", lambda *_: (_ for _ in ()).throw(StepError(MANAGER, "it does not answer", "try again"))
        )
        with pytest.raises(StepError):
            record(host, release(11))
    assert numbers(host) == list(range(1, 12))
    record(host, release(12))
    assert numbers(host) == list(range(3, 13))
    assert removed(host) == [f"/backups/{NAME}-before-{number}.sqlite" for number in (1, 2)]


def test_settings_go_with_the_last_release_that_has_them(host: FakeHost) -> None:
    """Named by their content, they may be those of a release that stays."""
    mine, others = (
        hub_service.desired(settings(culling={"idle": idle}), SECRETS, replace(PARTS, hub_image="jupyterhub:2"))
        for idle in ("1h", "2h")
    )
    for spec_ in (mine, others):
        configs.ensure(host, spec_, {"swarmhub.service": NAME})
    first, second, *rest = ten()
    keep(host, replace(first, spec=configs.bare(mine)), replace(second, spec=configs.bare(others)), *rest)
    record(host, replace(release(11), spec=configs.bare(mine)))
    assert {*configs.files(host)} == {*stored(mine, others)}
    record(host, replace(release(12), spec=configs.bare(mine)))
    assert {*configs.files(host)} == {*stored(mine)}


def test_an_image_that_another_release_has_too_stays(host: FakeHost) -> None:
    """A change of a setting only makes a release of the same image."""
    keep(host, *ten(_5="jupyterhub:1"))
    record(host, release(11))
    assert [call for call in host.engine.asked("DELETE") if "/images/" in call] == []


@pytest.mark.parametrize("status", [409, 404])
def test_an_image_that_is_in_use_or_gone_is_no_error(host: FakeHost, status: int) -> None:
    """Somebody else may use it, or have removed it."""
    keep(host, *ten())
    host.engine.answers["DELETE /images/jupyterhub:1"] = EngineError(MANAGER, status, "conflict")
    record(host, release(11))
    assert numbers(host)[0] == 2


def test_another_error_with_an_image_is_told(host: FakeHost) -> None:
    """What is neither in use nor gone is the engine's trouble."""
    keep(host, *ten())
    host.engine.answers["DELETE /images/jupyterhub:1"] = EngineError(MANAGER, 500, "disk is read-only")
    with pytest.raises(EngineError, match="read-only"):
        record(host, release(11))


def test_rows_are_the_newest_first_with_a_star_at_what_runs() -> None:
    """Number, time, operator, commit, images by digest or id, and copy, as people read them."""
    known = [replace(release(1), copy=""), release(2, commit="0a1b2c3d", notebook_images=(f"sha256:{'b' * 64}",))]
    assert releases.rows(known, kept(spec("jupyterhub:1"))) == [
        ("  2", "2026-11-02 10:00:00", "ada@desk", "0a1b2c3d", "jupyterhub:2", "b" * 12, f"{NAME}-before-2.sqlite"),
        ("* 1", "2026-11-01 10:00:00", "ada@desk", "-", "jupyterhub:1", "a" * 12, "-"),
    ]


@pytest.mark.parametrize(
    ("running", "stars"),
    [("jupyterhub:3", ["* 3"]), ("jupyterhub:1", ["* 4"]), ("jupyterhub:9", []), ("", [])],
    ids=["the newest of it", "gone back to", "changed by hand", "no service"],
)
def test_the_star_is_at_the_newest_that_is_as_what_runs(running: str, stars: list[str]) -> None:
    """One that was gone back to is there twice; a service that somebody has changed by hand is none of them."""
    known = [release(1), release(2), release(3), release(4, "jupyterhub:1")]
    rows = releases.rows(known, kept(spec(running)) if running else None)
    assert [row[0] for row in rows if "*" in row[0]] == stars


def test_what_differs_in_the_settings_of_two_releases_is_told() -> None:
    """Field by field, from the old one to the new one."""
    new = release(2)
    new.settings["hub"]["port"] = 8443
    assert [(one.path, one.found, one.wanted) for one in releases.settings_between(release(1), new)] == [
        ("hub.port", 443, 8443)
    ]
