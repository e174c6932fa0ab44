"""The service that makes backups on the cluster: made, compared, sent, taken away."""

import base64
import io
import json
import lzma
import tarfile
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.engine.swarm import configs
from swarmhub.engine.swarm.replicated import LABEL
from swarmhub.errors import StepError
from swarmhub.host import EngineError
from swarmhub.inside.schedule import facts
from swarmhub.plan.plans import Cost, Plan
from swarmhub.services.hub.service import ExistingHub
from swarmhub.services.schedule import service
from swarmhub.services.schedule.service import ExistingSchedule, Wanted
from tests.unit.inside.schedule.cluster import FakeEngine, config
from tests.unit.support.cluster import as_kept, stored
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, in_turn, settings

SETTINGS = settings(backup={"repository": "/mnt/backup", "every": "1d"})
LEFT = {"settings/hosts.toml": b"[hub]", "hub/app.py": b"code"}
WANTED = Wanted("jupyterhub_restic:1", "n1", "cluster", {"every": 1}, SecretStr('{"password": "hush"}'), {"a.py": b"x"}, LEFT)
NAME = "jupyterhub_backup"


def desired(wanted: Wanted = WANTED) -> dict[str, Any]:
    """Return the service's spec."""
    return service.desired(SETTINGS, wanted)


def found(wanted: Wanted = WANTED) -> ExistingSchedule:
    """Return the service as an engine answers it, with its secret and what the deploy has left."""
    spec, secret = desired(wanted), service.secret_name(SETTINGS, wanted)
    there = {"ID": "s1", "Version": {"Index": 1}, "Spec": as_kept(spec, {secret: "id-of-secret"})}
    left = {service.left_name(SETTINGS, wanted): "id-of-left"}
    hub = ExistingHub(None, {secret: "id-of-secret"}, stored(spec))
    return replace(service.existing(there, hub), left=left)


def planned(there: ExistingSchedule, wanted: Wanted = WANTED) -> Plan:
    """Return the plan that makes it as wanted."""
    return service.plan(SETTINGS, wanted, there, desired(wanted), MANAGER)


def sentences(plan: Plan) -> list[str]:
    """Return what a plan does, without the ends of names."""
    return [f"{one.verb} {one.what.split(' (')[0].rpartition('-')[0] or one.what}" for one in plan.changes]


def test_no_secret_is_in_the_spec() -> None:
    """It is a Swarm secret, for root alone."""
    spec = desired()
    assert "hush" not in json.dumps(spec)
    (secret,) = spec["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert (secret["File"]["Name"], secret["File"]["Mode"]) == ("backup-repository", 0o400)


def test_it_runs_on_every_node_without_privileges() -> None:
    """Wherever homes may be, and has no network of the hub's."""
    spec = desired()
    assert spec["Mode"] == {"Global": {}}
    assert "Networks" not in spec["TaskTemplate"]
    assert spec["TaskTemplate"]["ContainerSpec"]["CapabilityDrop"] == ["ALL"]


def test_it_is_made_after_what_it_needs() -> None:
    """Its secret, and what the deploy leaves of the settings."""
    plan = planned(ExistingSchedule(None, {}, {}))
    assert [(one.verb, one.what.split()[0]) for one in plan.changes] == [
        ("create", "secret"),
        ("create", "config"),
        ("create", "service"),
    ]
    assert "hush" not in str([(one.sentence, one.gist, one.differences, one.command) for one in plan.changes])


def test_nothing_is_done_where_it_is_as_wanted() -> None:
    """Whatever the engine fills in."""
    assert planned(found()).changes == ()


def test_settings_that_changed_restart_nothing() -> None:
    """A backup in progress goes on: only the label tells which settings the next one saves."""
    wanted = replace(WANTED, left={**LEFT, "settings/hosts.toml": b"[hub] # other"})
    plan = planned(found(), wanted)
    assert [(one.verb, one.what.split()[0], one.cost) for one in plan.changes] == [
        ("create", "config", Cost.NOTHING),
        ("update", "service", Cost.NOTHING),
        ("remove", "config", Cost.NOTHING),
    ]
    (difference,) = plan.changes[1].differences
    assert difference.path.startswith("Labels")


def test_another_password_is_another_secret() -> None:
    """The older one goes when nothing reads it any more."""
    plan = planned(found(), replace(WANTED, repository=SecretStr('{"password": "other"}')))
    assert [(one.verb, one.what.split()[0]) for one in plan.changes] == [
        ("create", "secret"),
        ("update", "service"),
        ("remove", "secret"),
    ]


def test_all_of_it_goes_with_the_setting() -> None:
    """Service, secret and what was left; backups stay where they are."""
    plan = service.removal(SETTINGS, found(), MANAGER)
    assert [(one.verb, one.what.split()[0]) for one in plan.changes] == [
        ("remove", "service"),
        ("remove", "secret"),
        ("remove", "config"),
    ]
    assert service.removal(SETTINGS, ExistingSchedule(None, {}, {}), MANAGER).changes == ()


def test_the_hub_does_not_take_its_secret_for_one_left_over() -> None:
    """A rollout removes those that the hub reads no more."""
    secret = service.secret_name(SETTINGS, WANTED)
    hub = ExistingHub(None, {secret: "1", "jupyterhub-github_client_id-1": "2"})
    assert [*service.without_its_own(SETTINGS, hub).secrets] == ["jupyterhub-github_client_id-1"]


def test_what_a_deploy_leaves_is_what_the_schedule_reads() -> None:
    """Packed into a Swarm config, under the label that tells whose it is."""
    host = FakeHost(MANAGER, {})
    plan = planned(ExistingSchedule(None, {service.secret_name(SETTINGS, WANTED): "1"}, {}))
    plan.changes[0].apply(host, FakeProgress())
    (kept,) = host.engine.configs.kept.values()
    assert kept["Spec"]["Labels"][LABEL] == "jupyterhub"
    packed = base64.b64decode(base64.b64decode(kept["Spec"]["Data"]))
    assert b"[hub]" in lzma.decompress(packed)
    engine = FakeEngine("n1")
    engine.configs = {"left": config("left", kept["Spec"]["Labels"], kept["Spec"]["Data"])}
    assert facts._settings(engine, "jupyterhub") == {f"backup/{name}": content for name, content in LEFT.items()}
    plan.changes[0].apply(host, FakeProgress())  # of two runs at once, one is first


def tasks(spec: dict[str, Any], **status: Any) -> list[dict[str, Any]]:
    """Return the newest task of the service on the hub's node, and an older one on another."""
    newest = {"NodeID": "n1", "CreatedAt": "2", "Spec": spec["TaskTemplate"], "Status": {"State": "running", **status}}
    return [newest | {"ServiceID": "s1"}, {**newest, "NodeID": "n2", "CreatedAt": "1", "Status": {"State": "rejected"}}]


def test_a_deploy_sees_that_it_runs_on_the_hubs_node() -> None:
    """Another node's failure is told by status and doctor."""
    spec = desired()
    there = configs.bare(spec)
    assert service._state(tasks(there), "n1", spec)[1]
    assert service._state(tasks(there, State="rejected", Err="No such image"), "n1", spec) == ("No such image", False)
    assert not service._state(tasks(configs.bare(desired(replace(WANTED, times={"every": 2})))), "n1", spec)[1]
    assert service._state([], "n1", spec) == ("Swarm has given this node no task", False)


def test_where_it_runs_the_image_is() -> None:
    """So a deploy with nothing to do asks no node for it."""
    there = tasks(configs.bare(desired()))
    assert service.active(there, WANTED.image) == {"n1"}
    assert service.active(there, "jupyterhub_restic:2") == frozenset()


def test_a_service_that_is_made_carries_its_secret_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their ids; one that does not come up is told with what Swarm says."""
    monkeypatch.setattr(service, "SECONDS", 0)
    secret = service.secret_name(SETTINGS, WANTED)
    answers = {
        "GET /secrets": [{"ID": "x", "Spec": {"Name": secret}}],
        "POST /services/create": {"ID": "s1"},
        "GET /tasks": tasks(configs.bare(desired()), State="rejected", Err="No such image"),
    }
    host = FakeHost(MANAGER, answers)
    change = planned(ExistingSchedule(None, {secret: "x"}, {service.left_name(SETTINGS, WANTED): "l"})).changes[0]
    with pytest.raises(StepError, match=f"the service {NAME} does not run: No such image"):
        change.apply(host, FakeProgress())
    host.engine.answers["GET /tasks"] = tasks(configs.bare(desired()))
    change.apply(host, FakeProgress())
    sent = host.engine.sent("POST /services/create").body["TaskTemplate"]["ContainerSpec"]
    assert sent["Secrets"][0]["SecretID"] == "x"
    assert all(one["ConfigID"] for one in sent["Configs"])


def test_what_swarm_has_no_room_for_is_left_out() -> None:
    """A logo may have a megabyte: the deploy goes on, and says what only a backup by hand has."""
    refused = EngineError(MANAGER, 500, "rpc error: config data must be larger than 0 and less than 1024000 bytes")
    host, progress = FakeHost(MANAGER, {"POST /configs/create": in_turn(refused, {"ID": "c"})}), FakeProgress()
    wanted = replace(WANTED, left={"hub/logo/logo.png": b"large" * 99, **LEFT})
    _, change, *_ = planned(ExistingSchedule(None, {}, {}), wanted).changes
    change.apply(host, progress)
    assert [line for _, line in progress.lines] == ["hub/logo/logo.png is too large for scheduled backups; fab backup saves it"]
    sent = [one.body["Data"] for one in host.engine.requests if one.path == "/configs/create"]
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(base64.b64decode(base64.b64decode(sent[-1]))))) as tar:
        assert {*tar.getnames()} == {*LEFT}
    for_good = FakeHost(MANAGER, {"POST /configs/create": refused})
    with pytest.raises(EngineError):
        change.apply(for_good, FakeProgress())


def test_an_engine_that_refuses_is_told() -> None:
    """Only a config that is there already is no error."""
    host = FakeHost(MANAGER, {"POST /configs/create": EngineError(MANAGER, 500, "too large")})
    host.engine.answers["POST /configs/create"] = EngineError(MANAGER, 500, "too large")
    plan = planned(ExistingSchedule(None, {service.secret_name(SETTINGS, WANTED): "1"}, {}))
    with pytest.raises(EngineError):
        plan.changes[0].apply(host, FakeProgress())
