"""What the hub may ask, and what it may not: each request of the corpus is refused for its own reason."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from hub.filter import rules
from hub.filter.bodies import ONCE
from hub.filter.fields import Refused
from hub.filter.rules import Call, Request, Rules, judge, pick
from hub.shared.people.names import Names
from hub.shared.servers import mounts
from tests.unit.hub.asked import tables
from tests.unit.hub.filter.engines import ADA, VERSION, allowed, ruled
from tests.unit.hub.filter.hostile import CONFIGS, FIELDS, LINES, TEXTS
from tests.unit.hub.filter.sent import CONFIG, CREATE, RECORD, SETTINGS, service


def judged(method: str, target: str, body: Any = None, rules: Rules | None = None) -> Call:
    """Return what the engine is asked for a request."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    return (rules or RULES).judge(Request(method, target, (), sent))


def refused(method: str, target: str, body: Any = None, rules: Rules | None = None) -> str:
    """Return why a request is refused."""
    with pytest.raises(Refused) as told:
        judged(method, target, body, rules)
    return str(told.value)


RULES = ruled(**SETTINGS)


def changed(body: Any, where: str, value: Any) -> Any:
    """Return a body with another value somewhere; the names of labels have dots."""
    top, dot, rest = where.partition(".")
    key: Any = int(top) if isinstance(body, list) else top
    if not dot or top == "Labels":
        other = {rest: value} | {key: value for key, value in body[key].items() if key != rest} if dot else value
    else:
        other = changed(body[key] if isinstance(body, list) else body.get(key, {}), rest, value)
    made = copy.copy(body)
    made[key] = other
    return made


def test_what_the_corpus_starts_from_is_allowed() -> None:
    """Each hostile request differs from these by one thing; what is missing cannot be right, and only they have a body."""
    assert judged("POST", CREATE, service()).body == service() | ONCE
    assert judged("POST", CONFIG, RECORD).body == RECORD
    for missing in ("Name", "Labels", "TaskTemplate"):
        why = refused("POST", CREATE, {key: value for key, value in service().items() if key != missing})
        assert missing in why or "no list of texts" in why
    # A body behind anything else could be the next request.
    assert refused("GET", f"{VERSION}/services", b"GET / HTTP/1.1") == "GET has a body"


@pytest.mark.parametrize("field", ["CapabilityDrop", "Privileges"])
def test_a_server_is_locked_where_the_settings_lock_all(field: str) -> None:
    """One that keeps its capabilities, or may gain some, is no server of this hub."""
    body = service()
    del body["TaskTemplate"]["ContainerSpec"][field]
    assert f"{field} is missing" in refused("POST", CREATE, body)


@pytest.mark.parametrize("field", ["TaskTemplate.Networks", "TaskTemplate.RestartPolicy", "EndpointSpec"])
def test_nothing_that_decides_where_a_server_is_is_left_to_the_engine(field: str) -> None:
    """Without networks a task is on docker0, where no firewall rule is; null and an empty value are no better."""
    above, _, name = field.rpartition(".")
    body = service()
    del (body[above] if above else body)[name]
    assert f"{name} is missing" in refused("POST", CREATE, body)
    nothing: list[Any] = [None, [], {}, "", 0]
    assert all(refused("POST", CREATE, changed(service(), field, value)) for value in nothing)


@pytest.mark.parametrize(("method", "target", "why"), LINES, ids=[f"{method} {target[:60]}" for method, target, _ in LINES])
def test_another_call_is_refused(method: str, target: str, why: str) -> None:
    """By its method, its path, the way it is written, or its query."""
    assert why in refused(method, target)


@pytest.mark.parametrize(("where", "value", "why"), FIELDS, ids=[f"{where} {str(value)[:30]}" for where, value, _ in FIELDS])
def test_another_service_is_refused(where: str, value: Any, why: str) -> None:
    """By one field that the hub would never send so."""
    assert why in refused("POST", CREATE, changed(service(), where, value))


@pytest.mark.parametrize(("text", "why"), TEXTS, ids=[str(text[:40]) for text, _ in TEXTS])
def test_a_body_that_can_be_read_in_two_ways_is_refused(text: bytes, why: str) -> None:
    """Or in none."""
    assert why in refused("POST", CREATE, text)


@pytest.mark.parametrize(("differs", "why"), CONFIGS, ids=[str(differs)[:60] for differs, _ in CONFIGS])
def test_another_config_is_refused(differs: dict[str, Any], why: str) -> None:
    """The hub makes records of homes, and the file that servers are given."""
    assert why in refused("POST", CONFIG, RECORD | differs)


@pytest.mark.parametrize("header", ["Upgrade", "HTTP2-Settings", "Content-Encoding"])
def test_a_connection_is_not_taken_over(header: str) -> None:
    """Nor is anything unpacked."""
    with pytest.raises(Refused, match=f"the header {header.lower()} is not allowed"):
        RULES.judge(Request("GET", f"{VERSION}/services", ("Host", header)))


def test_no_secret_is_in_a_reason() -> None:
    """Variables and arguments of a server are never shown."""
    for where in ("Env", "Args"):
        hidden = changed(service(), f"TaskTemplate.ContainerSpec.{where}", ["hush", 7])
        assert "hush" not in refused("POST", CREATE, hidden)


def test_a_reason_is_one_short_line() -> None:
    """Whatever somebody writes into a field's name."""
    why = refused("POST", CREATE, service() | {"a\n\x1b[31m" + "b" * 1000: 1})
    assert (why.isprintable(), len(why) < 120) == (True, True)


def test_a_volume_of_the_hubs_own_is_nobodys_folder() -> None:
    """A folder whose name is made from the user's would lead there."""
    rules = ruled(folders=[{"name": "jupyterhub-{username}", "mount": "/x"}])
    names = Names("data")
    (folder,) = mounts.folders(tables(folders=[{"name": "jupyterhub-{username}", "mount": "/x"}]), "jupyterhub", names, ())
    body = changed(service(), "Labels.swarmhub.user", "data")
    del body["Labels"]["team"]
    body["Labels"]["swarmhub.profile"] = ""
    body["TaskTemplate"]["ContainerSpec"]["Mounts"] = [folder]
    assert "'jupyterhub-data' is no mount" in refused("POST", CREATE, body, rules)


def test_a_folder_on_a_file_server_is_the_users_own() -> None:
    """The server, the options and the folder are checked, and the name that stands for them."""
    given = {"type": "nfs", "server": "files.example.org", "path": "/homes"}
    rules = ruled(**{**SETTINGS, "home": given})
    home = mounts.home(tables(home=given), "jupyterhub", Names("ada"))
    assert home
    body = changed(service(), "TaskTemplate.ContainerSpec.Mounts.0", home.mount)
    assert judged("POST", CREATE, body, rules).body == body | ONCE
    options = "TaskTemplate.ContainerSpec.Mounts.0.VolumeOptions.DriverConfig.Options"
    for key, value in {"device": ":/", "o": "addr=10.6.6.6", "type": "none"}.items():
        assert "is no mount" in refused("POST", CREATE, changed(body, f"{options}.{key}", value), rules)


def test_servers_are_kept_off_the_managers_where_the_settings_say_so() -> None:
    """A constraint of [jupyterhub.SwarmSpawner] may not be left out."""
    spawner = {"extra_placement_spec": {"constraints": ["node.role==worker"]}}
    rules = ruled(**SETTINGS, jupyterhub={"SwarmSpawner": spawner})
    assert "Constraints is not as the settings make it" in refused("POST", CREATE, service(), rules)
    body = service()
    body["TaskTemplate"]["Placement"]["Constraints"].append("node.role==worker")
    assert judged("POST", CREATE, body, rules).body == body | ONCE


def test_what_the_operator_adds_is_allowed_as_it_is() -> None:
    """A user that [jupyterhub.SwarmSpawner] names, and no other."""
    rules = ruled(**SETTINGS, jupyterhub={"SwarmSpawner": {"extra_container_spec": {"user": "1000"}}})
    user = "TaskTemplate.ContainerSpec.User"
    assert judged("POST", CREATE, changed(service(), user, "1000"), rules)
    assert "User is not as the settings make it" in refused("POST", CREATE, changed(service(), user, "root"), rules)


def test_what_the_operator_adds_to_lists_comes_in_its_place() -> None:
    """More mounts behind those of the settings, more variables before the hub's own: nothing else, and not less."""
    own: dict[str, Any] = {"mounts": [{"Type": "tmpfs", "Target": "/scratch"}], "env": {"A": "{{.Node.Hostname}}"}}
    rules = ruled(**SETTINGS, jupyterhub={"SwarmSpawner": {"extra_container_spec": own}})
    body = service()
    container = body["TaskTemplate"]["ContainerSpec"]
    container["Mounts"] += own["mounts"]
    container["Env"] = ["A={{.Node.Hostname}}", *container["Env"]]
    assert judged("POST", CREATE, body, rules).body == body | ONCE
    assert "Mounts" in refused("POST", CREATE, changed(body, "TaskTemplate.ContainerSpec.Mounts", own["mounts"] * 2), rules)
    assert "Go template" in refused("POST", CREATE, changed(body, "TaskTemplate.ContainerSpec.Env", ["A=b", "B={{.X}}"]), rules)


def test_the_engine_is_asked_in_the_filters_words() -> None:
    """No parameter goes on as it came."""
    call = judged("GET", f'{VERSION}/tasks?filters={{ "service": ["{ADA}"] }}')
    assert call.of("s1").target == f"{VERSION}/tasks?filters=%7B%22service%22%3A+%5B%22s1%22%5D%7D"
    assert (call.owned, call.method) == (f"{VERSION}/services/{ADA}", "GET")


@pytest.mark.parametrize("kind", ["tasks", "services"])
def test_all_of_the_hubs_servers_are_asked_for_by_their_label(kind: str) -> None:
    """Its own label, as a whole: by another hub's, or a part of it, others' would be seen."""
    own = judged("GET", f'{VERSION}/{kind}?filters={{"label":["swarmhub.notebooks=jupyterhub"]}}')
    assert (own.owned, json.loads(own.query["filters"])) == ("", {"label": ["swarmhub.notebooks=jupyterhub"]})
    for label in ("swarmhub.notebooks=jupyterhub-two", "swarmhub.notebooks", "swarmhub.service=jupyterhub"):
        assert "the only filter here is" in refused("GET", f'{VERSION}/{kind}?filters={{"label":["{label}"]}}')
    both = '{"label":["swarmhub.notebooks=jupyterhub","a"]}'
    assert "the only filter here is" in refused("GET", f"{VERSION}/{kind}?filters={both}")


def test_of_others_only_addresses_are_shown() -> None:
    """Their variables stay with the engine."""
    others = {
        "ID": "t1",
        "Spec": {"ContainerSpec": {"Env": ["PASSWORD=hush"]}},
        "Status": {"State": "running", "ContainerStatus": {"PID": 7}},
        "NetworksAttachments": [{"Network": {"ID": "net", "Spec": {"Name": "jupyter"}}, "Addresses": ["10.0.1.9/24"]}],
    }
    shown = RULES.show(judged("GET", f"{VERSION}/tasks"), [others])
    assert shown == [{"ID": "t1", "Status": {"State": "running"}, "NetworksAttachments": [{"Network": {"ID": "net"}}]}]


def test_of_configs_only_the_hubs_are_shown_and_none_of_their_content() -> None:
    """A name that begins alike is not enough."""
    ours = {"ID": "c1", "Spec": RECORD}
    others = {"ID": "c2", "Spec": {"Name": "jupyterhub-home-ada", "Labels": {"swarmhub.release": "jupyterhub"}, "Data": "eA=="}}
    call = judged("GET", f'{VERSION}/configs?filters={{"name":["jupyterhub-home-ada"]}}')
    assert RULES.show(call, [ours, others]) == [{"ID": "c1", "Spec": {"Name": RECORD["Name"], "Labels": RECORD["Labels"]}}]


WHOLE = {"home": {"name": "jupyterhub-user-{username}"}}


def test_homes_that_were_there_before_are_mounted_and_recorded() -> None:
    """Under their own names: of the service's the template takes no notice."""
    policy = replace(allowed(**WHOLE), service="lab")
    labels = {"swarmhub.home": "lab", "swarmhub.user": "ada", "swarmhub.node": "n1"}
    record = RECORD | {"Name": "jupyterhub-user-ada", "Labels": labels}
    assert judged("POST", CONFIG, record, rules.made(policy)).body == record
    assert judged("GET", f'{VERSION}/configs?filters={{"name":["jupyterhub-user-ada"]}}', rules=rules.made(policy)).lists
    wrong = refused("POST", CONFIG, record | {"Name": "jupyterhub-home-ada"}, rules.made(policy))
    assert "Name may not be 'jupyterhub-home-ada'" in wrong


@pytest.mark.parametrize("value", [None, "text", 7], ids=str)
def test_what_has_no_parts_is_shown_as_it_is(value: object) -> None:
    """An engine writes null for an empty list."""
    assert pick({"a": value, "b": 1}, {"a": {"c": {}}}) == {"a": value}


def test_of_several_policies_one_that_allows_is_enough() -> None:
    """While a hub is replaced; what none allows is refused with the newest one's reason."""
    new, old = (rules.made(replace(allowed(), images=(image,))) for image in ("quay.io/x:new", "quay.io/x:old"))
    for image, its in (("new", new), ("old", old)):
        assert judge((new, old), Request("GET", f"{VERSION}/images/quay.io/x:{image}/json"))[0] is its
    with pytest.raises(Refused, match="the hub needs no such call"):
        judge((new, old), Request("GET", f"{VERSION}/info"))


def test_a_hub_takes_no_name_of_another_hubs_server() -> None:
    """Hub `jupyterhub` could else be first with `jupyterhub-two-ada`, the server of hub `jupyterhub-two`."""
    for name in ("jupyterhub-two-ada", "jupyterhub-two", "jupyterhub-grace", "jupyterhub-ada--lab"):
        assert "Name is not as the settings make it" in refused("POST", CREATE, service() | {"Name": name})


def test_an_operator_may_name_the_servers() -> None:
    """Then any name that begins with the hub's is allowed, and none of its own services'."""
    rules = ruled(**SETTINGS, jupyterhub={"SwarmSpawner": {"name_template": "{prefix}-x-{username}"}})
    assert judged("POST", CREATE, service() | {"Name": "jupyterhub-x-ada"}, rules)
    for name in ("database", "jupyterhub-proxy", "jupyterhub"):
        assert "Name may not be" in refused("POST", CREATE, service() | {"Name": name}, rules)
