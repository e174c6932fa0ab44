"""The plan of every step from one look: on a cluster with nothing, with everything, and with something in the way."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from invoke.config import Config
from invoke.context import Context

from hub.shared.settings import FILE
from swarmhub.deploy import prerequisites, steps
from swarmhub.engine.swarm import configs, specs
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from swarmhub.images.builder import Recipe
from swarmhub.images.hub import build
from swarmhub.images.own import recipes
from swarmhub.plan.differences import Difference
from swarmhub.plan.plans import Cost, Plan, is_within
from swarmhub.run.run import Run
from swarmhub.settings import Settings
from swarmhub.settings.schema.certs import Certs
from swarmhub.settings.schema.model import Proxy
from tests.unit.support import cluster
from tests.unit.support.authority import Authority
from tests.unit.support.cluster import DIGEST, Hosts
from tests.unit.support.fakes import DOMAIN, EXTRA, MANAGER, NOTEBOOK, WORKER1, WORKER2, home_volume, with_extra

IMAGE = f"GET /images/{NOTEBOOK}/json"
EXTRA_DIGEST = f"sha256:{'b' * 64}"
STEPS = ["nodes", "network", "volume", "certs", "images", "build-hub", "firewall", "service"]


@pytest.fixture
def run(hosts: Hosts) -> Run:
    """Return a run on a cluster on which every step has been done."""
    made = Run(Context(Config()))
    made.__dict__["hosts"] = hosts
    return made


@pytest.fixture
def empty(hosts: Hosts, given: Settings) -> Hosts:
    """Return the cluster with nothing on it but the swarm itself."""
    cluster.wipe(hosts, given)
    return hosts


def every(run: Run) -> dict[str, Plan]:
    """Return the plans by step."""
    return {plan.step: plan for plan in steps.every_plan(run)}


def words(plan: Plan) -> list[str]:
    """Return what a plan does."""
    return [f"{change.verb} {change.what.split(' ')[0]} on {change.host}" for change in plan.changes]


def requests(hosts: Hosts) -> Counter[str]:
    """Count what each host has been asked."""
    asked = [f"{name} {request} {request.params or ''}" for name, host in hosts.items() for request in host.engine.requests]
    return Counter(asked + [f"{name} {' '.join(argv)}" for name, host in hosts.items() for argv in host.ran])


def test_where_all_is_done_nothing_is_planned(run: Run, hosts: Hosts) -> None:
    """Every step of a deploy has its plan, in order, says how things are, and has neither change nor error; it only asks."""
    plans = steps.every_plan(run)
    assert [(plan.step, plan.changes, plan.error) for plan in plans] == [(step, (), None) for step in STEPS]
    assert ([plan.step for plan in plans if not plan.summary], plans[0].summary) == ([], "3 of 3 ready")
    assert [call for host in hosts.values() for call in host.engine.asked() if not call.startswith("GET ")] == []


def test_nothing_is_asked_twice(run: Run, hosts: Hosts) -> None:
    """All steps share one look, and another plan, too: what was seen holds until something is changed."""
    steps.every_plan(run)
    before = requests(hosts)
    # Two threads of the look may both be the first who need to know what the manager is.
    assert {call: count for call, count in before.items() if count > 1 and "GET /info" not in call} == {}
    steps.every_plan(run)
    assert requests(hosts) == before


@pytest.mark.usefixtures("empty")
def test_a_first_deploy_is_planned_whole(run: Run) -> None:
    """With nothing there, every step says what it will make."""
    assert {step: words(plan) for step, plan in every(run).items()} == {
        "nodes": [],
        "network": [f"create network on {MANAGER}"],
        "volume": [f"create volume on {MANAGER}"],
        "certs": [f"issue staging on {MANAGER}"],
        "images": [f"{what} on {host}" for what in ("load image", f"pull {NOTEBOOK}") for host in (MANAGER, WORKER1, WORKER2)],
        "placement": [f"label {host} on {MANAGER}" for host in (MANAGER, WORKER1, WORKER2)],
        "firewall": [f"create service on {MANAGER}"],
        "build-hub": [f"build {build.desired(run.settings).tag} on {MANAGER}"],
        "service": [
            *[f"create secret on {MANAGER}"] * 2,
            f"create config on {MANAGER}",
            *[f"check the on {MANAGER}"] * 2,
            f"send the on {MANAGER}",
            f"open jupyterhub-data on {MANAGER}",
            f"create service on {MANAGER}",
            f"record release on {MANAGER}",
        ],
    }


def field(plan: Plan, path: str) -> Difference:
    """Return what the service's change says of a field."""
    (found,) = [item for change in plan.changes for item in change.differences if item.path.endswith(path)]
    return found


@pytest.mark.usefixtures("empty")
def test_the_hub_comes_back_when_the_homes_are_known(run: Run, hosts: Hosts) -> None:
    """On a swarm that was made anew they are recorded before it: a hub that did not know of one would make an empty one."""
    hosts[WORKER1].engine.answers["GET /volumes"] = {"Volumes": [home_volume("ada")]}
    done = words(every(run)["service"])
    assert (done[6], done[-2]) == (f"record the on {MANAGER}", f"create service on {MANAGER}")


def test_homes_made_by_hand_on_several_nodes_are_refused(run: Run, hosts: Hosts) -> None:
    """The plan names volume and nodes: a guess could give somebody an empty home."""
    before = run.settings.home.model_copy(update={"name": "jupyterhub-user-{username}"})
    run.__dict__["settings"] = run.settings.model_copy(update={"home": before})
    for host in (WORKER1, WORKER2):
        volume = home_volume("ada", name="jupyterhub-user-ada") | {"Labels": None}
        hosts[host].engine.answers["GET /volumes"] = {"Volumes": [volume]}
    error = every(run)["service"].error
    assert error is not None
    assert f"jupyterhub-user-ada is on {WORKER1}, {WORKER2}" in str(error)


def test_a_new_volume_tells_of_the_one_that_a_hub_made_by_hand_has(run: Run, empty: Hosts) -> None:
    """Docker compose puts the project's name before the volume's: the new hub would know nobody."""
    mounts = [{"Type": "bind", "Destination": "/var/run/docker.sock"}, {"Type": "volume", "Name": "x_jupyterhub-data"}]
    empty[MANAGER].engine.answers["GET /containers/json"] = [
        {"Id": "h1", "Names": ["/jupyterhub"], "Image": "jupyterhub", "Command": "jupyterhub", "Mounts": mounts}
    ]
    (change,) = every(run)["volume"].changes
    assert change.gist == (
        "local; to take over a hub made by hand, set volume.name in hosts.toml to its volume: "
        "x_jupyterhub-data, which jupyterhub has"
    )


def test_homes_that_are_on_no_one_node_are_not_sought(run: Run, hosts: Hosts) -> None:
    """A file server has them, whatever volumes there are."""
    shared = run.settings.home.model_copy(update={"type": "path", "path": "/mnt/homes"})
    run.__dict__["settings"] = run.settings.model_copy(update={"home": shared})
    steps.every_plan(run)
    assert [name for name, host in hosts.items() if "GET /volumes" in host.engine.asked()] == []


@pytest.mark.usefixtures("empty")
def test_what_a_step_will_make_is_known_after_it(run: Run, hosts: Hosts) -> None:
    """Neither the network's id nor the certificate's fingerprint exist yet; the registry, asked once, says the digest."""
    service = every(run)["service"]
    network, certificate = "TaskTemplate.Networks[0].Target", "TaskTemplate.ContainerSpec.Labels.swarmhub.certificate"
    assert field(service, network) == Difference(network, None, "known after network")
    assert field(service, certificate) == Difference(certificate, None, "known after certs")
    assert f'"image":"quay.io/jupyter/base-notebook@{DIGEST}"' in str(field(service, "Configs[0].Data").wanted)
    assert hosts[MANAGER].engine.asked().count(f"GET /distribution/{NOTEBOOK}/json") == 1


def test_a_new_network_is_known_after_its_step_in_a_service_that_is_there(run: Run, hosts: Hosts) -> None:
    """The service that runs will be moved to it."""
    hosts[MANAGER].engine.answers["GET /networks"] = []
    assert field(every(run)["service"], "Networks[0].Target").wanted == "known after network"


def test_a_certificate_that_is_due_restarts_the_hub(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What certs costs shows in the service's plan, with the check and the copy of the database before it."""
    monkeypatch.setattr("swarmhub.certificate.certs.Certificate.is_due", lambda *_: True)
    assert words(every(run)["service"]) == [
        f"check the on {MANAGER}",
        f"copy the on {MANAGER}",
        f"update service on {MANAGER}",
        f"record release on {MANAGER}",
    ]


def test_a_changed_userlist_is_a_build_and_an_update(run: Run) -> None:
    """The image's tag is known before it is built."""
    run.settings.hub.userlist.write_text("ada admin\ngrace\n")
    plans = every(run)
    assert (words(plans["build-hub"]) != [], field(plans["service"], "Image").wanted) == (
        True,
        build.desired(run.settings).tag,
    )


def test_a_configuration_is_checked_before_anything_of_its_image_runs(run: Run) -> None:
    """What cannot be loaded leaves the filter as it is, too."""
    run.settings.hub.userlist.write_text("ada admin\ngrace\n")
    run.__dict__["settings"] = run.settings.model_copy(update={"hub": run.settings.hub.model_copy(update={"engine": "filter"})})
    done = [f"{change.verb} {change.what}" for change in every(run)["service"].changes]
    assert done[0].startswith("check the hub's configuration")
    assert "create service jupyterhub-engine" in done


@pytest.mark.parametrize("is_planned", [False, True], ids=["alone", "shown before"])
@pytest.mark.usefixtures("empty")
def test_what_a_step_plans_alone_is_within_what_the_whole_plan_shows(run: Run, is_planned: bool) -> None:
    """A deploy is held to what it has shown: each step's own plan has to be found in it."""
    shown = every(run)
    if is_planned:
        run.look.forget()
    alone = [
        steps.network_plan(run),
        steps.volume_plan(run),
        steps.certs_plan(run),
        steps.images_plan(run, run.settings.hosts.all),
        steps.hub_image_plan(run),
    ]
    assert [plan.step for plan in alone if not is_within(plan, shown[plan.step])] == []


def test_a_step_that_refuses_leaves_the_others_their_plans(run: Run, hosts: Hosts) -> None:
    """An operator sees all that is wrong, and all that would change, at once."""
    hosts[MANAGER].engine.answers["GET /volumes/jupyterhub-data"]["Driver"] = "nfs"
    del hosts[WORKER2].engine.answers[IMAGE]
    plans = every(run)
    assert str(plans["volume"].error).startswith(f"{MANAGER}: volume: volume jupyterhub-data differs: Driver is 'nfs'")
    assert ([step for step, plan in plans.items() if plan.error], words(plans["images"])) == (
        ["volume"],
        [f"unlabel {WORKER2} on {MANAGER}", f"pull {NOTEBOOK} on {WORKER2}"],
    )


@pytest.fixture
def apart(run: Run) -> Run:
    """Want the proxy to be a service of its own."""
    run.__dict__["settings"] = run.settings.model_copy(update={"proxy": Proxy(separate=True)})
    return run


def test_a_proxy_of_its_own_comes_before_the_hub_that_needs_it(apart: Run) -> None:
    """With its network, image and token; the hub that has the port gives it up first, and the certificate's renewal follows."""
    plans = every(apart)
    assert words(plans["network"]) == [f"create network on {MANAGER}"]
    assert [word.split(":")[0] for word in words(plans["build-hub"])] == ["build jupyterhub-proxy"]
    assert [change.sentence.removesuffix(f" on {MANAGER}") for change in plans["service"].changes] == [
        "create secret jupyterhub-proxy_token",
        f"check the hub's configuration in {build.desired(apart.settings).tag}",
        "update service jupyterhub",
        "create service jupyterhub-proxy",
        "create service jupyterhub-renewal",
        "copy the hub's database to jupyterhub_backups: jupyterhub-before-2.sqlite",
        "update service jupyterhub",
        "record release 2",
    ]
    assert field(plans["service"], "Env.PROXY_API_URL").wanted == "http://jupyterhub-proxy-api:8001"


@pytest.mark.usefixtures("empty")
def test_what_a_proxy_stands_on_may_be_known_later(apart: Run) -> None:
    """Its network's addresses, in a variable."""
    (create,) = [change for change in every(apart)["service"].changes if change.what == "service jupyterhub-proxy"]
    (environment,) = [item.wanted for item in create.differences if item.path.endswith("Env")]
    assert "PROXY_SUBNET=known after network" in environment


@pytest.fixture
def two(run: Run) -> Run:
    """Let a profile have an image that no node holds yet."""
    run.__dict__["settings"] = with_extra(run.settings)
    answer = {"Descriptor": {"digest": EXTRA_DIGEST}}
    run.hosts[MANAGER].engine.answers[f"GET /distribution/{EXTRA}/json"] = answer  # type: ignore[attr-defined]
    return run


def test_a_profiles_image_is_pulled_labelled_and_handed_out(two: Run) -> None:
    """On every node, as the first one is; the hub gets it by its digest."""
    plans = every(two)
    assert words(plans["images"]) == [f"pull {EXTRA} on {host}" for host in (MANAGER, WORKER1, WORKER2)]
    assert [change.differences for change in plans["placement"].changes] == [
        (Difference(f"Labels.swarmhub.image.{'b' * 12}", None, "held"),)
    ] * 3
    pinned = f"quay.io/jupyter/scipy-notebook@{EXTRA_DIGEST}"
    assert field(plans["service"], "profiles").wanted == [{"image": pinned, "name": "Extra"}]


def labelled(hosts: Hosts, *digests: str) -> None:
    """Give every node the labels of these images."""
    for node in hosts[MANAGER].engine.answers["GET /nodes"]:
        node["Spec"]["Labels"] = {f"swarmhub.image.{one[7:19]}": "held" for one in digests}


def of_kind(hosts: Hosts, machine: str, *names: str) -> None:
    """Let these hosts be of another kind than the others, which are x86_64."""
    for name, host in hosts.items():
        host.engine.answers["GET /info"]["Architecture"] = machine if name in names else "x86_64"


def offering(hosts: Hosts, image: str, digest: str, *architectures: str) -> None:
    """Let the registry have an image for these."""
    hosts[MANAGER].engine.answers[f"GET /distribution/{image}/json"] = {
        "Descriptor": {"digest": digest},
        "Platforms": [{"architecture": one, "os": "linux"} for one in architectures],
    }


def test_a_node_gets_no_image_that_it_cannot_run_and_the_rest_is_done(two: Run, hosts: Hosts) -> None:
    """The plan says why, once; the others get it; the hub gets it by its digest; the node has the label of what it can run."""
    of_kind(hosts, "aarch64", WORKER2)
    hosts[WORKER2].engine.answers[IMAGE] = {**hosts[WORKER2].engine.answers[IMAGE], "Architecture": "arm64"}
    offering(hosts, EXTRA, EXTRA_DIGEST, "amd64")
    plans = every(two)
    assert words(plans["images"]) == [f"pull {EXTRA} on {host}" for host in (MANAGER, WORKER1)]
    (note,) = plans["images"].notes
    assert note.startswith(f"{WORKER2} is aarch64, and {EXTRA} is for amd64: no server with it is placed there.")
    assert [change.what for change in plans["placement"].changes] == [
        f"{host} (its images are there)" for host in (MANAGER, WORKER1)
    ]
    assert field(plans["service"], "profiles").wanted[0]["image"].endswith(f"@{EXTRA_DIGEST}")
    assert [plan.error for plan in plans.values() if plan.error] == []


def test_where_all_but_what_a_node_cannot_run_is_done_nothing_is_planned(two: Run, hosts: Hosts) -> None:
    """A second deploy is quiet, and asks the registry once; without an answer, what the others hold tells."""
    of_kind(hosts, "aarch64", WORKER2)
    extra = {"Id": "sha256:e", "RepoDigests": [f"quay.io/jupyter/scipy-notebook@{EXTRA_DIGEST}"], "Architecture": "amd64"}
    for name in (MANAGER, WORKER1):
        hosts[name].engine.answers[f"GET /images/{EXTRA}/json"] = extra
    labelled(hosts, DIGEST, EXTRA_DIGEST)
    hosts[MANAGER].engine.answers["GET /nodes"][2]["Spec"]["Labels"] = {f"swarmhub.image.{'a' * 12}": "held"}
    plans = every(two)
    assert (plans["images"].changes, len(plans["images"].notes), plans["service"].error) == ((), 1, None)
    assert "placement" not in plans
    asked = [one for one in hosts[MANAGER].engine.asked() if "/distribution/" in one]
    assert asked == [f"GET /distribution/quay.io/jupyter/scipy-notebook@{EXTRA_DIGEST}/json"]
    assert prerequisites.require(two.settings, two.look, MANAGER).images[EXTRA].endswith(f"@{EXTRA_DIGEST}")


def test_a_label_of_an_image_that_a_node_cannot_run_goes(run: Run, hosts: Hosts) -> None:
    """An engine pulls an image for one architecture on any machine: an earlier release has labelled it."""
    of_kind(hosts, "aarch64", WORKER2)
    for host in hosts.values():
        host.engine.answers[IMAGE] = {**host.engine.answers[IMAGE], "Architecture": "amd64"}
    plans = every(run)
    assert words(plans["images"]) == [f"unlabel {WORKER2} on {MANAGER}"]
    assert "placement" not in plans


def test_an_image_that_no_node_can_run_is_refused(run: Run, hosts: Hosts) -> None:
    """Nothing is done: a hub whose servers start nowhere is none."""
    of_kind(hosts, "aarch64", *hosts)
    for host in hosts.values():
        host.engine.answers[IMAGE] = {**host.engine.answers[IMAGE], "Architecture": "amd64"}
    error = every(run)["images"].error
    assert error
    assert error.cause == f"no node can run {NOTEBOOK}: it is for amd64, and the nodes are aarch64"


def test_the_label_of_an_image_that_a_node_lacks_goes_until_it_is_back(run: Run, hosts: Hosts) -> None:
    """No server is placed there while it is pulled."""
    del hosts[WORKER2].engine.answers[IMAGE]
    plans = every(run)
    label = f"Labels.swarmhub.image.{'a' * 12}"
    assert plans["images"].changes[0].differences == (Difference(label, "held", None),)
    assert [change.differences for change in plans["placement"].changes] == [(Difference(label, None, "held"),)]


def test_labels_go_when_the_hub_that_needs_them_has_gone(run: Run, hosts: Hosts) -> None:
    """After the service's update, and from every node of the swarm."""
    labelled(hosts, DIGEST, EXTRA_DIGEST)
    hosts[MANAGER].engine.answers["GET /networks"] = []
    assert words(every(run)["service"])[-4:] == [
        f"record release on {MANAGER}",
        *[f"unlabel {host} on {MANAGER}" for host in (MANAGER, WORKER1, WORKER2)],
    ]


@pytest.mark.parametrize("is_file", [True, False], ids=["in a file", "of an earlier release"])
def test_labels_that_another_hub_needs_stay(run: Run, hosts: Hosts, is_file: bool) -> None:
    """It places its servers by them."""
    labelled(hosts, DIGEST, EXTRA_DIGEST)
    handed = f'{{"notebook":{{"image":"x@{EXTRA_DIGEST}"}}}}'
    file = configs.reference(str(FILE), "other-settings", handed)
    container = {"Configs": [file]} if is_file else {"Env": [f"SWARMHUB_SETTINGS={handed}"]}
    other = {"Name": "other", "TaskTemplate": {"ContainerSpec": container}}
    configs.ensure(hosts[MANAGER], other, {LABEL: "other"})
    other = configs.bare(other)
    hosts[MANAGER].engine.answers["GET /services"] = [{"ID": "s9", "Spec": other}]
    assert every(run)["service"].changes == ()


def test_an_engine_that_fails_is_the_steps_error(run: Run, hosts: Hosts) -> None:
    """With what helps; the other steps are planned."""
    hosts[MANAGER].engine.answers["GET /volumes/jupyterhub-data"] = EngineError(MANAGER, 500, "no space left on device")
    assert str(every(run)["volume"].error) == (
        f"{MANAGER}: volume: no space left on device. Free some disk there: docker system df"
    )


def test_nodes_of_which_none_says_what_it_holds_are_the_steps_error(run: Run, hosts: Hosts) -> None:
    """What stands on the images is refused as well; the other steps are planned."""
    for name, host in hosts.items():
        host.engine.answers[IMAGE] = StepError(name, "the connection broke", "Run it again")
    assert [step for step, plan in every(run).items() if plan.error] == ["images", "service"]


def test_a_registry_that_does_not_answer_is_the_error_of_what_needs_it(run: Run, empty: Hosts) -> None:
    """Without the digest neither the pull nor the service can be planned."""
    del empty[MANAGER].engine.answers[f"GET /distribution/{NOTEBOOK}/json"]
    assert [step for step, plan in every(run).items() if plan.error] == ["images", "service"]


def test_nodes_that_are_not_ready_end_the_plan(run: Run, hosts: Hosts) -> None:
    """Nothing else is worth a word without the manager in use."""
    for node in hosts[MANAGER].engine.answers["GET /nodes"][:1]:
        node["Status"]["State"] = "down"
    (plan,) = steps.every_plan(run)
    assert str(plan.error).startswith(f"{MANAGER}: nodes: is down. Start its engine")


def test_a_node_that_is_away_is_left_out(run: Run, hosts: Hosts) -> None:
    """The others are deployed to, with an image that only they hold; rules that need its addresses stay as they are."""
    error = StepError(WORKER1, "cannot reach it", "Is it up?")
    hosts[WORKER1].engine.answers |= dict.fromkeys(hosts[WORKER1].engine.answers, error)
    plans = every(run)
    assert [plan.error for plan in plans.values() if plan.error] == []
    assert (plans["nodes"].summary, plans["firewall"].summary) == (
        f"{WORKER1} is away: cannot reach it",
        "left as it is until all nodes answer",
    )
    assert [change.sentence for plan in plans.values() for change in plan.changes] == []


def test_the_volume_of_another_hub_is_refused(run: Run, hosts: Hosts) -> None:
    """Two hubs on one database would ruin it."""
    mounts = [{"Type": "volume", "Source": "jupyterhub-data", "Target": "/data"}]
    saving = {"Name": "backup", "TaskTemplate": {"ContainerSpec": {"Mounts": mounts}}}
    other = {**saving, "Name": "hub-test", "Labels": {"swarmhub.service": "hub-test"}}
    hosts[MANAGER].engine.answers["GET /services"] = [{"ID": "s8", "Spec": saving}]
    assert every(run)["volume"].error is None
    run.look.forget()
    hosts[MANAGER].engine.answers["GET /services"].append({"ID": "s9", "Spec": other})
    assert str(every(run)["volume"].error) == (
        f"{MANAGER}: volume: the volume jupyterhub-data belongs to another hub, hub-test. "
        "Name another one in hosts.toml: volume.name"
    )


def test_the_network_of_another_hub_is_refused_before_the_first_deploy(run: Run, hosts: Hosts) -> None:
    """Its firewall would cut this hub's servers off; who has deployed so already is let go on."""
    answers = hosts[MANAGER].engine.answers
    (network,) = [one for one in answers["GET /networks"] if one["Name"] == "jupyter"]
    on_it = {"Networks": [{"Target": network["Id"]}], "ContainerSpec": {}}
    other = {"Name": "hub-test", "Labels": {"swarmhub.service": "hub-test"}, "TaskTemplate": on_it}
    answers["GET /services"] = [*answers["GET /services"], {"ID": "s9", "Spec": other}]
    assert every(run)["network"].error is None
    run.look.forget()
    answers["GET /services/jupyterhub"] = None
    assert str(every(run)["network"].error) == (
        f"{MANAGER}: network: the network jupyter belongs to another hub, hub-test. "
        "Name another one in hosts.toml: network.name"
    )


def test_a_hub_whose_servers_could_be_called_like_anothers_is_refused_before_the_first_deploy(run: Run, hosts: Hosts) -> None:
    """Of two that are deployed already, each is let go on."""
    answers = hosts[MANAGER].engine.answers
    task = {"ContainerSpec": {"Image": "x"}}
    others = [
        {"Name": f"{hub}-engine", "Labels": {"swarmhub.service": hub}, "TaskTemplate": task} for hub in ("a", "jupyterhub-two")
    ]
    answers["GET /services"] = [*answers["GET /services"], *({"ID": spec["Name"], "Spec": spec} for spec in others)]
    assert every(run)["network"].error is None
    run.look.forget()
    answers["GET /services/jupyterhub"] = None
    assert str(every(run)["network"].error) == (
        f"{MANAGER}: network: servers of the hubs jupyterhub and jupyterhub-two could have the same names. "
        "Give this hub another name in hosts.toml: hub.service"
    )
    with pytest.raises(StepError, match="could have the same names"):
        prerequisites.require(run.settings, run.look, MANAGER)


@pytest.mark.parametrize("labels", [{"swarmhub.service": "hub-test"}, {"swarmhub.notebooks": "hub-test"}])
def test_a_service_of_another_hub_is_not_taken_for_this_ones(run: Run, hosts: Hosts, labels: dict[str, str]) -> None:
    """Names nest: the proxy of `hub` is called like the hub `hub-proxy`, a server of `hub` like the hub `hub-ada`."""
    answers = hosts[MANAGER].engine.answers
    answers["GET /services/jupyterhub"] = {
        **answers["GET /services/jupyterhub"],
        "Spec": {**answers["GET /services/jupyterhub"]["Spec"], "Labels": labels},
    }
    assert str(every(run)["service"].error) == (
        f"{MANAGER}: service: the service jupyterhub belongs to another hub, hub-test. "
        "Give this hub another name in hosts.toml: hub.service"
    )


def test_a_node_with_less_trouble_is_told_in_the_summary(run: Run, hosts: Hosts) -> None:
    """A drained node stops no deploy."""
    hosts[MANAGER].engine.answers["GET /nodes"][1]["Spec"]["Availability"] = "drain"
    plan = every(run)["nodes"]
    assert (plan.error, plan.summary) == (None, f"{WORKER1} is set to drain")


def test_a_network_in_use_is_planned_anew_only_if_asked_for(run: Run, hosts: Hosts) -> None:
    """The whole plan never stops anybody's work."""
    hosts[MANAGER].engine.answers["GET /networks"][0]["Attachable"] = True
    hosts[MANAGER].engine.answers["GET /services"] = [
        {"ID": "s1", "Spec": {"Name": "jupyterhub", "TaskTemplate": {"Networks": [{"Target": cluster.NETWORK}]}}}
    ]
    refused, asked_for = every(run)["network"], steps.network_plan(run, recreate=True)
    assert (refused.error is not None, words(asked_for)) == (True, [f"replace network on {MANAGER}"])


@pytest.fixture
def own(run: Run, authority: Authority, tmp_path: Path) -> Run:
    """Want a certificate of the operator's own, where certbot's is served."""
    now = datetime.now(UTC)
    files = {"certificate": tmp_path / "chain.pem", "key": tmp_path / "key.pem"}
    for file, content in zip(files.values(), authority.issue(DOMAIN, start=now - timedelta(days=1)), strict=True):
        file.write_text(content)
    run.__dict__["settings"] = run.settings.model_copy(update={"certs": Certs.model_validate(files)})
    return run


def test_a_certificate_of_ones_own_takes_the_place_of_certbots(own: Run) -> None:
    """It is installed beside certbot's, and the hub restarts once, to look there."""
    plans = every(own)
    assert words(plans["certs"]) == [f"install certificate on {MANAGER}"]
    assert field(plans["service"], "Env.SSL_CERT").wanted == f"/etc/letsencrypt/own/{DOMAIN}/current/fullchain.pem"
    assert field(plans["service"], "Labels.swarmhub.certificate").wanted == "known after certs"


@pytest.mark.parametrize(("has_proxy", "cost"), [(False, Cost.HUB_RESTART), (True, Cost.NOTHING)])
def test_a_newer_one_costs_what_the_proxy_that_runs_makes_of_it(own: Run, hosts: Hosts, has_proxy: bool, cost: Cost) -> None:
    """A separate proxy takes it as it runs; the hub's own only when the hub restarts."""
    there = f"/etc/letsencrypt/own/{DOMAIN}/current"
    manager = hosts[MANAGER]
    manager.commands[f"cat {there}/fullchain.pem"] = manager.commands[f"cat /etc/letsencrypt/live/{DOMAIN}/fullchain.pem"]
    manager.commands[f"stat -Lc %s {there}/privkey.pem"] = Output(0, "241\n", "")
    if has_proxy:
        spec = {"Name": "jupyterhub-proxy", "Labels": {LABEL: "jupyterhub"}, "TaskTemplate": {}}
        manager.engine.answers["GET /services"] = [{"ID": "p", "Spec": spec}]
    (change,) = steps.certs_plan(own).changes
    assert (change.verb, change.cost) == ("replace", cost)


def test_nothing_renews_a_certificate_of_ones_own(own: Run, hosts: Hosts) -> None:
    """A service that did goes with the deploy that brings it."""
    own.__dict__["settings"] = own.settings.model_copy(update={"proxy": Proxy(separate=True)})
    spec = {"Name": "jupyterhub-renewal", "Labels": {LABEL: "jupyterhub"}, "TaskTemplate": {}}
    renewal = {"ID": "r1", "Version": {"Index": 1}, "Spec": spec}
    hosts[MANAGER].engine.answers["GET /services"] = [renewal]
    assert f"remove service jupyterhub-renewal on {MANAGER}" in [one.sentence for one in every(own)["service"].changes]


@pytest.fixture
def by_dns(apart: Run, tmp_path: Path) -> Run:
    """Want a separate proxy that answers nobody on port 80, and a wildcard by DNS."""
    (tmp_path / "dns.ini").write_text("dns_token = hush\n")
    certs = Certs(dns="cloudflare", dns_credentials=tmp_path / "dns.ini", wildcard=True)
    proxy = Proxy(separate=True, http_port=0)
    apart.__dict__["settings"] = apart.settings.model_copy(update={"certs": certs, "proxy": proxy})
    return apart


def test_a_wildcard_is_got_and_renewed_by_dns(by_dns: Run) -> None:
    """The certificate that is there lacks it; the renewal needs the provider's credentials, and nobody on port 80."""
    plans = every(by_dns)
    assert [(change.verb, [one.path for one in change.differences]) for change in plans["certs"].changes] == [
        ("replace", ["names"])
    ]
    made = [change.what for change in plans["service"].changes if "renewal" in change.what or "dns" in change.what]
    assert [what.partition("credentials-")[0] for what in made] == [
        "secret jupyterhub-dns-",
        "service jupyterhub-renewal",
    ]


def test_domains_for_users_get_a_certificate_and_are_told_to_all_that_route(by_dns: Run) -> None:
    """The wildcard is asked for without a word in [certs]; the proxy and the hub go by the same address."""
    certs = by_dns.settings.certs.model_copy(update={"wildcard": False})
    hub = by_dns.settings.hub.model_copy(update={"subdomains": True})
    by_dns.__dict__["settings"] = by_dns.settings.model_copy(update={"certs": certs, "hub": hub})
    plans = every(by_dns)
    assert [(change.verb, [one.path for one in change.differences]) for change in plans["certs"].changes] == [
        ("replace", ["names"])
    ]
    assert field(plans["service"], "Env.SUBDOMAIN_HOST").wanted == f"https://{hub.domain}"
    (create,) = [change for change in plans["service"].changes if change.what == "service jupyterhub-proxy"]
    (environment,) = [item.wanted for item in create.differences if item.path.endswith("Env")]
    assert "SUBDOMAINS=1" in environment


def test_the_hub_leaves_the_renewals_secret_alone(by_dns: Run, hosts: Hosts) -> None:
    """It is another service's, with the same label, by which a teardown finds it."""
    hosts[MANAGER].engine.answers["GET /secrets"].append({"ID": "d1", "Spec": {"Name": "jupyterhub-dns-credentials-0"}})
    plans = every(by_dns)
    named = {
        step: [change.sentence for change in plan.changes if "dns-credentials-0" in change.what] for step, plan in plans.items()
    }
    assert {step: said for step, said in named.items() if said} == {
        "service": [f"remove secret jupyterhub-dns-credentials-0 on {MANAGER}"]
    }


def updated(run: Run) -> set[str]:
    """Return what a plan updates."""
    return {change.what for plan in every(run).values() for change in plan.changes if change.verb == "update"}


def test_an_upgraded_engine_gets_what_it_did_not_know(run: Run, hosts: Hosts) -> None:
    """The plan after the upgrade adds it to each service; the one before is empty, though the swarm keeps less."""
    answers = hosts[MANAGER].engine.answers
    (listed,) = [node for node in answers["GET /nodes"] if node["Spec"]["Role"] == "manager"]
    listed["Description"]["Engine"] = {"EngineVersion": "24.0.7"}
    services = [answers[name] for name in answers if name.startswith("GET /services/") and isinstance(answers[name], dict)]
    for one in [*services, *answers["GET /services"]]:
        one["Spec"] = specs.kept(one["Spec"], 24)
    assert updated(run) == set()
    listed["Description"]["Engine"]["EngineVersion"] = "25.0.0"
    run.look.forget()
    assert updated(run) == {"service jupyterhub", "service jupyterhub_firewall"}


def test_behind_a_proxy_that_takes_tls_there_is_no_certificate(own: Run) -> None:
    """None is sought, got or installed."""
    own.__dict__["settings"] = own.settings.model_copy(update={"proxy": Proxy(behind=("10.1.2.3",), speaks="http")})
    plan = steps.certs_plan(own)
    assert (plan.changes, plan.summary) == ((), "none is needed: TLS ends at the reverse proxy in front")


TAG = "jupyterhub-notebook:0123456789ab"
BUILT = f"sha256:{'d' * 64}"


@pytest.fixture
def building(run: Run) -> Run:
    """Return a run whose notebook image is built."""
    recipe = Recipe(TAG, {"Dockerfile": b"ARG BASE\nFROM ${BASE}\n"}, NOTEBOOK, gist="six", is_notebook=True)
    run.__dict__["_recipes"] = {recipes.NOTEBOOK: recipe}
    return run


def holding(hosts: Hosts, *names: str, id_: str = BUILT) -> None:
    """Let nodes hold the built image, under an id."""
    for name in names:
        hosts[name].engine.answers[f"GET /images/{TAG}/json"] = {"Id": id_, "RepoDigests": []}


def test_an_image_is_built_once_and_brought_to_the_other_nodes(building: Run, hosts: Hosts) -> None:
    """What it will be is known after the build, also to the labels and to the hub; that is within what was shown."""
    shown = every(building)
    assert [plan.error for plan in shown.values()] == [None] * len(shown)
    assert words(shown["build-notebook"]) == [f"build {TAG} on {MANAGER}"]
    assert words(shown["images"]) == [f"bring image on {WORKER1}", f"bring image on {WORKER2}"]
    holding(hosts, MANAGER)
    building.look.forget()
    after = every(building)
    assert after["build-notebook"].changes == ()
    assert [change.gist for change in after["images"].changes] == [f"{'d' * 12} from {MANAGER}"] * 2
    steps_left = ("images", "placement", "service")
    assert [is_within(after[step], shown[step]) for step in steps_left] == [True] * 3
    assert "POST /images/create" not in hosts[WORKER1].engine.asked()


def test_a_built_image_is_for_the_managers_architecture(building: Run, hosts: Hosts) -> None:
    """It is brought to no node of another, before the build and after it, and no registry is asked."""
    of_kind(hosts, "aarch64", WORKER2)
    shown = every(building)
    assert (words(shown["images"]), len(shown["images"].notes)) == ([f"bring image on {WORKER1}"], 1)
    assert (
        shown["images"].notes[0].startswith(f"{WORKER2} is aarch64, and {TAG} is for amd64: no server with it is placed there")
    )
    holding(hosts, MANAGER)
    hosts[MANAGER].engine.answers[f"GET /images/{TAG}/json"]["Architecture"] = "amd64"
    building.look.forget()
    after = every(building)
    assert [is_within(after[step], shown[step]) for step in ("images", "placement", "service")] == [True] * 3
    assert not [one for one in hosts[MANAGER].engine.asked() if "/distribution/" in one]


def test_what_any_node_holds_is_not_built_again(building: Run, hosts: Hosts) -> None:
    """The manager gets it from there, too."""
    holding(hosts, WORKER2)
    assert steps.notebook_images_plan(building).changes == ()
    assert [change.gist for change in steps.images_plan(building, (MANAGER, WORKER1)).changes] == [
        f"{'d' * 12} from {WORKER2}"
    ] * 2


def test_an_image_is_built_again_where_the_tag_below_it_has_moved(building: Run, hosts: Hosts) -> None:
    """And then all nodes get the new one, though they hold one of that tag."""
    holding(hosts, MANAGER, WORKER1, WORKER2)
    building.look.moved = {NOTEBOOK: f"sha256:{'e' * 64}"}
    plan = steps.notebook_images_plan(building)
    assert words(plan) == [f"build {TAG} on {MANAGER}"]
    holding(hosts, MANAGER, id_=f"sha256:{'f' * 64}")
    building.look.forget()
    building.look.newest = steps.rebuilt(building, plan)
    assert steps.notebook_images_plan(building).changes == ()
    assert words(steps.images_plan(building, (MANAGER, WORKER1))) == [f"bring image on {WORKER1}"]


def test_a_built_image_that_is_lost_is_no_image(building: Run, hosts: Hosts) -> None:
    """Somebody has removed it on the manager between the build and the next step."""
    plan = steps.notebook_images_plan(building)
    with pytest.raises(StepError, match="does not hold"):
        steps.rebuilt(building, plan)
