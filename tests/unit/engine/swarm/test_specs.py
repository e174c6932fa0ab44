"""Two specs of a service, compared by what they say."""

import copy
import json
from typing import Any

import pytest

from hub.shared.settings import FILE
from swarmhub.engine.swarm import configs, specs

SPEC: dict[str, Any] = {
    "Name": "jupyterhub",
    "TaskTemplate": {
        "ContainerSpec": {
            "Image": "jupyterhub:1",
            "Env": ["A=1", 'SWARMHUB_SETTINGS={"culling":{"idle":3600},"profiles":[]}'],
            "Mounts": [{"Target": "/a"}, {"Target": "/b"}],
            "Secrets": [{"SecretName": "x-1", "File": {"Name": "X"}}],
        }
    },
}


def changed(**parts: Any) -> dict[str, Any]:
    """Return the spec with other parts of its container."""
    spec = copy.deepcopy(SPEC)
    spec["TaskTemplate"]["ContainerSpec"] |= parts
    return spec


@pytest.mark.parametrize(
    "same",
    [
        changed(Env=list(reversed(SPEC["TaskTemplate"]["ContainerSpec"]["Env"]))),
        changed(Env=["A=1", f"SWARMHUB_SETTINGS={json.dumps({'profiles': [], 'culling': {'idle': 3600}}, indent=1)}"]),
        changed(Mounts=[{"Target": "/b"}, {"Target": "/a"}]),
        changed(Secrets=[{"SecretName": "x-1", "SecretID": "id", "File": {"Name": "X"}}], Isolation="default"),
    ],
    ids=["the order of variables", "a manual spelling", "the order of mounts", "what an engine fills in"],
)
def test_other_words_for_the_same_are_no_difference(same: dict[str, Any]) -> None:
    """A plan is empty after a deploy."""
    assert specs.compare(SPEC, same) == ()


def handed(idle: int, *, is_file: bool, is_known: bool = True) -> dict[str, Any]:
    """Return the spec of a hub that is handed these settings, in a file or as by an earlier release in a variable."""
    text = json.dumps({"culling": {"idle": idle}, "profiles": []})
    if not is_file:
        return changed(Env=["A=1", f"SWARMHUB_SETTINGS={text}"])
    spec = changed(Env=["A=1"], Configs=[configs.reference(str(FILE), "jupyterhub-settings", text)])
    return spec if is_known else configs.bare(spec)


IDLE = "TaskTemplate.ContainerSpec.Configs.settings.Data.culling.idle"
MOUNTED = "TaskTemplate.ContainerSpec.Configs.settings.File"


@pytest.mark.parametrize(
    ("wanted", "found", "paths"),
    [
        (handed(3600, is_file=True), handed(60, is_file=True), [IDLE]),
        (handed(3600, is_file=False), handed(60, is_file=False), [IDLE]),
        (handed(3600, is_file=True), handed(60, is_file=False), [MOUNTED, IDLE]),
        (handed(3600, is_file=False), handed(3600, is_file=True), [MOUNTED]),
        (handed(60, is_file=True), handed(60, is_file=True, is_known=False), []),
        (
            handed(3600, is_file=True),
            handed(60, is_file=True, is_known=False),
            ["TaskTemplate.ContainerSpec.Configs.settings.ConfigName"],
        ),
    ],
    ids=["two files", "two variables", "moved and changed", "moved back", "the same", "nobody knows what was in it"],
)
def test_the_settings_differ_field_by_field(wanted: dict[str, Any], found: dict[str, Any], paths: list[str]) -> None:
    """Not as two long lines, nor as two names; where they were before does not matter."""
    assert [item.path for item in specs.compare(wanted, found)] == paths


def test_what_looks_like_a_secret_in_the_settings_is_hidden() -> None:
    """As in the environment."""
    texts = [json.dumps({"access": {"options": {"client_secret": value}}}) for value in ("hush", "hush hush")]
    wanted, found = (changed(Env=[], Configs=[configs.reference(str(FILE), "x", text)]) for text in texts)
    (item,) = specs.compare(wanted, found)
    assert (item.found, item.wanted) == ("(hidden)", "(hidden)")


def test_a_file_of_somebody_elses_is_compared_by_its_configs_name() -> None:
    """It may be no JSON, and what is in it is nobody's matter."""
    other = changed(Configs=[{"ConfigName": "by-hand", "File": {"Name": "/etc/motd", "UID": "0", "GID": "0", "Mode": 0o444}}])
    assert [item.path for item in specs.compare(SPEC, other)] == ["TaskTemplate.ContainerSpec.Configs./etc/motd"]


def test_a_document_that_is_none_is_compared_as_it_is() -> None:
    """Whoever has put it there by hand."""
    other = changed(Env=["A=1", "SWARMHUB_SETTINGS=broken"])
    assert specs.compare(SPEC, other)[0].found == "broken"


NONE: dict[str, Any] = {"CredentialSpec": None, "SELinuxContext": None}
LOCKED: dict[str, Any] = changed(Privileges={"NoNewPrivileges": True})


CHECK: dict[str, Any] = {"Test": ["CMD", "true"], "Interval": 30_000_000_000}
YOUNG = changed(
    Privileges={"NoNewPrivileges": True, "SELinuxContext": {"Disable": True}}, Healthcheck=CHECK | {"StartInterval": 1}
)
# Without an interval for the start the first question comes after the other one: it must not be long.
OLD = changed(Privileges={"SELinuxContext": {"Disable": True}}, Healthcheck=CHECK | {"Interval": specs.OLDER_INTERVAL})


def test_what_an_old_manager_would_drop_is_not_wanted_of_it() -> None:
    """A plan is empty after a deploy, whatever the engine; what is wanted stays as it was."""
    before = copy.deepcopy(YOUNG)
    assert (specs.kept(YOUNG, 24), specs.kept(YOUNG, 25), YOUNG) == (OLD, before, before)
    assert specs.kept(SPEC, 24) == SPEC
    assert specs.compare(specs.kept(LOCKED, 24), changed(Privileges=NONE)) == ()


def test_what_the_engine_knows_after_an_upgrade_is_a_difference() -> None:
    """What was left out is added by the next deploy."""
    assert [item.path.rpartition("ContainerSpec.")[2] for item in specs.compare(specs.kept(YOUNG, 25), OLD)] == [
        "Privileges.NoNewPrivileges",
        "Healthcheck.Interval",
        "Healthcheck.StartInterval",
    ]


@pytest.mark.parametrize("kept", [None, NONE, NONE | {"NoNewPrivileges": False}], ids=["no table", "never sent", "by a hand"])
def test_a_privilege_that_is_missing_is_a_difference(kept: dict[str, Any] | None) -> None:
    """A service of an older release gets it."""
    (difference,) = specs.compare(LOCKED, changed(Privileges=kept) if kept else SPEC)
    assert difference.path.startswith("TaskTemplate.ContainerSpec.Privileges")


@pytest.mark.parametrize(
    ("parts", "networks", "gist"),
    [
        ({}, (), "image jupyterhub:1"),
        (
            {
                "Networks": [{"Target": "n1"}],
                "Placement": {"Constraints": ["node.role==manager", "node.id==a"]},
                "ports": [(443, 443), (80, 8080)],
                "Mode": {"Replicated": {"Replicas": 1}},
            },
            ("jupyter",),
            "image jupyterhub:1; ports 443, 8080:80; networks jupyter; placed node.role==manager, node.id==a",
        ),
        (
            {"Networks": [{"Target": "host"}], "Mode": {"Global": {}}},
            (),
            "image jupyterhub:1; networks host; placed on every node",
        ),
    ],
)
def test_what_matters_of_a_service_is_a_line(parts: dict[str, Any], networks: tuple[str, ...], gist: str) -> None:
    """A network by its name, where that is known; a port or mount that is the same on both sides once."""
    ports = [{"TargetPort": inside, "PublishedPort": outside} for inside, outside in parts.pop("ports", [])]
    mode = parts.pop("Mode", {})
    template = {"ContainerSpec": {"Image": "jupyterhub:1"}, **parts}
    assert specs.gist({"TaskTemplate": template, "EndpointSpec": {"Ports": ports}, "Mode": mode}, networks) == gist


def test_mounts_and_secrets_of_a_service_are_named() -> None:
    """A secret by the name of its file, never by more."""
    spec = changed(
        Env=["A_TOKEN=x"],
        Mounts=[{"Source": "data", "Target": "/data"}, {"Source": "/etc/x", "Target": "/etc/x"}],
    )
    assert specs.gist(spec) == "image jupyterhub:1; mounts data:/data, /etc/x; secrets X"
