"""The notebook images: which ones they shall be, who holds them, and the pulls that are needed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from swarmhub.errors import StepError, StepErrors
from swarmhub.host import EngineError
from swarmhub.images import pull as images
from swarmhub.images.pull import Giver, Held, Holding
from swarmhub.plan.differences import known_after
from swarmhub.plan.plans import Plan
from tests.unit.support.fakes import EXTRA, MANAGER, NOTEBOOK, WORKER1, WORKER2, FakeHost, FakeProgress

NAME = "quay.io/jupyter/base-notebook"
OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
ID, OTHER_ID = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
HOLDS_OLD, HOLDS_NEW = Held(ID, frozenset({OLD})), Held(OTHER_ID, frozenset({NEW}))
LOADED, LOADED_OTHER = Held(ID, frozenset()), Held(OTHER_ID, frozenset())


@pytest.mark.parametrize(
    ("image", "name", "version"),
    [
        ("debian", "debian", "latest"),
        ("debian:trixie-slim", "debian", "trixie-slim"),
        ("quay.io/jupyter/base-notebook:hub-6.1.1", "quay.io/jupyter/base-notebook", "hub-6.1.1"),
        ("registry.lab:5000/notebook", "registry.lab:5000/notebook", "latest"),
        ("registry.lab:5000/notebook:lab", "registry.lab:5000/notebook", "lab"),
        (f"debian@{OLD}", "debian", OLD),
        (f"registry.lab:5000/notebook:lab@{OLD}", "registry.lab:5000/notebook", OLD),
    ],
)
def test_a_reference_is_split_into_name_and_version(image: str, name: str, version: str) -> None:
    """A registry's port is no tag, no tag means latest, and a digest outweighs a tag."""
    assert images.split(image) == (name, version)


def node(image: str, *digests: str, id_: str = ID) -> FakeHost:
    """Return a node that holds the image under these registry digests."""
    answer = {"Id": id_, "RepoTags": [image], "RepoDigests": list(digests), "Size": 1, "Architecture": "amd64"}
    return FakeHost(answers={f"GET /images/{image}/json": answer})


def test_digests_of_other_repositories_do_not_count() -> None:
    """An image that was pushed elsewhere too is known by the digests of the wanted repository only."""
    assert images.observe(node(NOTEBOOK, f"{NAME}@{OLD}", f"registry.lab:5000/copy@{NEW}"), NOTEBOOK) == HOLDS_OLD


@pytest.mark.parametrize(
    "image",
    [
        "debian:12",
        "library/debian:12",
        "docker.io/debian:12",
        "docker.io/library/debian:12",
        "index.docker.io/debian:12",
        "index.docker.io/library/debian:12",
    ],
)
def test_docker_hubs_names_are_one(image: str) -> None:
    """However Docker Hub's image is spelt, the engine's short name for it is understood."""
    assert images.observe(node(image, f"debian@{OLD}"), image) == HOLDS_OLD
    assert "debian:12" in images.spellings(image)


def test_another_registrys_name_is_its_own() -> None:
    """Whatever it begins with."""
    for image in ("index.example.org/debian:12", "docker.io.example.org/debian:12", "localhost:5000/library/debian:12"):
        assert images.spellings(image) == {image}


def test_an_image_that_was_never_in_a_registry_has_no_digest() -> None:
    """An engine gives null for the digests of an image that was built or loaded there."""
    host = FakeHost(answers={f"GET /images/{NOTEBOOK}/json": {"Id": ID, "RepoDigests": None}})
    assert images.observe(host, NOTEBOOK) == LOADED


def test_an_image_of_a_digest_that_no_registry_has_told_is_known_by_a_tag() -> None:
    """A bundle or another node has brought it; no engine takes a digest for a tag."""
    image, tag = f"{NAME}:hub-6.1.1@{OLD}", f"{NAME}:sha256-{'a' * 64}"
    assert (images.local(image), images.local(NOTEBOOK)) == (tag, NOTEBOOK)
    assert images.observe(node(tag), image) == LOADED


def test_the_same_content_is_known_on_engines_with_other_ids() -> None:
    """An engine with containerd's store has another id for it; made of other layers, or at another time, it is another."""
    one = {"Id": ID, "Created": "2026-11-29T12:00:00.123456789Z", "RootFS": {"Layers": ["a", "b"]}}
    assert images.fingerprint(one) == images.fingerprint(one | {"Id": OTHER_ID, "Created": "2026-11-29T12:00:00.12Z"})
    others = ({"Created": "2026-11-29T12:00:01Z"}, {"RootFS": {"Layers": ["a"]}}, {"RootFS": {"Layers": ["ab"]}})
    assert len({images.fingerprint(one | other) for other in ({}, *others)}) == 4


@pytest.mark.parametrize(
    "says",
    [{"Cmd": ["x"]}, {"Entrypoint": ["x"]}, {"Env": ["A=2"]}, {"Labels": {"a": "b"}}, {"User": "1"}, {"WorkingDir": "/a"}],
)
def test_images_of_the_same_layers_are_told_apart_by_what_they_say(says: dict[str, Any]) -> None:
    """BuildKit gives one that only sets a variable the time of the image below; engines show what is empty in two ways."""
    one = {"Id": ID, "Created": "2026-11-29T12:00:00Z", "RootFS": {"Layers": ["a"]}, "Config": {"Env": ["A=1"]}}
    assert images.fingerprint(one) != images.fingerprint(one | {"Config": {"Env": ["A=1"], **says}})
    assert images.fingerprint(one) == images.fingerprint(one | {"Config": {"Cmd": None, "Labels": {}, "Env": ["A=1"]}})


def test_an_image_has_the_name_of_its_content_where_a_node_has_given_it_that() -> None:
    """Whatever its tag is; an image by the same tag with another content has another name."""
    found = {"Id": ID, "RepoTags": [NOTEBOOK]}
    host = FakeHost(answers={f"GET /images/{NOTEBOOK}/json": lambda _: found})
    before = images.observe(host, NOTEBOOK)
    assert before
    found["RepoTags"] = [NOTEBOOK, images.kept(before.content)]
    after = images.observe(host, NOTEBOOK)
    assert [images.holds(one, images.kept(before.content)) for one in (before, after)] == [False, True]


# The same image, as engines keep it differently.
CONTENT = images.kept("0f3a5f9a8dda")
PLAIN, OTHERWISE = (replace(one, content="0f3a5f9a8dda") for one in (LOADED, LOADED_OTHER))
PULLED = replace(HOLDS_OLD, content="0f3a5f9a8dda")
NAMED, NAMED_OTHERWISE = (replace(one, is_kept=True) for one in (PLAIN, OTHERWISE))


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ([PLAIN, PLAIN], ID),
        ([PLAIN, OTHERWISE, OTHERWISE], CONTENT),
        ([PLAIN, replace(LOADED_OTHER, content="another12345")], ID),
        # Brought to an engine that makes a digest of its own of it.
        ([PULLED, replace(OTHERWISE, digests=frozenset({OTHER_ID}))], CONTENT),
        # Pushed once more, compressed otherwise.
        ([PULLED, PULLED, replace(PULLED, digests=frozenset({NEW}), id=OTHER_ID)], OLD),
        ([PULLED, PULLED, OTHERWISE], CONTENT),
        ([PULLED, replace(PULLED, id=OTHER_ID)], OLD),
        # Once all know the name they keep it; not those that a registry has given one digest.
        ([NAMED], CONTENT),
        ([NAMED, NAMED_OTHERWISE, None], CONTENT),
        ([NAMED, OTHERWISE], CONTENT),
        ([replace(PULLED, is_kept=True)] * 2, OLD),
    ],
)
def test_where_engines_have_different_ids_for_an_image_it_is_known_by_its_content(held: list[Held | None], wanted: str) -> None:
    """Where one has containerd keep its images."""
    assert images.chosen(NOTEBOOK, dict(zip((MANAGER, WORKER1, WORKER2), held, strict=False))) == wanted


def test_what_no_registry_has_is_wanted_by_its_content() -> None:
    """Also before another engine holds it; what a registry has keeps its digest."""
    held: dict[str, Holding] = {MANAGER: {NOTEBOOK: PLAIN, EXTRA: PULLED}, WORKER1: {NOTEBOOK: None, EXTRA: None}}
    assert images.by_content({NOTEBOOK: ID, EXTRA: OLD}, held) == {NOTEBOOK: CONTENT, EXTRA: OLD}
    assert images.by_content({NOTEBOOK: CONTENT}, {MANAGER: {NOTEBOOK: NAMED}}) == {NOTEBOOK: CONTENT}


def test_a_node_learns_the_name_of_what_it_has_and_is_brought_what_it_lacks() -> None:
    """The node that gives it learns the name, too; the one that gets it when it is there."""
    brought: list[str] = []
    giver = Giver(MANAGER, lambda host, _: brought.append(host.name))
    held: dict[str, Holding] = {
        MANAGER: {NOTEBOOK: PLAIN},
        WORKER1: {NOTEBOOK: None},
        WORKER2: {NOTEBOOK: NAMED_OTHERWISE},
    }
    assert images.sources({NOTEBOOK: CONTENT}, held) == {NOTEBOOK: MANAGER}
    tag, bring = images.plan({NOTEBOOK: CONTENT}, held, {NOTEBOOK: giver}).changes
    assert [one.sentence for one in (tag, bring)] == [f"tag {NOTEBOOK} on {MANAGER}", f"bring image {NOTEBOOK} on {WORKER1}"]
    host = FakeHost(WORKER1)
    bring.apply(host, FakeProgress())
    assert brought == [WORKER1]
    assert host.engine.sent(f"POST /images/{NOTEBOOK}/tag").params == dict(
        zip(("repo", "tag"), images.split(CONTENT), strict=True)
    )


def test_what_is_yet_to_be_built_is_given_the_name_of_its_content_where_it_is_built() -> None:
    """The plan says so before, or it would be another one then."""
    later, nobody = known_after("build-notebook"), {MANAGER: {NOTEBOOK: None}, WORKER1: {NOTEBOOK: None}}
    planned = [
        [one.sentence for one in images.plan({NOTEBOOK: later}, nobody, {NOTEBOOK: replace(giver, is_named=named)}).changes]
        for giver in (Giver(MANAGER, lambda host, progress: None),)
        for named in (False, True)
    ]
    brought = f"bring image {NOTEBOOK} on {WORKER1}"
    assert planned == [[brought], [f"tag {NOTEBOOK} on {MANAGER}", brought]]


def test_an_image_that_is_known_by_its_content_is_handed_to_the_hub_by_that_name() -> None:
    """And is short where people read it, and in labels."""
    assert images.pinned(NOTEBOOK, CONTENT, NAMED) == CONTENT
    assert (images.digest_of(CONTENT), images.short(CONTENT), images.short(OLD)) == (CONTENT, "0f3a5f9a8dda", "a" * 12)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("Get https://quay.io/v2/: dial tcp: lookup quay.io: no such host", "fab deploy --bundle FILE"),
        ("net/http: request canceled while waiting for connection (Client.Timeout exceeded)", "fab deploy --bundle FILE"),
        ("manifest unknown", "Check the name and the tag"),
    ],
)
def test_a_registry_that_is_not_reached_leads_to_the_bundle(said: str, remedy: str) -> None:
    """At the question which image it is, and at the pull; one that does not know the image does not."""
    error = EngineError(MANAGER, 500, said)
    host = FakeHost(answers={f"GET /distribution/{NOTEBOOK}/json": error, "POST /images/create": error})
    (change,) = images.plan({NOTEBOOK: NEW}, {MANAGER: {NOTEBOOK: None}}).changes
    for ask in (partial(images.ask_registry, host, NOTEBOOK), partial(change.apply, host, FakeProgress())):
        with pytest.raises(StepError) as raised:
            ask()
        assert (said in raised.value.cause, remedy in raised.value.remedy) == (True, True)


@pytest.mark.parametrize(
    ("image", "held", "wanted"),
    [
        (f"{NAME}@{NEW}", {MANAGER: HOLDS_OLD, WORKER1: HOLDS_OLD}, NEW),
        (f"{NAME}@{NEW}", {MANAGER: LOADED, WORKER1: None}, ID),
        (f"{NAME}@{OLD}", {MANAGER: LOADED, WORKER1: HOLDS_OLD}, ID),
        (f"{NAME}@{NEW}", {MANAGER: None, WORKER1: None}, NEW),
        (NOTEBOOK, {MANAGER: HOLDS_NEW, WORKER1: HOLDS_OLD, WORKER2: HOLDS_OLD}, OLD),
        (NOTEBOOK, {MANAGER: None, WORKER1: HOLDS_OLD, WORKER2: None}, OLD),
        (NOTEBOOK, {MANAGER: LOADED_OTHER, WORKER1: LOADED, WORKER2: LOADED}, ID),
        (NOTEBOOK, {MANAGER: LOADED, WORKER1: LOADED, WORKER2: HOLDS_NEW}, NEW),
        (NOTEBOOK, {MANAGER: HOLDS_OLD, WORKER1: LOADED, WORKER2: HOLDS_OLD}, ID),
        (NOTEBOOK, {MANAGER: HOLDS_OLD, WORKER1: LOADED, WORKER2: Held("sha256:3", frozenset({OLD}))}, OLD),
        (NOTEBOOK, {MANAGER: None, WORKER1: None}, None),
        (NOTEBOOK, {}, None),
    ],
    ids=[
        "a digest says it",
        "a digest whose image was brought",
        "a digest whose image was brought to some",
        "a digest whose image nobody holds",
        "most hold it",
        "one holds it",
        "loaded by most",
        "a registry's before a loaded",
        "brought to one from another",
        "brought, and one has it by another id",
        "none",
        "nobody",
    ],
)
def test_what_most_nodes_hold_is_chosen(image: str, held: Mapping[str, Held | None], wanted: str | None) -> None:
    """A reference with a digest says what is wanted; else it is what most nodes hold, and nothing if none does."""
    assert images.chosen(image, held) == wanted


class InOrder(frozenset[str]):
    """A set that is walked in the order given: a plain one's order changes from process to process."""

    order: tuple[str, ...]

    def __new__(cls, *items: str) -> "InOrder":
        made = super().__new__(cls, items)
        made.order = items
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self.order)


def test_two_digests_of_one_image_do_not_take_turns() -> None:
    """Where an image has two digests, every run chooses the same one: another one would restart the hub."""
    choices = {images.chosen(NOTEBOOK, {MANAGER: Held(ID, digests)}) for digests in (InOrder(OLD, NEW), InOrder(NEW, OLD))}
    assert len(choices) == 1


def test_the_registry_is_asked_through_the_manager() -> None:
    """The digest of the tag comes from the manager's engine, which sees the registry as the nodes do."""
    answer = {"Descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": NEW, "size": 1609}}
    assert images.ask_registry(FakeHost(answers={f"GET /distribution/{NOTEBOOK}/json": answer}), NOTEBOOK) == NEW


def test_a_registry_that_does_not_know_the_image_is_an_error() -> None:
    """The error names the manager, the image, what the registry said and what helps."""
    said = EngineError(MANAGER, 404, f"manifest unknown: {NOTEBOOK}")
    with pytest.raises(StepError) as error:
        images.ask_registry(FakeHost(answers={f"GET /distribution/{NOTEBOOK}/json": said}), NOTEBOOK)
    assert str(error.value) == (
        f"{MANAGER}: no node holds {NOTEBOOK}, and its registry does not give it: manifest unknown: {NOTEBOOK}. "
        "Check the name and the tag"
    )


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "/etc/docker/certs.d/REGISTRY/ca.crt",
        ),
        ('Get "https://registry.lab:5000/v2/": http: server gave HTTP response to HTTPS client', "insecure-registries"),
        ("toomanyrequests: You have reached your pull rate limit", "limits pulls: log in"),
        ("httpReadSeeker: failed open: unexpected status code: 429 Too Many Requests", "limits pulls: log in"),
        (
            "failed to authorize: failed to fetch oauth token: unexpected status: 403 Forbidden",
            "your login on this machine may",
        ),
        ("dial tcp 10.0.0.9:443: i/o timeout", "fab deploy --bundle FILE"),
        ("manifest unknown", "Check the name and the tag"),
    ],
)
def test_what_engines_say_of_a_registry_has_a_remedy(said: str, remedy: str) -> None:
    """Engines with either store say it in words of their own."""
    assert remedy in images.helps(EngineError(MANAGER, 500, said))


LOST = StepError(WORKER1, "cannot reach it", "Is it up?")


def test_nodes_that_could_not_be_asked_are_left_out() -> None:
    """What the others hold is returned; where no needed node answers there is nothing to pull, and a bug is one."""
    both: dict[str, Any] = {MANAGER: HOLDS_OLD, WORKER1: LOST}
    assert images.reached(both | {WORKER2: None}, [MANAGER, WORKER1]) == {MANAGER: HOLDS_OLD, WORKER2: None}
    with pytest.raises(StepErrors) as error:
        images.reached(both | {WORKER2: StepError(WORKER2, "is lost too", "Nobody needs it")}, [WORKER1])
    assert error.value.errors == (LOST,)


@pytest.mark.parametrize(
    ("held", "wanted", "answer"),
    [(HOLDS_OLD, OLD, True), (HOLDS_OLD, ID, True), (HOLDS_OLD, NEW, False), (LOADED, ID, True), (None, ID, False)],
)
def test_a_node_holds_an_image_by_its_digest_or_its_id(held: Held | None, wanted: str, answer: bool) -> None:
    """An image is the wanted one if its id or one of its digests is."""
    assert images.holds(held, wanted) is answer


def test_a_node_is_asked_for_each_image() -> None:
    """What it does not hold is among the answers."""
    assert images.observe_all(node(NOTEBOOK, f"{NAME}@{OLD}"), [NOTEBOOK, EXTRA]) == {NOTEBOOK: HOLDS_OLD, EXTRA: None}


def test_what_a_node_lacks_is_what_it_does_not_hold_as_wanted() -> None:
    """In the order of the settings."""
    assert images.lacking({NOTEBOOK: OLD, EXTRA: NEW}, {NOTEBOOK: HOLDS_OLD, EXTRA: None}) == [EXTRA]
    assert images.lacking({NOTEBOOK: NEW, EXTRA: OLD}, {NOTEBOOK: HOLDS_OLD, EXTRA: None}) == [NOTEBOOK, EXTRA]


def refused(seen: Mapping[str, Held | StepError | None]) -> dict[str, str]:
    """Return the nodes that verification refuses, and what it says of them."""
    try:
        images.verify(
            {NOTEBOOK: OLD}, {host: one if isinstance(one, StepError) else {NOTEBOOK: one} for host, one in seen.items()}
        )
    except StepErrors as error:
        return {one.host: str(error) for one in error.errors}
    return {}


def test_nodes_that_all_hold_the_image_pass() -> None:
    """A node that holds the image under several digests holds it as well as one that knows it by one."""
    assert refused({MANAGER: HOLDS_OLD, WORKER1: Held(OTHER_ID, frozenset({OLD, NEW}))}) == {}


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (None, f"holds no {NOTEBOOK}, wanted aaaaaaaaaaaa. Try there: docker pull {NOTEBOOK}"),
        (HOLDS_NEW, f"holds another {NOTEBOOK}: 222222222222, wanted aaaaaaaaaaaa. Try there: docker pull {NOTEBOOK}"),
        (LOST, "cannot reach it. Is it up?"),
    ],
)
def test_a_node_without_the_same_image_is_named(seen: Held | StepError | None, said: str) -> None:
    """A node that holds none, another one, or could not be asked, fails the step with its name."""
    assert refused({MANAGER: HOLDS_OLD, WORKER1: seen}) == {WORKER1: f"{WORKER1}: {said}"}


def test_every_image_that_a_node_lacks_is_named() -> None:
    """One line for each, and for every node."""
    assert set(refused({MANAGER: None, WORKER1: LOST, WORKER2: HOLDS_NEW})) == {MANAGER, WORKER1, WORKER2}
    with pytest.raises(StepErrors) as error:
        images.verify({NOTEBOOK: OLD, EXTRA: NEW}, {WORKER1: {NOTEBOOK: None, EXTRA: HOLDS_OLD}})
    assert [(one.host, one.cause.split()[2].rstrip(",:")) for one in error.value.errors] == [
        (WORKER1, NOTEBOOK),
        (WORKER1, EXTRA),
    ]


def planned(wanted: str, held: Mapping[str, Held | None]) -> Plan:
    """Return the pulls of one image."""
    return images.plan({NOTEBOOK: wanted}, {host: {NOTEBOOK: one} for host, one in held.items()})


def test_where_every_node_holds_it_the_plan_says_so() -> None:
    """With nothing to pull, the summary names each image and on how many nodes it is."""
    holding = {NOTEBOOK: HOLDS_OLD, EXTRA: HOLDS_NEW}
    plan = images.plan({NOTEBOOK: OLD, EXTRA: NEW}, {MANAGER: holding, WORKER1: holding})
    same = f"{NOTEBOOK}: aaaaaaaaaaaa on 2 of 2 nodes; {EXTRA}: bbbbbbbbbbbb on 2 of 2 nodes"
    assert (plan.changes, plan.summary) == ((), same)


def test_each_missing_image_is_a_pull() -> None:
    """By node, in the order of the settings."""
    plan = images.plan(
        {NOTEBOOK: OLD, EXTRA: NEW}, {MANAGER: {NOTEBOOK: None, EXTRA: None}, WORKER1: {NOTEBOOK: HOLDS_OLD, EXTRA: None}}
    )
    assert [(one.what, one.host) for one in plan.changes] == [(NOTEBOOK, MANAGER), (EXTRA, MANAGER), (EXTRA, WORKER1)]


@pytest.mark.parametrize(("wanted", "held", "reference"), [(OLD, HOLDS_OLD, f"{NAME}@{OLD}"), (ID, LOADED, ID), (ID, None, ID)])
def test_the_hub_is_given_a_reference_that_cannot_move(wanted: str, held: Held | None, reference: str) -> None:
    """The hub's reference is the name at its digest, or the id of an image that no registry knows; never a tag."""
    assert images.pinned(NOTEBOOK, wanted, held) == reference


def pull(image: str, wanted: str, events: list[dict[str, Any]]) -> tuple[FakeHost, FakeProgress]:
    """Pull an image on a worker whose engine reports these events."""
    host, progress = FakeHost(WORKER1, {"POST /images/create": events}), FakeProgress()
    (change,) = images.plan({image: wanted}, {WORKER1: {image: None}}).changes
    change.apply(host, progress)
    return host, progress


def test_what_is_pulled_is_the_digest() -> None:
    """Not the tag, which is set afterwards so that pruning does not take the image."""
    host, _ = pull(NOTEBOOK, OLD, [])
    assert host.engine.sent("POST /images/create").params == {"fromImage": NAME, "tag": OLD}
    assert host.engine.sent(f"POST /images/{NAME}@{OLD}/tag").params == {"repo": NAME, "tag": "hub-6.1.1"}


@pytest.mark.parametrize("image", [f"{NAME}@{OLD}", f"{NOTEBOOK}@{OLD}"])
def test_an_image_that_is_named_by_digest_gets_a_tag_that_says_it(image: str) -> None:
    """The one by which it is known where it came from no registry; a tag of hosts.toml may be another image's."""
    host, _ = pull(image, OLD, [])
    assert host.engine.sent(f"POST /images/{NAME}@{OLD}/tag").params == {"repo": NAME, "tag": OLD.replace(":", "-")}


def test_progress_is_the_sum_of_the_layers() -> None:
    """Bytes come and bytes known are added up over the layers; a layer that is complete counts in full."""
    _, progress = pull(
        NOTEBOOK,
        OLD,
        [
            {"status": "Pulling from jupyter/base-notebook", "id": OLD},
            {"status": "Already exists", "progressDetail": {}, "id": "base"},
            {"status": "Downloading", "progressDetail": {"current": 10, "total": 100}, "id": "one"},
            {"status": "Downloading", "progressDetail": {"current": 5, "total": 50}, "id": "two"},
            {"status": "Download complete", "progressDetail": {}, "id": "one"},
            {"status": "Extracting", "progressDetail": {"current": 1, "total": 100}, "id": "one"},
        ],
    )
    assert progress.amounts == [
        (WORKER1, done, total) for done, total in [(0, 0), (0, 0), (10, 100), (15, 150), (105, 150), (105, 150)]
    ]


def test_a_pull_says_what_is_there_and_what_is_wanted() -> None:
    """Where it is needed, independent of each other; short digests, or the id of an image that no registry knows."""
    held: dict[str, Held | None] = {MANAGER: HOLDS_OLD, WORKER1: None, WORKER2: LOADED, "other": HOLDS_NEW}
    plan = planned(NEW, held)
    assert ([one.host for one in plan.changes], plan.at_once) == ([MANAGER, WORKER1, WORKER2], True)
    shown = [change.differences[0] for change in plan.changes]
    assert [(item.found, item.wanted) for item in shown] == [("a" * 12, "b" * 12), (None, "b" * 12), ("1" * 12, "b" * 12)]
    assert plan.changes[0].command == f"docker pull {NAME}@{NEW}"


@pytest.mark.parametrize(("held", "gist"), [(None, images.short(NEW)), (HOLDS_OLD, "")])
def test_a_first_pull_is_a_line(held: Held | None, gist: str) -> None:
    """Where another image is there, both are told as a difference."""
    (pull,) = images.plan({NOTEBOOK: NEW}, {MANAGER: {NOTEBOOK: held}}).changes
    assert pull.gist == gist


def test_an_image_that_was_built_here_has_no_registrys_digest() -> None:
    """Engines with containerd's store give it one; by its label it is known. A copy in a registry has one."""
    answer = {"Id": ID, "Config": {"Labels": {"swarmhub.image": "jupyterhub-notebook"}}}
    built = answer | {"RepoDigests": [f"jupyterhub-notebook@{OLD}"]}
    host = FakeHost(answers={"GET /images/jupyterhub-notebook:1/json": built})
    assert images.observe(host, "jupyterhub-notebook:1") == LOADED
    copy = answer | {"RepoDigests": [f"{NAME}@{OLD}"]}
    assert images.observe(FakeHost(answers={f"GET /images/{NOTEBOOK}/json": copy}), NOTEBOOK) == HOLDS_OLD


def test_a_node_gives_what_no_registry_has() -> None:
    """What one does have is pulled from there."""
    held = {MANAGER: {NOTEBOOK: None, EXTRA: HOLDS_OLD}, WORKER1: {NOTEBOOK: LOADED, EXTRA: None}}
    assert images.sources({NOTEBOOK: ID, EXTRA: OLD}, held) == {NOTEBOOK: WORKER1}


def test_an_image_is_brought_from_the_node_that_gives_it(progress: FakeProgress) -> None:
    """And what registries have is pulled, apart from that."""
    brought: list[str] = []
    giver = Giver(WORKER1, lambda host, _: brought.append(host.name))
    held: dict[str, dict[str, Held | None]] = {
        MANAGER: {NOTEBOOK: None, EXTRA: None},
        WORKER1: {NOTEBOOK: None, EXTRA: HOLDS_OLD},
    }
    pulls, brings = images.apart(images.plan({NOTEBOOK: ID, EXTRA: OLD}, held, {NOTEBOOK: giver}))
    assert [change.sentence for change in pulls.changes] == [f"pull {EXTRA} on {MANAGER}"]
    (change,) = brings.changes
    assert (change.sentence, change.gist) == (f"bring image {NOTEBOOK} on {MANAGER}", f"{'1' * 12} from {WORKER1}")
    change.apply(FakeHost(), progress)
    assert brought == [FakeHost().name]
