"""Allowed requests, edited at random: only what equals an allowed one passes, and the engine is sent what the filter writes.

What is allowed is said here once more, in other words than the filter's. The edits are the same ones in each run.
"""

import copy
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from hypothesis import given, settings
from hypothesis import strategies as some

from hub.filter.bodies import ONCE
from hub.filter.fields import Refused
from hub.filter.rules import Call, Request
from tests.unit.hub.asked import IMAGE
from tests.unit.hub.filter.engines import ruled
from tests.unit.hub.filter.sent import ASKED, CONFIG, CREATE, HOSTILE, RECORD, SETTINGS, edited, edits, found, places, service
from tests.unit.hub.filter.sent import edit as edit_at

RULES, SERVICE = ruled(**SETTINGS), service()
often = partial(settings, derandomize=True, deadline=None, database=None)


def is_amount(value: Any) -> bool:
    """Tell whether it is a whole number as Docker takes it."""
    return type(value) is int and 0 <= value < 2**63


def are_texts(value: Any) -> bool:
    """Tell whether it is a list of texts."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def is_device(value: Any) -> bool:
    """Tell whether it is a number of graphics cards."""
    one = value["DiscreteResourceSpec"] if isinstance(value, dict) and [*value] == ["DiscreteResourceSpec"] else None
    is_kind = isinstance(one, dict) and {*one} == {"Kind", "Value"} and one["Kind"] == "NVIDIA-GPU"
    return bool(is_kind) and is_amount(one["Value"] if one else None)


def are_resources(value: Any) -> bool:
    """Tell whether it is any amount of what the settings name."""
    known = {"Limits": {"NanoCPUs", "MemoryBytes", "Pids"}, "Reservations": {"NanoCPUs", "MemoryBytes", "GenericResources"}}
    if not isinstance(value, dict) or not {*value} <= {*known}:
        return False
    return all(
        isinstance(part, dict)
        and {*part} <= known[name]
        and all(
            isinstance(amount, list) and all(map(is_device, amount)) if key == "GenericResources" else is_amount(amount)
            for key, amount in part.items()
        )
        for name, part in value.items()
    )


def is_given_file(value: Any) -> bool:
    """Tell whether it is the hub's file for servers."""
    fixed = SERVICE["TaskTemplate"]["ContainerSpec"]["Configs"][0]["File"]
    return (
        isinstance(value, dict)
        and {*value} == {"ConfigID", "ConfigName", "File"}
        and exactly(value["File"], fixed)
        and bool(re.fullmatch("jupyterhub-notebook-([0-9a-f]{12}|[0-9a-f]{20})", str(value["ConfigName"])))
        and bool(re.fullmatch("[A-Za-z0-9]{1,64}", value["ConfigID"] if isinstance(value["ConfigID"], str) else ""))
    )


def exactly(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON, and no number is a truth value."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


# Go takes "{{" for the beginning of a template; the hub writes it as a template that is two braces.
PLAIN = re.compile(r'(?:\{\{"\{\{"\}\}|(?!\{\{).)*', re.DOTALL)
# What the hub may choose, and how it may be: all else of a request is as it is.
FREE: dict[tuple[Any, ...], Callable[[Any], bool]] = {
    ("Labels", "team"): lambda value: value in (None, "physics"),
    ("EndpointSpec", "Mode"): lambda value: value in ("vip", "dnsrr"),
    ("TaskTemplate", "Resources"): lambda value: value is None or are_resources(value),
    ("TaskTemplate", "Placement", "Constraints"): lambda value: (
        are_texts(value)
        and all(
            one in SERVICE["TaskTemplate"]["Placement"]["Constraints"] or re.fullmatch("node\\.id[!=]=[A-Za-z0-9]{1,64}", one)
            for one in value
        )
    ),
    ("TaskTemplate", "ContainerSpec", "Env"): lambda value: are_texts(value) and all(map(PLAIN.fullmatch, value)),
    ("TaskTemplate", "ContainerSpec", "Args"): lambda value: value is None or are_texts(value),
    ("TaskTemplate", "ContainerSpec", "Mounts"): lambda value: (
        isinstance(value, list)
        and all(any(exactly(one, own) for own in SERVICE["TaskTemplate"]["ContainerSpec"]["Mounts"]) for one in value)
    ),
    ("TaskTemplate", "ContainerSpec", "Configs"): lambda value: isinstance(value, list) and all(map(is_given_file, value)),
}


def is_allowed(body: Any) -> bool:
    """Tell whether a request is one for ada's server."""
    fixed = copy.deepcopy(body)
    for (*path, key), may_be in FREE.items():
        try:
            within, of_hub = found(fixed, tuple(path)), found(SERVICE, tuple(path))
            is_chosen = may_be(within.get(key))
        except (KeyError, TypeError, AttributeError):
            return False
        if not is_chosen:
            return False
        within[key] = of_hub[key]
    return exactly(fixed, SERVICE)


def judged(target: str, body: bytes) -> Call | None:
    """Return what the engine is asked for a request, or None where it is refused."""
    try:
        return RULES.judge(Request("POST", target, (), body))
    except Refused:
        return None


def tried(body: Any) -> None:
    """Make sure that a request for a server passes only if it is allowed, and that the engine gets what the filter writes."""
    call = judged(CREATE, json.dumps(body).encode())
    if call:
        assert is_allowed(body)
        assert exactly(call.body, body | ONCE)
        assert (call.method, call.target) == ("POST", CREATE)
    assert call or not exactly(body, SERVICE)


@often(max_examples=25)
@given(edits(SERVICE))
def test_a_server_with_an_edit_at_any_place_passes_only_if_it_is_allowed(edit: tuple[str, Any, str]) -> None:
    """The same edit at each place in turn: left out, null, nested, doubled, added, spelt otherwise or of another type."""
    for place in places(SERVICE):
        tried(edit_at(SERVICE, place, *edit))


@often(max_examples=150)
@given(edited(SERVICE))
def test_a_server_with_several_edits_passes_only_if_it_is_allowed(body: Any) -> None:
    """What one of them breaks no other one mends."""
    tried(body)


@often(max_examples=200)
@given(some.lists(some.sampled_from(["{", "}", "{{", "}}", '"', '"{{"', '{{"{{"}}', ".Node.ID", "x"]), max_size=6))
def test_a_variable_passes_only_if_swarm_leaves_it_as_it_is(parts: list[str]) -> None:
    """Braces are there as the hub writes them, and no Go template is."""
    tried(edit_at(SERVICE, ("TaskTemplate", "ContainerSpec", "Env", 0), "put another value there", "".join(parts), ""))


@often(max_examples=100)
@given(edited(RECORD))
def test_a_config_passes_only_if_it_is_a_record_of_a_home(body: Any) -> None:
    """Its user and its node are the hub's to choose, and its name as far as it begins as the homes' do."""
    call = judged(CONFIG, json.dumps(body).encode())
    if call:
        name, labels = body["Name"], body["Labels"]
        assert exactly(body, RECORD | {"Name": name, "Labels": labels})
        assert {*labels} == {"swarmhub.home", "swarmhub.user", "swarmhub.node"}
        assert labels["swarmhub.home"] == "jupyterhub"
        assert re.fullmatch(r"jupyterhub-home-[A-Za-z0-9_.-]{0,47}", name)
        assert re.fullmatch("[A-Za-z0-9]{1,64}", labels["swarmhub.node"])
        assert isinstance(labels["swarmhub.user"], str)
        assert exactly(call.body, body)
    assert call or not exactly(body, RECORD)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys are there once."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@often(max_examples=300)
@given(some.data())
def test_a_text_passes_only_if_it_can_be_read_in_one_way(data: Any) -> None:
    """A key of any object is there twice, or bytes are put in, left out or replaced."""
    text = json.dumps(SERVICE)
    for _ in range(data.draw(some.integers(1, 2))):
        keys = [*re.finditer(r'"[\w.]+": ', text)]
        at, end = data.draw(some.integers(0, len(text))), data.draw(some.integers(0, 2))
        key = data.draw(some.sampled_from(keys)) if keys else None
        if key and data.draw(some.booleans()):
            text = f"{text[: key.start()]}{key[0]}{json.dumps(data.draw(some.sampled_from(HOSTILE)))}, {text[key.start() :]}"
        else:
            put = data.draw(
                some.sampled_from(['"', ",", "{", "}", "]", "\\", "\0", "\ufeff", "{{", "1", "null", " ", "\\u0041"])
            )
            text = text[:at] + put + text[at + end :]
    call = judged(CREATE, text.encode("utf-8", "surrogatepass"))
    if call:
        assert is_allowed(json.loads(text, object_pairs_hook=once))


# All that the engine may be asked, whatever the hub sends: the id of what is the hub's is put in later.
API, NAME, OF_HUB = r"/v1\.(?:4[1-9]|[5-9]\d)", r"[A-Za-z0-9][A-Za-z0-9_.-]*", r"\{id\}"
MAY_BE = re.compile(
    "|".join(
        (
            r"GET /version",
            rf'GET {API}/services(?:\?filters=\{{"name": \["{NAME}"\]\}})?',
            rf'GET {API}/(?:services|tasks)\?filters=\{{"label": \["swarmhub\.notebooks=jupyterhub"\]\}}',
            rf"(?:GET|DELETE) {API}/services/{OF_HUB}",
            rf"GET {API}/services/{OF_HUB}/logs\?details=false&follow=false&stdout=true&stderr=true&since=0&timestamps=false"
            r"&tail=[1-9]\d{0,3}",
            rf'GET {API}/tasks(?:\?filters=\{{"service": \["{OF_HUB}"\]\}})?',
            rf"GET {API}/nodes(?:/{NAME})?",
            rf"GET {API}/networks/jupyter",
            rf"GET {API}/images/{re.escape(IMAGE)}/json",
            rf'GET {API}/configs\?filters=\{{"name": \["jupyterhub-{NAME}"\]\}}',
            rf"DELETE {API}/configs/{OF_HUB}",
        )
    )
)
PUT = [*'/?&="[]{},#; \n\0\u017fx0:@', "//", "..", "%2e", "%", ""]
WORDS = ["filters", "create", "update", "containers", "secrets", "logs", "force=1", "follow=True", "tail=all", "v1.24", "label"]


@often(max_examples=400)
@given(some.data())
def test_a_call_passes_only_if_it_is_one_of_the_hubs(data: Any) -> None:
    """However its path and its query are edited; the engine is asked in the filter's words, and for what is the hub's."""
    method, target = data.draw(some.sampled_from(ASKED))
    assert RULES.judge(Request(method, target))
    for _ in range(data.draw(some.integers(1, 3))):
        at, end = data.draw(some.just(len(target)) | some.integers(0, len(target))), data.draw(some.integers(0, 3))
        put = data.draw(some.sampled_from([*PUT, *WORDS, *(other for _, other in ASKED)]))
        target = target[:at] + put + target[at + end :]
    try:
        call = RULES.judge(Request(data.draw(some.sampled_from([method, "GET", "DELETE", "POST", "HEAD"])), target))
    except Refused:
        return
    assert MAY_BE.fullmatch(f"{call.method} {unquote_plus(call.target)}")
    assert bool(call.owned) == ("{id}" in unquote_plus(call.target))
    assert not call.owned or re.fullmatch(rf"{API}/(?:services|configs)/[A-Za-z0-9][A-Za-z0-9_.-]*", call.owned)
