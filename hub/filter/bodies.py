"""What the hub may make: the bodies of its requests, field by field."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docker.types import ContainerSpec, EndpointSpec, Placement, Resources, TaskTemplate

from hub.filter.fields import Check, Refused, anything, each, matching, one_of, same, shown, table, text, whole
from hub.filter.policy import Policy
from hub.shared import mounts, services, spec
from hub.shared.mounts import HOME, LONGEST, NODE, USER
from hub.shared.names import Names
from hub.shared.spec import CONFIG_FILE, CONFIG_FOLDER

Json = dict[str, Any]

ID = "[A-Za-z0-9]{1,64}"
NOTEBOOKS, OWNER, PROFILE, SERVER = spec.LABELS
OF_SERVICE = "swarmhub.service"
MOUNTED = {"Name": f"{CONFIG_FOLDER}/{CONFIG_FILE.name}", "UID": "0", "GID": "0", "Mode": 0o444}
# What hub.spec gives a server whose settings say drop_capabilities.
LOCKED = {"CapabilityDrop": ["ALL"], "Privileges": {"NoNewPrivileges": True}}


@dataclass(frozen=True)
class Said:
    """The fields that [jupyterhub.SwarmSpawner] makes, by part: the operator's own word."""

    container: Json
    resources: Json
    placement: Json
    task: Json
    endpoint: Json


def said(extra: Mapping[str, Mapping[str, Any]]) -> Said:
    """Return the fields that docker-py makes of its arguments.

    Raises:
        TypeError: it does not know one.

    """
    part = {name: dict(extra.get(name, {})) for name in ("container", "resources", "placement", "task", "endpoint")}
    plain = ContainerSpec(image="")
    container = ContainerSpec(**{"image": "", **part["container"]})
    return Said(
        container={key: value for key, value in container.items() if key not in plain or plain[key] != value},
        resources=Resources(**part["resources"]),
        placement={key: value for key, value in Placement(**part["placement"]).items() if key != "Constraints"},
        task={
            key: value for key, value in TaskTemplate(**{"container_spec": None, **part["task"]}).items() if value is not None
        },
        endpoint=EndpointSpec(**part["endpoint"]),
    )


def service(policy: Policy, extra: Said, body: Any) -> None:
    """Check the body by which a server's service is made.

    Raises:
        Refused: it holds what is not allowed.

    """
    labels = body.get("Labels") if isinstance(body, dict) else None
    _labels(policy)(labels, "Labels")
    container = {
        "Image": one_of(*policy.images),
        "Command": one_of(None),
        "Args": _args,
        "Env": each(_variable),
        "Mounts": _mounts(policy, labels),
        "Configs": each(_config_reference(policy)),
        "Healthcheck": one_of({"Test": ["NONE"]}),
        **{name: one_of(value) for name, value in LOCKED.items()},
        **({} if policy.locked else {"CapabilityAdd": one_of(spec.UNLOCKED["cap_add"])}),
    }
    amounts = {"NanoCPUs": whole, "MemoryBytes": whole}
    reserved = {**amounts, "GenericResources": each(_generic_resource(policy))}
    template = {
        "ContainerSpec": table(
            container, extra.container, needs=("Image", "CapabilityDrop", *(LOCKED if policy.locked else ()))
        ),
        "Resources": table({"Limits": table({**amounts, "Pids": whole}), "Reservations": table(reserved)}, extra.resources),
        "Placement": table({"Constraints": each(_constraint(policy))}, extra.placement),
        "Networks": one_of(*([{"Target": network}] for network in policy.networks)),
        "RestartPolicy": one_of({"Condition": "none"}),
    }
    whole_spec = {
        "Name": _name(policy),
        "Labels": anything,
        # Without networks a task is on one that no firewall rule is about, and without a policy it comes back for ever.
        "TaskTemplate": table(template, extra.task, needs=("ContainerSpec", "Networks", "RestartPolicy")),
        "EndpointSpec": table({"Mode": one_of("vip", "dnsrr")}, extra.endpoint, needs=("Mode",)),
    }
    table(whole_spec, needs=("Name", "TaskTemplate", "EndpointSpec"))(body, "")
    placed = (body["TaskTemplate"].get("Placement") or {}).get("Constraints", ())
    for constraint in policy.constraints:
        if constraint not in placed:
            raise Refused(
                f"TaskTemplate.Placement.Constraints lacks {shown(constraint)}, which the settings ask of every server"
            )


def config(policy: Policy, body: Any) -> None:
    """Check the body by which a Swarm config is made: the file that servers are given, or the record of a home.

    Raises:
        Refused: it is neither.

    """
    table({"Name": text, "Data": text, "Labels": anything}, needs=("Name", "Data", "Labels"))(body, "")
    name, labels = body["Name"], body["Labels"]
    if isinstance(labels, dict) and HOME in labels:
        begins = re.escape(mounts.beginning(policy.home["name"], policy.service))
        matching(rf"(?=.{{1,{LONGEST}}}\Z){begins}[A-Za-z0-9_.-]*")(name, "Name")
        one_of("e30=")(body["Data"], "Data")  # {}
        table({HOME: one_of(policy.service), USER: text, NODE: matching(ID)}, needs=(USER, NODE))(labels, "Labels")
        return
    one_of({OF_SERVICE: policy.service})(labels, "Labels")
    # Its name is its content's: nobody can put another file where servers look for the hub's.
    one_of(f"{policy.service}-notebook-{_digest(body['Data'])}")(name, "Name")


def is_our_service(policy: Policy, found: Json) -> bool:
    """Tell whether a service, as the engine shows it, is one of the hub's servers."""
    return (found["Spec"].get("Labels") or {}).get(NOTEBOOKS) == policy.service


def is_our_home(policy: Policy, found: Json) -> bool:
    """Tell whether a Swarm config records the home of one of the hub's users."""
    return (found["Spec"].get("Labels") or {}).get(HOME) == policy.service


def is_our_config(policy: Policy, found: Json) -> bool:
    """Tell whether a Swarm config is one that the hub makes."""
    is_given = bool(re.fullmatch(_notebook(policy), found["Spec"]["Name"]))
    return is_our_home(policy, found) or (is_given and found["Spec"].get("Labels") == {OF_SERVICE: policy.service})


def _name(policy: Policy) -> Check:
    """Return the check of a server's name: it begins with the hub's, and is not that of a service beside it."""
    shape = matching(rf"(?=.{{1,{LONGEST}}}\Z){re.escape(policy.service)}-[A-Za-z0-9_-]*[A-Za-z0-9]")

    def check(value: Any, at: str) -> None:
        shape(value, at)
        if value in services.names(policy.service):
            raise Refused(f"{at} may not be {shown(value)}, the name of one of the hub's own services")

    return check


def _labels(policy: Policy) -> Check:
    own = {
        NOTEBOOKS: one_of(policy.service),
        OWNER: matching(r"(?s).{1,255}"),
        PROFILE: one_of("", *policy.profiles),
        SERVER: text,
    }
    return table({**{name: one_of(*values) for name, values in policy.labels.items()}, **own}, needs=own)


def _mounts(policy: Policy, labels: Any) -> Check:
    """Return the check of a list of mounts: those of the user and the profile that the labels name."""
    names = Names(labels[OWNER], labels[SERVER], labels[PROFILE])
    home = mounts.home({"home": policy.home}, policy.service, names)
    shared = mounts.folders({"folders": [{**one, "groups": []} for one in policy.folders]}, policy.service, names, ())
    makes = [*([home.mount] if home else []), *shared, *map(mounts.memory, policy.shared_memory)]
    allowed = [one for one in makes if one.get("Source") not in policy.reserved]

    def check(value: Any, at: str) -> None:
        if not any(same(value, one) for one in allowed):
            source = shown(value.get("Source")) if isinstance(value, dict) else "this"
            raise Refused(f"{at}: {source} is no mount that the settings give this user, or not with these options")

    return each(check)


def _variable(value: Any, at: str) -> None:
    text(value, at)
    if not mounts.is_literal(value):
        raise Refused(f"{at} is a Go template, which Swarm expands on the manager")


def _args(value: Any, at: str) -> None:
    if value is not None:
        each(text)(value, at)


def _config_reference(policy: Policy) -> Check:
    reference = {"ConfigName": matching(_notebook(policy)), "ConfigID": matching(ID), "File": one_of(MOUNTED)}
    return table(reference, needs=reference)


def _generic_resource(policy: Policy) -> Check:
    kind = table({"Kind": one_of(*policy.generic_resources), "Value": whole}, needs=("Kind", "Value"))
    return table({"DiscreteResourceSpec": kind}, needs=("DiscreteResourceSpec",))


def _constraint(policy: Policy) -> Check:
    def check(value: Any, at: str) -> None:
        if value not in allowed and not (isinstance(value, str) and re.fullmatch(f"node\\.id[!=]={ID}", value, re.ASCII)):
            raise Refused(f"{at} may not be {shown(value)}")

    allowed = [*policy.constraints, *_held(policy)]
    return check


def _held(policy: Policy) -> Iterator[str]:
    """Yield the constraints that the settings' images and node labels make."""
    for image in policy.images:
        yield from spec.constraints({"image": image, "node_labels": {}})
    for name, values in policy.node_labels.items():
        yield from (f"node.labels.{name}=={value}" for value in values)


def _notebook(policy: Policy) -> str:
    return rf"{re.escape(policy.service)}-notebook-[0-9a-f]{{12}}"


def _digest(data: str) -> str:
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError:
        raise Refused("Data is not base64") from None
    return hashlib.sha256(content).hexdigest()[:12]
