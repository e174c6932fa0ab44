"""What of a cluster is ours, and what is somebody else's."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from hub.shared.settings import FILE
from swarmhub.engine.removal import Thing
from swarmhub.engine.swarm import configs
from swarmhub.host import Output
from swarmhub.images.pull import kept
from swarmhub.teardown import leftovers
from tests.unit.support.fakes import DOMAIN, MANAGER, NOTEBOOK, WORKER1, FakeHost, settings

HUB = "jupyterhub"
SERVICE = {"swarmhub.service": HUB}


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        (None, False),
        ({}, False),
        ({"com.example": "1"}, False),
        (SERVICE, True),
        ({"swarmhub.notebooks": HUB}, True),
        ({"swarmhub.history": "entry"}, True),
        ({"swarmhub.service": "another-hub"}, False),
        ({"swarmhub.home": "another-hub", "swarmhub.user": "ada"}, False),
        ({"swarmhub.notebooks": "another-hub"}, False),
        ({"swarmhub.release": HUB}, True),
        ({"swarmhub.release": f"{HUB}-two"}, False),
        ({"swarmhub.history": HUB}, True),
        ({"swarmhub.history": f"{HUB}-two"}, False),
        ({"swarmhub.lock": "x", "swarmhub.lock.at": "y"}, False),
    ],
)
def test_labels_tell_whose_it_is(labels: dict[str, str] | None, ours: bool) -> None:
    """All that swarmhub labels is ours, but another hub's things, and the lock, which the run gives back itself."""
    assert leftovers.is_ours(labels, HUB) is ours


def test_what_is_nobodys_stays_for_the_last_hub() -> None:
    """An entry of the history that an older swarmhub has written may be the other hub's."""
    assert not leftovers.is_ours({"swarmhub.history": "entry"}, HUB, is_alone=False)
    assert leftovers.is_ours({"swarmhub.history": HUB}, HUB, is_alone=False)


def listed(id_: str, name: str, labels: dict[str, str] | None = None, network: str = "") -> dict[str, Any]:
    """Return something that the swarm keeps."""
    return {"ID": id_, "Spec": {"Name": name, "Labels": labels, "TaskTemplate": {"Networks": [{"Target": network}]}}}


def test_the_swarm_is_asked_for_what_is_ours() -> None:
    """Services, secrets, configs, network and node labels; strangers are told apart, and who of them is on our network."""
    node = {"ID": "n2", "Spec": {"Labels": {"swarmhub.waits": "image", "rack": "4"}}}
    answers = {
        "GET /services": [
            listed("s1", HUB, SERVICE, "net"),
            listed("s2", "jupyterhub-ada", {"swarmhub.notebooks": HUB}, "net"),
            listed("s3", "registry", None, "net"),
            listed("s5", "jupyterhub-proxy", SERVICE, "net-proxy"),
            listed("s4", "other"),
        ],
        "GET /secrets": [listed("x2", "b", SERVICE), listed("x1", "a", SERVICE), listed("x3", "theirs")],
        "GET /configs": [
            listed("c1", "history", {"swarmhub.history": "entry"}),
            listed("c2", "lock", {"swarmhub.lock": "x"}),
            listed("c3", "home-ada", {"swarmhub.home": HUB}),
            listed("c4", "theirs", {"swarmhub.home": "another"}),
        ],
        "GET /networks": [{"Name": f"jupyter{end}", "Id": f"net{end}"} for end in ("2", "", "-proxy")],
        "GET /nodes": [{"ID": "n1", "Spec": {}}, node],
    }
    found = leftovers.observe_cluster(FakeHost(answers=answers), settings())
    assert [one.name for one in found.services] == [HUB, "jupyterhub-ada", "jupyterhub-proxy"]
    assert found.secrets == (Thing("a", "/secrets/x1"), Thing("b", "/secrets/x2"))
    assert found.configs == (Thing("history", "/configs/c1"),)
    assert found.homes == (Thing("home-ada", "/configs/c3"),)
    assert found.networks == (Thing("network jupyter-proxy", "/networks/net-proxy"),)
    assert (found.shared, found.others) == ({"jupyter": ("registry",)}, leftovers.Others(frozenset({"s3", "s4"})))
    assert found.labels == {"n2": ("swarmhub.waits",)}


@pytest.mark.parametrize("is_file", [True, False], ids=["in a file", "of an earlier release"])
def test_labels_that_another_hub_needs_stay(is_file: bool) -> None:
    """Its servers would find no node any more."""
    handed = f'{{"notebook":{{"image":"quay.io/x@sha256:{"b" * 64}"}}}}'
    file = configs.reference(str(FILE), "other-settings", handed)
    other = listed("s2", "other", {"swarmhub.service": "other"})
    other["Spec"]["TaskTemplate"]["ContainerSpec"] = (
        {"Configs": [file]} if is_file else {"Env": [f"SWARMHUB_SETTINGS={handed}"]}
    )
    manager = FakeHost()
    configs.ensure(manager, other["Spec"], {"swarmhub.service": "other"})
    other["Spec"] = configs.bare(other["Spec"])
    labels = {f"swarmhub.image.{image}": "held" for image in ("aaaaaaaaaaaa", "bbbbbbbbbbbb")}
    labels |= {"swarmhub.host": "worker2.example.org", "swarmhub.waits": "image"}
    answers = {"GET /services": [other], "GET /nodes": [{"ID": "n2", "Spec": {"Labels": labels}}]}
    manager.engine.answers |= answers | {f"GET /{kind}": [] for kind in ("secrets", "networks")}
    found = leftovers.observe_cluster(manager, settings())
    assert found.labels == {"n2": ("swarmhub.image.aaaaaaaaaaaa",)}
    assert (found.others.hubs, found.others.images) == (frozenset({"other"}), frozenset({"bbbbbbbbbbbb"}))


def image(id_: str, *tags: str, labels: dict[str, str] | None = None, digests: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an image as an engine lists it."""
    return {"Id": id_, "RepoTags": list(tags), "RepoDigests": list(digests), "Labels": labels, "Size": 1_000_000}


def container(id_: str, image_id: str, **labels: str) -> dict[str, Any]:
    """Return a container that runs as an engine lists it."""
    return {"Id": id_, "Names": [f"/{id_}"], "ImageID": image_id, "Labels": labels, "State": "running"}


def task(id_: str, service: str, service_id: str = "s1", state: str = "exited") -> dict[str, Any]:
    """Return a container of a service's task."""
    labels = {leftovers.SERVICE_ID: service_id, "com.docker.swarm.service.name": service}
    return container(id_, "i", **labels) | {"State": state}


OTHERS = leftovers.Others(frozenset({"s3"}))


def cluster(others: leftovers.Others, *named: str) -> leftovers.OnCluster:
    """Return a swarm of which nothing is ours; `named` are the images of its releases."""
    return leftovers.OnCluster((), (), (), (), (), {}, {}, others, frozenset(named))


def on_node(
    name: str,
    images: Any = (),
    containers: Any = (),
    volumes: Any = None,
    others: leftovers.Others = OTHERS,
    named: Sequence[str] = (),
    **given: Any,
) -> leftovers.OnNode:
    """Return what a node with these images keeps of ours."""
    answers = {"GET /images/json": images, "GET /containers/json": containers, "GET /volumes": {"Volumes": volumes}}
    return leftovers.observe_node(FakeHost(name, answers), settings(**given), cluster(others, *named))


@pytest.mark.parametrize(
    ("one", "on_manager", "on_worker"),
    [
        (image("i", NOTEBOOK), [f"image {NOTEBOOK}"], [f"image {NOTEBOOK}"]),
        (image("i", "certbot/certbot:v5.1.0"), ["image certbot/certbot:v5.1.0"], []),
        (image("i", "debian:trixie-slim"), ["image debian:trixie-slim"], []),
        (image("i", f"{HUB}:0123456789ab", f"{HUB}:mine"), [f"image {HUB}:0123456789ab"], [f"image {HUB}:0123456789ab"]),
        (image("i", f"other-{HUB}:0123456789ab"), [], []),
        (image("i", kept("0123456789ab")), [f"image {kept('0123456789ab')}"], [f"image {kept('0123456789ab')}"]),
        (image("sha256:" + "b" * 64, labels={"swarmhub.image": "hub"}), [f"image {'b' * 12}"], [f"image {'b' * 12}"]),
        (image("i", "kept:hub", labels={"swarmhub.image": "hub"}), [], []),
        (image("sha256:" + "c" * 64), [], []),
        (
            image("sha256:" + "d" * 64, "<none>:<none>", digests=("quay.io/jupyter/base-notebook@sha256:e",)),
            [f"image {'d' * 12}"],
            [f"image {'d' * 12}"],
        ),
    ],
)
def test_images_are_ours_by_the_tags_that_we_set_or_name(one: Any, on_manager: list[str], on_worker: list[str]) -> None:
    """What is built and pulled on managers only is looked for there only; a foreign tag keeps an image."""
    found = [[thing.name for thing in on_node(name, [one]).images] for name in (MANAGER, WORKER1)]
    assert found == [on_manager, on_worker]


def test_an_image_is_known_however_it_is_spelled() -> None:
    """Engines list Docker Hub's by their short names, and one that was brought by a tag that says its digest."""
    named = (f"index.docker.io/big@sha256:{'d' * 64}", "docker.io/jupyter/own:1")
    listed = (image("i", f"big:sha256-{'d' * 64}"), image("j", "jupyter/own:1"), image("k", digests=("jupyter/own@sha256:e",)))
    assert len(on_node(WORKER1, listed, named=named).images) == 3


@pytest.mark.parametrize(
    ("user", "stays"),
    [
        (container("web", "i"), True),
        (container("task", "i", **{leftovers.SERVICE_ID: "s3"}), True),
        (container("task", "i", **{leftovers.SERVICE_ID: "s1"}), False),
        (container("certbot", "i", swarmhub="certs"), False),
        (container("web", "another"), False),
    ],
)
def test_an_image_that_others_use_stays(user: Any, stays: bool) -> None:
    """Containers of our own services and tools go anyway."""
    found = on_node(WORKER1, [image("i", NOTEBOOK)], [user])
    assert (found.in_use, len(found.images)) == (((NOTEBOOK,), 0) if stays else ((), 1))


@pytest.mark.parametrize(
    ("one", "goes"),
    [
        (image("i", NOTEBOOK, digests=(f"quay.io/jupyter/base-notebook@sha256:{'b' * 64}",)), False),
        (image("i", NOTEBOOK, digests=(f"quay.io/jupyter/base-notebook@sha256:{'a' * 64}",)), True),
        (image(f"sha256:{'b' * 64}", NOTEBOOK), False),
        (image(f"sha256:{'b' * 64}", digests=("quay.io/jupyter/base-notebook@sha256:e",)), False),
        (image("i", NOTEBOOK, kept("b" * 12)), False),
        (image("i", "debian:trixie-slim"), False),
        (image("i", "certbot/certbot:v5.1.0"), False),
        (image("i", f"{HUB}:0123456789ab"), True),
    ],
    ids=[
        "its servers'",
        "our servers'",
        "its servers', by id",
        "its servers', untagged",
        "its servers', by content",
        "base",
        "certbot",
        "our hub's",
    ],
)
def test_an_image_that_another_hub_needs_stays(one: Any, goes: bool) -> None:
    """Its servers run it, or it is built on it or asks for its certificate with it, though no container does just now."""
    other = leftovers.Others(frozenset({"s3"}), hubs=frozenset({"other"}), images=frozenset({"b" * 12}))
    assert bool(on_node(MANAGER, [one], others=other).images) is goes


BEFORE = "registry.lab:5000/scipy-notebook:2026-10-01"


def test_the_notebook_images_of_the_releases_are_known() -> None:
    """Those of profiles too, but not another hub's: its releases stay."""
    tables = {"notebook": {"image": BEFORE}, "profiles": [{"name": "Big", "image": "big:1"}, {"name": "Small"}]}
    release = {"number": 1, "hub_image": "h", "notebook_images": [], "spec": {}, "copy": ""}
    stored = [
        release_of(HUB, release | {"service": HUB, "settings": tables}),
        release_of("other", release | {"service": "other", "settings": {"notebook": {"image": "theirs:1"}}}),
    ]
    answers: dict[str, Any] = {f"GET /{kind}": [] for kind in ("services", "secrets", "networks", "nodes")}
    found = leftovers.observe_cluster(FakeHost(answers=answers | {"GET /configs": stored}), settings())
    assert found.named == {BEFORE, "big:1"}


def release_of(hub: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return a release as the swarm keeps it."""
    content = base64.b64encode(json.dumps(data).encode()).decode()
    return {
        "ID": hub,
        "UpdatedAt": "",
        "Spec": {"Name": f"{hub}-release-1", "Labels": {"swarmhub.release": hub}, "Data": content},
    }


USERS = {
    "nobody": ((), leftovers.Others(), True),
    "a container": ([container("web", "i")], leftovers.Others(), False),
    "a service, by digest": ((), leftovers.Others(used=frozenset({"b" * 12})), False),
    "a service, by tag": ((), leftovers.Others(used=frozenset({BEFORE})), False),
    "another hub's servers": ((), leftovers.Others(hubs=frozenset({"x"}), images=frozenset({"b" * 12})), False),
}


@pytest.mark.parametrize(("containers", "others", "goes"), USERS.values(), ids=USERS)
def test_an_image_that_only_a_release_names_goes_unless_something_uses_it(
    containers: Any, others: leftovers.Others, goes: bool
) -> None:
    """Earlier settings have brought it to the nodes; without such a release it is nobody's."""
    one = image("i", BEFORE, digests=(f"registry.lab:5000/scipy-notebook@sha256:{'b' * 64}",))
    found = on_node(WORKER1, [one], containers, others=others, named=[BEFORE])
    assert ([thing.name for thing in found.images], found.in_use) == (([f"image {BEFORE}"], ()) if goes else ([], (BEFORE,)))
    assert on_node(WORKER1, [one], others=others).images == ()


def test_an_image_that_two_hubs_have_built_loses_one_name() -> None:
    """What the other hub runs stays by the other hub's name for it."""
    used = container("task", "i", **{leftovers.SERVICE_ID: "s3"})
    names = [f"{HUB}{end}:0123456789ab" for end in ("", "-two")]
    found = on_node(MANAGER, [image("i", *names), image("j", "x:1")], [used])
    assert ([one.path for one in found.images], found.in_use) == ([f"/images/{names[0]}"], ())


@pytest.mark.parametrize(
    "names",
    [(f"{HUB}:0123456789ab",), (f"{HUB}:0123456789ab", f"{HUB}:ba9876543210"), (NOTEBOOK, "theirs:1")],
    ids=["one name", "names of ours only", "a name that we have not built"],
)
def test_an_image_in_use_keeps_its_last_name(names: tuple[str, ...]) -> None:
    """And a notebook's keeps all of them: by its name, others find it."""
    used = container("task", "i", **{leftovers.SERVICE_ID: "s3"})
    found = on_node(MANAGER, [image("i", *names)], [used])
    assert (found.images, found.in_use) == ((), tuple(name for name in names if name != "theirs:1"))


def test_a_certificate_that_another_hub_serves_stays() -> None:
    """Two hubs of one domain differ in their ports."""
    commands = {"ls /etc/letsencrypt/renewal": Output(0, f"{DOMAIN}.conf\n", "")}
    answers = {"GET /images/json": [], "GET /containers/json": [], "GET /volumes": {"Volumes": []}}
    for folder in (f"live/{DOMAIN}", f"own/{DOMAIN}/current"):
        other = leftovers.Others(environments=({"SSL_CERT": f"/etc/letsencrypt/{folder}/fullchain.pem"},))
        assert leftovers.observe_node(FakeHost(MANAGER, answers, commands), settings(), cluster(other)).certificate == ()


def test_a_tool_that_was_left_is_ours() -> None:
    """A certbot that a Ctrl-C has left, and no task of a service."""
    containers = [container("certbot", "i", swarmhub="certs"), container("task", "i", **{leftovers.SERVICE_ID: "s1"} | SERVICE)]
    assert on_node(MANAGER, [], containers).containers == (Thing("container certbot", "/containers/certbot"),)


def test_tasks_that_have_ended_are_told() -> None:
    """Of the hub, of what is beside it and of its servers, whose services may be gone; no other service's, none that runs."""
    ended = [task("hub.1", HUB), task("filter.1", f"{HUB}-engine", state="dead"), task("wall.1", f"{HUB}_firewall")]
    others = [task("hub.2", HUB, state="running"), task("db.1", "db"), task("two.1", f"{HUB}-two", "s3"), container("web", "i")]
    found = on_node(WORKER1, [], [*ended, *others])
    assert [thing.name for thing in found.ended] == ["hub.1", "filter.1", "wall.1"]
    assert found.containers == ()


def test_volumes_of_the_hub_are_ours() -> None:
    """By whole name or label; a filter's goes with every teardown: there is a socket in it, of a filter that may be gone.

    `jupyterhub-test-data` is another hub's, `jupyterhub-user-ada` a home from before.
    """
    names = ("jupyterhub-data", "jupyterhub-user-ada", "jupyterhub-test-data", "registry", "jupyterhub-engine")
    found = on_node(WORKER1, volumes=[{"Name": name, "Labels": None} for name in names])
    assert [thing.path for thing in found.volumes] == ["/volumes/jupyterhub-data"]
    assert [thing.path for thing in found.temporary] == ["/volumes/jupyterhub-engine"]


def test_what_a_transfer_kept_of_an_image_goes_with_every_teardown() -> None:
    """Nothing in it is anybody's."""
    found = on_node(WORKER1, volumes=[{"Name": f"{HUB}_transfer", "Labels": {"swarmhub.service": HUB}}])
    assert ([thing.path for thing in found.temporary], found.volumes) == ([f"/volumes/{HUB}_transfer"], ())


def test_what_backups_and_drills_have_left_goes_with_every_teardown() -> None:
    """What restic remembers of the repository, and the copy in which a drill that was killed has booted a hub."""
    names = [f"{HUB}_drill", f"{HUB}_drill-schedule", f"{HUB}_restic"]
    found = on_node(WORKER1, volumes=[{"Name": name, "Labels": {"swarmhub.drill": HUB}} for name in names])
    assert ([thing.path for thing in found.temporary], found.volumes) == ([f"/volumes/{name}" for name in names], ())


@pytest.mark.parametrize(("hub", "is_found"), [(HUB, True), (f"{HUB}2", False)])
def test_a_volume_with_the_label_of_another_hub_is_that_hubs(hub: str, is_found: bool) -> None:
    """The copies of its database, of which nothing is in use."""
    found = on_node(WORKER1, volumes=[{"Name": "kept", "Labels": {"swarmhub.backups": hub}}])
    assert bool(found.volumes) is is_found


def test_a_volume_that_is_called_like_that_of_the_copies_is_ours_by_its_label() -> None:
    """A stack called like the hub may have a volume `backups`: its data are not the hub's to remove."""
    assert on_node(WORKER1, volumes=[{"Name": f"{HUB}_backups", "Labels": {"com.docker.stack.namespace": HUB}}]).volumes == ()
    found = on_node(WORKER1, volumes=[{"Name": f"{HUB}_backups", "Labels": {"swarmhub.backups": HUB}}])
    assert [thing.path for thing in found.volumes] == [f"/volumes/{HUB}_backups"]


def test_homes_are_told_from_other_volumes() -> None:
    """By their label, which says whose hub's they are, too; a name alone does not make one."""
    homes = [{"Name": f"jupyterhub-home-{hub}", "Labels": {"swarmhub.home": hub}} for hub in (HUB, "another")]
    found = on_node(WORKER1, volumes=[*homes, {"Name": "jupyterhub-home-x", "Labels": None}])
    assert [thing.name for thing in found.homes] == [f"jupyterhub-home-{HUB}"]
    assert found.volumes == ()


def test_homes_that_somebody_else_has_made_are_not_ours_to_remove() -> None:
    """They have no label, and settings that name them change nothing about that."""
    home = {"name": "jupyterhub-user-{username}"}
    found = on_node(WORKER1, volumes=[{"Name": "jupyterhub-user-ada", "Labels": None}], home=home)
    assert (found.homes, found.volumes, found.by_hand) == ((), (), ("jupyterhub-user-ada",))


@pytest.mark.parametrize(
    ("renewals", "own", "exists", "paths"),
    [
        (f"{DOMAIN}.conf\n", "", True, ("",)),
        ("", "", True, ("",)),
        ("", "", False, ()),
        (
            f"{DOMAIN}.conf\nwww.example.org.conf\n",
            "",
            True,
            (f"/live/{DOMAIN}", f"/archive/{DOMAIN}", f"/renewal/{DOMAIN}.conf", f"/swarmhub-renewal-{HUB}.json"),
        ),
        ("www.example.org.conf\n", "", True, ()),
        ("", f"{DOMAIN}\n", True, ("",)),
        (f"{DOMAIN}.conf\n", f"{DOMAIN}\n", True, ("",)),
        ("www.example.org.conf\n", f"{DOMAIN}\n", True, (f"/own/{DOMAIN}",)),
        ("", f"{DOMAIN}\nwww.example.org\n", True, (f"/own/{DOMAIN}",)),
        ("", "www.example.org\n", True, ()),
    ],
)
def test_other_domains_keep_their_certificates(renewals: str, own: str, exists: bool, paths: tuple[str, ...]) -> None:
    """The whole folder goes only if no other certificate, certbot's or the operator's own, is in it.

    On a node that is no manager, it goes only if it tells that the hub was there.
    """
    found = [with_certificates(name, renewals, own, exists=exists) for name in (MANAGER, WORKER1)]
    there = tuple(f"/etc/letsencrypt{path}" for path in paths)
    assert [one.certificate for one in found] == [there, there if DOMAIN in renewals + own else ()]


def with_certificates(name: str, renewals: str, own: str, *, exists: bool = True, images: Any = ()) -> leftovers.OnNode:
    """Return what a node with these files in certbot's folder keeps."""
    commands = {
        "ls /etc/letsencrypt/renewal": Output(0 if renewals else 2, renewals, ""),
        "ls /etc/letsencrypt/own": Output(0 if own else 2, own, ""),
        "test -d /etc/letsencrypt": Output(0 if exists else 1, "", ""),
    }
    answers = {"GET /images/json": images, "GET /containers/json": [], "GET /volumes": {"Volumes": []}}
    return leftovers.observe_node(FakeHost(name, answers, commands), settings(), cluster(leftovers.Others()))


@pytest.mark.parametrize(("renewals", "goes"), [(f"{DOMAIN}.conf\n", True), ("www.example.org.conf\n", False)])
def test_a_node_that_the_hub_has_left_loses_what_the_hub_has_brought(renewals: str, goes: bool) -> None:
    """It may be a worker by now; its certificate tells."""
    found = with_certificates(WORKER1, renewals, "", images=[image("i", "certbot/certbot:v5.1.0")])
    assert bool(found.images) is bool(found.certificate) is goes
