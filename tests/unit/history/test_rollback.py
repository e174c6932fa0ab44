"""The way back to a release: what is taken from it, what from now, and what stands in the way."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from hub.filter import policy
from swarmhub.cluster.nodes import SwarmNode
from swarmhub.errors import StepError, UsageError
from swarmhub.history import rollback
from swarmhub.history.database import DatabaseState
from swarmhub.history.releases import Release
from swarmhub.history.rollback import WayBack
from swarmhub.images.pull import Giver, Held
from swarmhub.plan.plans import Change, Cost, Plan
from swarmhub.services import engine_filter
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import Parts
from swarmhub.transfer.relays import Cluster
from tests.unit.support.cluster import as_kept, stored
from tests.unit.support.fakes import (
    CALLBACK,
    DOMAIN,
    MANAGER,
    NOTEBOOK,
    WORKER1,
    WORKER2,
    FakeHost,
    FakeProgress,
    alone,
    once,
    settings,
)
from tests.unit.support.swarms import node

NAME = "jupyterhub"
DIGEST, OLD_DIGEST = f"sha256:{'b' * 64}", f"sha256:{'a' * 64}"
X, X_OLD, LOCAL = f"quay.io/x@{DIGEST}", f"quay.io/x@{OLD_DIGEST}", f"sha256:{'c' * 64}"
Y = f"quay.io/y@{DIGEST}"
LABELLED = frozenset({"a" * 12, "b" * 12, "c" * 12})
NODES = {MANAGER: node("n1", MANAGER, images=LABELLED), WORKER1: node("n2", WORKER1, images=LABELLED)}
PARTS = Parts("n1", "net-now", "", {}, "cert-now", "cluster")
NEW, OLD = "4621fec11365", "833da8570507"
SECRETS = {"GITHUB_CLIENT_SECRET": SecretStr("hush"), "OAUTH_CALLBACK_URL": SecretStr(CALLBACK)}


def spec(number: int, **parts: Any) -> dict[str, Any]:
    """Return the spec of a release's service."""
    given: dict[str, Any] = {
        "hub_image": f"jupyterhub:{number}",
        "images": {NOTEBOOK: f"quay.io/x@{OLD_DIGEST if number == 1 else DIGEST}"},
    }
    return hub_service.desired(alone(), SECRETS, replace(PARTS, **(given | parts)))


def release(number: int, **more: Any) -> Release:
    """Return a release; the first has another schema and another notebook image than the later ones."""
    values: dict[str, Any] = {
        "hub_image": f"jupyterhub:{number}",
        "notebook_images": (X_OLD if number == 1 else X,),
        "spec": spec(number),
        "settings": alone().model_dump(mode="json", exclude={"secrets"}),
        "copy": f"{NAME}-before-{number}.sqlite" if number > 1 else "",
        "made": f"2026-11-{number:02}T10:00:00+00:00",
        "schema": NEW,
        "commit": f"commit{number}",
    }
    return Release(number, NAME, **(values | more))


KNOWN = (release(1), release(2), release(3))


def running(wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the service as the engine answers it: the third release, or this spec."""
    wanted = wanted or spec(3)
    ids = {one["SecretName"]: "id-now" for one in wanted["TaskTemplate"]["ContainerSpec"]["Secrets"]}
    return {"ID": "s1", "Version": {"Index": 7}, "Spec": as_kept(wanted, ids)}


def found(
    now: dict[str, Any] | None = None,
    schema: str = NEW,
    *,
    has_hub_image: bool = True,
    held: dict[str, Held | None] | None = None,
) -> WayBack:
    """Return a cluster on which everything is there for a way back, or on which each node has one image under all names."""
    everywhere: dict[str, Held | None] = dict.fromkeys((MANAGER, WORKER1), Held("id", frozenset({DIGEST, OLD_DIGEST})))
    holding = {host: dict.fromkeys((X, X_OLD, Y, LOCAL), one) for host, one in (held or everywhere).items()}
    files = stored(*(one.spec for one in KNOWN))
    return WayBack(now or running(), DatabaseState(4096, schema, 2), has_hub_image, holding, files=files)


def plan(
    to: int | Release,
    there: WayBack | None = None,
    known: tuple[Release, ...] = KNOWN,
    *,
    nodes: Mapping[str, SwarmNode] = NODES,
    with_database: bool = False,
) -> Plan:
    """Return the way back."""
    target = to if isinstance(to, Release) else next(one for one in known if one.number == to)
    return rollback.plan(target, known, there or found(), nodes, MANAGER, with_database=with_database)


def words(made: Plan) -> list[str]:
    """Return what a plan does."""
    return [f"{one.verb} {one.what}" for one in made.changes]


def sent(made: Plan, now: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the spec that the update sends."""
    now = now or running()
    secrets = now["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"]
    task = {"ID": "t", "CreatedAt": "1", "DesiredState": "running", "Status": {"State": "running"}}
    host: FakeHost = FakeHost(
        answers={
            "GET /secrets": [{"ID": "id-now", "Spec": {"Name": one["SecretName"]}} for one in secrets],
            "POST /services/s1/update": lambda request: host.engine.answers.update(
                {"GET /tasks": [task | {"Spec": request.body["TaskTemplate"]}], f"GET /services/{NAME}": {"Spec": request.body}}
            ),
        }
    )
    (update,) = [one for one in made.changes if one.verb == "update"]
    update.apply(host, FakeProgress())
    body: dict[str, Any] = host.engine.sent("POST /services/s1/update").body
    return body


pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.parametrize(("number", "chosen"), [(None, 2), ("1", 1), ("2", 2), ("3", 3)])
def test_a_release_is_chosen_by_its_number_or_is_the_one_before(number: str | None, chosen: int) -> None:
    """Without a number the way goes back by one."""
    assert rollback.choose(KNOWN, number).number == chosen


@pytest.mark.parametrize(
    ("known", "number", "said"),
    [
        (KNOWN, "9", "there is no release 9; known: 1, 2, 3 (fab releases)"),
        (KNOWN, "two", "there is no release two; known: 1, 2, 3 (fab releases)"),
        (KNOWN, "", "--release is empty, and without it the way goes back by one: is a variable not set?"),
        (KNOWN[:1], None, "there is no release before this one; known: 1 (fab releases)"),
        ((), None, "there is no release before this one; known: none (fab releases)"),
        ((), "1", "there is no release 1; known: none (fab releases)"),
    ],
)
def test_a_release_that_is_not_there_is_refused_with_those_that_are(
    known: tuple[Release, ...], number: str | None, said: str
) -> None:
    """It is a wrong command line: nothing has been asked for on any host."""
    with pytest.raises(UsageError) as error:
        rollback.choose(known, number)
    assert str(error.value) == said


@pytest.mark.parametrize("commit", ["commit1", ""])
def test_an_image_that_is_gone_is_refused_with_the_way_to_make_it_again(commit: str) -> None:
    """Its commit is what it was built from; a release from a folder without git has none."""
    with pytest.raises(StepError) as error:
        plan(release(1, commit=commit), found(has_hub_image=False))
    assert str(error.value) == (
        f"{MANAGER}: the image jupyterhub:1 of release 1 is gone. "
        f"Go back to its commit and deploy: git checkout {commit or 'COMMIT'}; fab deploy"
    )


def test_the_way_back_copies_updates_and_records() -> None:
    """The configuration is checked, then the database of now is copied; the way back is a release like any other."""
    made = plan(2)
    assert words(made) == [
        "check the hub's configuration in jupyterhub:2",
        f"copy the hub's database to jupyterhub_backups: {NAME}-before-4.sqlite",
        "keep the userlist in force",
        f"update service {NAME}",
        "record release 4",
    ]
    assert {one.cost for one in made.changes} == {Cost.NOTHING, Cost.HUB_RESTART}


def test_the_release_that_runs_is_no_way_back() -> None:
    """There is nothing to do, and that is what is said."""
    made = plan(3)
    assert (made.changes, made.summary) == ((), "release 3 is what runs")


def test_what_makes_the_release_comes_back() -> None:
    """Its hub image, its environment and its settings are sent."""
    container, (settings_of_then,) = sent(plan(1))["TaskTemplate"]["ContainerSpec"], stored(spec(1))
    assert (container["Image"], [one["ConfigName"] for one in container["Configs"]]) == ("jupyterhub:1", [settings_of_then])


def changed(**parts: Any) -> Release:
    """Return the first release as it was with another network, certificate or node."""
    return release(1, spec=spec(1, **parts))


def test_what_lies_on_the_manager_is_that_of_now() -> None:
    """The certificate, which an old fingerprint would renew at the next deploy; the network's id, and the node of the data."""
    template = sent(plan(changed(certificate="cert-old", network="net-old", node="n9")))["TaskTemplate"]
    assert template["ContainerSpec"]["Labels"] == {hub_service.CERTIFICATE_LABEL: "cert-now"}
    assert template["Networks"] == [{"Target": "net-now"}]
    assert "node.id==n1" in template["Placement"]["Constraints"]


def test_the_certificates_place_is_the_one_of_now() -> None:
    """Where it was then, one may have expired: certbot's, since the operator has an own one."""
    old = spec(1)
    env = old["TaskTemplate"]["ContainerSpec"]["Env"]
    old["TaskTemplate"]["ContainerSpec"]["Env"] = [line.replace("/live/", "/elsewhere/") for line in env]
    assert "/elsewhere/" in str(old)
    assert "/elsewhere/" not in str(sent(plan(release(1, spec=old))))


def test_the_secrets_are_those_of_now() -> None:
    """A secret that was changed since is gone from the swarm, and would not hold with GitHub either."""
    old = spec(1)
    old["TaskTemplate"]["ContainerSpec"]["Secrets"][0]["SecretName"] = "gone"
    secrets = sent(plan(release(1, spec=old)))["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert [(one["SecretName"], one["SecretID"]) for one in secrets] == [
        (one["SecretName"], "id-now") for one in spec(3)["TaskTemplate"]["ContainerSpec"]["Secrets"]
    ]


def test_a_service_without_what_is_taken_from_now_has_none_after_it() -> None:
    """An engine answers nothing for what is empty."""
    now = running()
    now["Spec"]["TaskTemplate"] |= {"Networks": None, "Placement": None}
    now["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"] = None
    template = sent(plan(1, found(now)), now | {"Spec": spec(3)})["TaskTemplate"]
    assert (template["Networks"], template["Placement"], template["ContainerSpec"]["Secrets"]) == ([], {}, [])


@pytest.mark.parametrize(("then", "now"), [(None, "61081:0"), ("61081:0", None)], ids=["to root", "from root"])
def test_a_hub_of_another_user_finds_the_data_open(then: str | None, now: str | None) -> None:
    """After the copy and before it starts; with the data of its time, too."""
    target, there = copy.deepcopy(spec(2)), copy.deepcopy(spec(3))
    for one, user in ((target, then), (there, now)):
        one["TaskTemplate"]["ContainerSpec"] |= {"User": user} if user else {}
    made = plan(release(2, spec=target), found(running(there)), with_database=True)
    assert [one.verb for one in made.changes] == ["check", "copy", "open", "keep", "stop", "restore", "update", "record"]


def test_a_release_that_differs_only_in_what_is_of_now_is_what_runs() -> None:
    """A renewed certificate alone is no reason to restart the hub."""
    assert plan(release(1, spec=spec(3, certificate="cert-old", network="net-old"))).changes == ()


def test_a_plan_leaves_the_release_as_it_is() -> None:
    """It is compared with others afterwards."""
    target = changed(certificate="cert-old")
    before = copy.deepcopy(target)
    plan(target)
    assert target == before


LACKS: dict[str, Held | None] = {MANAGER: Held("id", frozenset({OLD_DIGEST})), WORKER1: None, WORKER2: Held("id", frozenset())}


def test_the_notebook_image_is_pulled_where_it_is_missing() -> None:
    """Before the hub is told to use it, every node holds it."""
    pulls = [(one.verb, one.host) for one in plan(1, found(held=LACKS)).changes]
    assert pulls[:2] == [("pull", WORKER1), ("pull", WORKER2)]


def test_an_image_known_by_its_id_is_not_pulled_where_it_is() -> None:
    """One that no registry knows is the same on every node by its id."""
    held: dict[str, Held | None] = {MANAGER: Held(LOCAL, frozenset()), WORKER1: Held(LOCAL, frozenset())}
    assert "pull" not in {one.verb for one in plan(release(1, notebook_images=(LOCAL,)), found(held=held)).changes}


def test_an_image_that_was_built_comes_from_a_node_that_has_it() -> None:
    """No registry does."""
    held: dict[str, dict[str, Held | None]] = {MANAGER: {LOCAL: Held(LOCAL)}, WORKER1: {LOCAL: None}}
    back = replace(found(held={}), held=held, givers={LOCAL: Giver(MANAGER, lambda *_: None)})
    made = rollback.plan(release(1, notebook_images=(LOCAL,)), KNOWN, back, NODES, MANAGER, with_database=False)
    assert (made.changes[0].sentence, made.changes[0].gist) == (
        f"bring image {LOCAL} on {WORKER1}",
        f"{LOCAL[7:19]} from {MANAGER}",
    )


def test_all_images_of_a_release_are_pulled_and_labelled_before_its_hub_runs() -> None:
    """Its hub places servers by the labels, on those nodes that have them."""
    nodes = {MANAGER: NODES[MANAGER], WORKER1: node("n2", WORKER1)}
    made = plan(release(2, notebook_images=(X, Y)), found(held={MANAGER: LACKS[MANAGER], WORKER1: None}), nodes=nodes)
    assert [one.sentence for one in made.changes][:5] == [
        f"pull {X} on {MANAGER}",
        f"pull {Y} on {MANAGER}",
        f"pull {X} on {WORKER1}",
        f"pull {Y} on {WORKER1}",
        f"label {WORKER1} (its images are there) on {MANAGER}",
    ]
    assert "update" in {one.verb for one in made.changes[5:]}


@pytest.mark.parametrize("schema", [NEW, ""])
def test_the_same_or_an_unknown_schema_is_no_obstacle(schema: str) -> None:
    """A release that was made before the hub had a database knows none."""
    assert plan(release(1, schema=schema)).changes != ()


def moved(*known: Release) -> tuple[Release, ...]:
    """Return releases of which the first has an older schema."""
    return (release(1, schema=OLD), *known)


def test_a_schema_that_has_moved_on_is_refused_with_what_it_would_cost() -> None:
    """The old hub would not start; the copy that it left may be put back, and what was done since would be lost."""
    with pytest.raises(StepError) as error:
        plan(1, known=moved(*KNOWN[1:]))
    assert str(error.value) == (
        f"{MANAGER}: the database's schema has moved on since release 1 (from {OLD} to {NEW}): its hub would not start. "
        f"To put back the copy {NAME}-before-2.sqlite too "
        "(who was added and what was started since 2026-11-02 10:00 UTC is forgotten): --with-database"
    )


def test_a_schema_that_has_moved_on_without_a_copy_is_refused_for_good() -> None:
    """There is no way back then."""
    with pytest.raises(StepError, match=r"there is no copy from its time\. Deploy the newer hub instead: fab deploy"):
        plan(1, known=moved(release(2, copy=""), release(3, copy="")))


def test_with_the_database_the_copy_of_its_time_is_put_back() -> None:
    """The hub is stopped meanwhile, the database of now was copied before, and the update starts the hub again."""
    assert words(plan(1, known=moved(*KNOWN[1:]), with_database=True)) == [
        "check the hub's configuration in jupyterhub:1",
        f"copy the hub's database to jupyterhub_backups: {NAME}-before-4.sqlite",
        "keep the userlist in force",
        f"stop service {NAME}",
        f"restore the hub's database from jupyterhub_backups: {NAME}-before-2.sqlite",
        f"update service {NAME}",
        "record release 4",
    ]


def test_the_copy_of_its_time_is_the_first_one_after_it() -> None:
    """A release that changed a label only has none: the next one's was made of the same database."""
    known = (release(1), release(2, copy=""), release(3))
    assert words(plan(1, known=known, with_database=True))[4].endswith("before-3.sqlite")


def test_its_own_copy_is_not_of_its_time() -> None:
    """That one was made before it ran."""
    assert words(plan(2, with_database=True))[4].endswith("before-3.sqlite")


def test_the_database_is_put_back_without_a_change_of_the_service_too() -> None:
    """Who asks for the database has it, and the hub is started again."""
    known = (release(1), release(2, spec=spec(1)))
    made = plan(1, found(running(spec(1))), known, with_database=True)
    assert [one.verb for one in made.changes] == ["check", "copy", "keep", "stop", "restore", "update", "record"]


@pytest.mark.parametrize(
    ("to", "known"), [(3, KNOWN), (1, (release(1), release(2, copy=""), release(3, copy="")))], ids=["the last", "no copies"]
)
def test_a_database_of_which_there_is_no_copy_cannot_be_put_back(to: int, known: tuple[Release, ...]) -> None:
    """The error says how to go back without it."""
    with pytest.raises(StepError, match=r"there is no copy of the database .* Go back without it: leave --with-database out"):
        plan(to, known=known, with_database=True)


def test_the_way_back_is_recorded_with_the_commit_of_its_release() -> None:
    """What runs again is what was made from that."""
    record = plan(1).changes[-1]
    assert (record.what, getattr(record.apply, "release").commit) == ("release 4", "commit1")  # noqa: B009


def hosts() -> dict[str, FakeHost]:
    """Return a cluster that can be asked for the way back to the first release."""
    image = {"Id": "id", "RepoDigests": [f"quay.io/x@{OLD_DIGEST}"]}
    made = {name: FakeHost(name, {f"GET /images/quay.io/x@{OLD_DIGEST}/json": image}) for name in (MANAGER, WORKER1)}
    made[MANAGER].engine.answers |= {
        "GET /secrets": [],
        f"GET /services/{NAME}": running(),
        "GET /images/jupyterhub:1/json": {"Id": "sha256:1"},
        **once(json.dumps({"bytes": 4096, "schema": NEW, "users": 2})),
    }
    return made


def observe(given: dict[str, FakeHost]) -> WayBack:
    """Return what there is for the way back to the first release."""
    return rollback.observe(Cluster(given[MANAGER], given, NAME, "jupyterhub:1", {}), release(1))


def test_all_that_the_way_back_needs_is_asked_for() -> None:
    """The service, the database, the hub's image, and the notebook image on every node."""
    held = {X_OLD: Held("id", frozenset({OLD_DIGEST}))}
    assert observe(hosts()) == WayBack(running(), DatabaseState(4096, NEW, 2), True, {MANAGER: held, WORKER1: held})


def test_without_a_service_there_is_nothing_to_go_back_from() -> None:
    """A deploy comes first."""
    given = hosts()
    del given[MANAGER].engine.answers[f"GET /services/{NAME}"]
    with pytest.raises(StepError, match=r"there is no service jupyterhub\. Deploy it: fab deploy"):
        observe(given)


def test_a_worker_that_does_not_answer_bars_no_way_back() -> None:
    """It is left as it is, and told; the others go back, but for a manager nothing does."""
    given, call = hosts(), f"GET /images/quay.io/x@{OLD_DIGEST}/json"
    silent = given[WORKER1].engine.answers[call] = StepError(WORKER1, "no answer", "Is it up?")
    found = observe(given)
    assert (list(found.held), found.unreached) == ([MANAGER], (silent,))
    given[MANAGER].engine.answers[call] = StepError(MANAGER, "no answer", "Is it up?")
    with pytest.raises(StepError, match="no answer"):
        observe(given)


def test_an_image_that_is_gone_is_an_answer() -> None:
    """The plan says what it means."""
    given = hosts()
    del given[MANAGER].engine.answers["GET /images/jupyterhub:1/json"]
    assert observe(given).has_hub_image is False


@pytest.mark.parametrize(
    ("table", "setting"),
    [
        ({"proxy": {"separate": True}}, "proxy.separate"),
        ({"hub": {"domain": DOMAIN, "engine": "filter"}}, "hub.engine"),
        ({"hub": {"domain": DOMAIN, "subdomains": True}}, "hub.subdomains"),
        ({"volume": {"name": "data-of-before"}}, "volume.name"),
    ],
)
def test_a_hub_that_stood_on_other_services_is_refused(table: dict[str, Any], setting: str) -> None:
    """It would find neither proxy nor engine, a proxy that routes otherwise, or other users: the setting is the way back."""
    other = hub_service.desired(alone(**table), SECRETS, replace(PARTS, images={NOTEBOOK: X}))
    with pytest.raises(StepError, match=f"release 2 ran with another {setting}"):
        plan(release(2, spec=other), found(running(spec(3))))


def of_filter(then: Parts, now: Parts) -> tuple[list[str], Change]:
    """Return what the way from one hub with a filter to another changes, and the filter's change."""
    given = settings(hub={"domain": DOMAIN, "engine": "filter"})
    there = replace(
        found(running(hub_service.desired(given, SECRETS, now))),
        filter={"ID": "s2", "Version": {"Index": 1}, "Spec": engine_filter.desired(given, now)},
    )
    changes = plan(release(1, spec=hub_service.desired(given, SECRETS, then), schema=NEW), there).changes
    return [one.what for one in changes], next(one for one in changes if one.what == "service jupyterhub-engine")


def test_the_filter_lets_the_releases_hub_have_its_images() -> None:
    """Before the hub is told of them."""
    done, change = of_filter(*(replace(PARTS, images={NOTEBOOK: image}) for image in (X_OLD, X)))
    (differs,) = change.differences
    assert (X_OLD in str(differs.wanted), X in str(differs.found)) == (True, True)
    assert done.index(change.what) < done.index("service jupyterhub")


def test_the_filter_goes_back_with_its_hub() -> None:
    """It is of the same image: what a release's hub asks, that release's filter knows."""
    _, change = of_filter(
        *(replace(PARTS, hub_image=tag, images={NOTEBOOK: X}) for tag in ("jupyterhub:old", "jupyterhub:now"))
    )
    assert [(item.path, item.wanted) for item in change.differences] == [("TaskTemplate.ContainerSpec.Image", "jupyterhub:old")]


def in_variables(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec of a hub as an earlier release made it: with its settings in its environment."""
    spec = copy.deepcopy(spec)
    container = spec["TaskTemplate"]["ContainerSpec"]
    (file,) = container.pop("Configs")
    container["Env"] = [*container["Env"], f"SWARMHUB_SETTINGS={file['Data']}"]
    return spec


def test_a_hub_of_an_earlier_release_gets_its_variables_back() -> None:
    """And so does its filter: each is of the image that looks there."""
    given = settings(hub={"domain": DOMAIN, "engine": "filter"})
    then, now = (replace(PARTS, images={NOTEBOOK: image}) for image in (X_OLD, X))
    filter_now = engine_filter.desired(given, now)
    hub_now = hub_service.desired(given, SECRETS, now)
    there = replace(
        found(running(hub_now)), filter={"ID": "s2", "Version": {"Index": 1}, "Spec": filter_now}, files=stored(hub_now)
    )
    earlier = release(1, spec=in_variables(hub_service.desired(given, SECRETS, then)), schema=NEW)
    changes = {one.what: one for one in reversed(plan(earlier, there).changes)}  # of the filter's two, the first
    hub, its_filter = (
        getattr(changes[name].apply, "wanted")["TaskTemplate"]["ContainerSpec"]  # noqa: B009
        for name in ("service jupyterhub", "service jupyterhub-engine")
    )
    assert ("Configs" in hub, its_filter["Configs"], X_OLD in str(hub["Env"])) == (False, [], True)
    (line,) = its_filter["Env"]
    both = policy.load(line.removeprefix("SWARMHUB_FILTER="))
    assert [one.images for one in both] == [(X_OLD,), (X,)]


def test_a_release_without_its_settings_is_refused() -> None:
    """Somebody has removed them; the message names the commit to deploy from."""
    with pytest.raises(StepError, match=r"the settings of release 1 are gone .* git checkout commit1; fab deploy"):
        plan(1, replace(found(), files={}))


def test_a_release_with_another_database_is_no_way_back() -> None:
    """Its hub would start with the users of then, or with none: the move is a command."""
    other = alone(secrets={"names": ["DATABASE_URL"]}, database={"url": {"secret": "DATABASE_URL"}})
    target = release(1, settings=other.model_dump(mode="json", exclude={"secrets"}))
    with pytest.raises(StepError, match=r"release 1 ran with another database\.url") as told:
        plan(target)
    assert "fab move-database" in told.value.remedy
