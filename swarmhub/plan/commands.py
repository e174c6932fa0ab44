"""The docker command for a change that a person can type; swarmhub itself uses the Engine API."""

import re
import shlex
from collections.abc import Iterable

from swarmhub.host import Json
from swarmhub.plan.differences import Difference, flat

Flag = tuple[str, str]

# Behind a command that does not say all of a change.
MORE = "  # and more: see fab plan --details"
# The fields of a service that the flags here say.
SAID = re.compile(
    r"Name|Labels\..*|Mode\.Replicated\.Replicas|EndpointSpec\.(Mode|Ports\[\d+\]\.\w+)"
    r"|TaskTemplate\.(Networks\[\d+\]\.Target|Placement\.Constraints)"
    r"|TaskTemplate\.ContainerSpec\.(Image|User|Env.*|Mounts\[\d+\]\.(Type|Source|Target|ReadOnly))"
    r"|TaskTemplate\.ContainerSpec\.Secrets\[\d+\]\.(SecretName|File\.\w+)"
    r"|TaskTemplate\.ContainerSpec\.Configs.*"
)
# Flags that "service create" takes several times; "service update" adds and removes, the latter by a part of the value.
# Of the first ones, what is added replaces what has the same key.
REPLACED = ("--label", "--env", "--mount")
REPEATED = (*REPLACED, "--secret", "--config", "--network", "--publish", "--constraint")


def network(body: Json) -> str:
    """Return what makes a network."""
    subnets = [word for part in body["IPAM"]["Config"] for word in ("--subnet", part["Subnet"])]
    attachable = ["--attachable"] if body["Attachable"] else []
    return line(
        "network", "create", "--driver", body["Driver"], *attachable, *_options(body["Options"]), *subnets, body["Name"]
    )


def volume(body: Json) -> str:
    """Return what makes a volume."""
    return line("volume", "create", "--driver", body["Driver"], *_options(body["DriverOpts"]), body["Name"])


def secret(variable: str, name: str, label: str) -> str:
    """Return what makes a secret of an environment variable's value, past every argv."""
    return f'printf %s "${variable}" | {line("secret", "create", "--label", label, name, "-")}'


def service_create(spec: Json) -> str:
    """Return what makes a service."""
    words = [word for flag in _flags(spec) for word in flag]
    container = spec["TaskTemplate"]["ContainerSpec"]
    image = (container["Image"], *(container.get("Args") or ()))
    return line("service", "create", "--no-resolve-image", "--name", spec["Name"], *words, *image) + _more(flat(spec))


def service_update(wanted: Json, found: Json, differs: Iterable[Difference]) -> str:
    """Return what turns a service into the wanted one; nothing if no flag here says a part of it."""
    new, old = ([*_flags(spec), ("--image", spec["TaskTemplate"]["ContainerSpec"]["Image"])] for spec in (wanted, found))
    kept = {(flag, _key(flag, value)) for flag, value in new if flag in REPLACED}
    gone = [one for one in old if one not in new and one[0] in REPEATED and (one[0], _key(*one)) not in kept]
    words = [word for flag, value in gone for word in (f"{flag}-rm", _key(flag, value))]
    unset = {flag for flag, _ in old if flag not in REPEATED} - {flag for flag, _ in new}
    words += [word for flag in unset for word in (flag, "")]
    for flag, value in new:
        if (flag, value) not in old:
            words += [f"{flag}-add" if flag in REPEATED else flag, value]
    return line("service", "update", "--no-resolve-image", *words, wanted["Name"]) + _more(differs) if words else ""


def line(*words: str) -> str:
    """Return a docker command as a shell takes it."""
    return shlex.join(("docker", *words))


def _more(differs: Iterable[Difference]) -> str:
    fields = (one.path for item in differs for value in (item.found, item.wanted) for one in flat(value, item.path))
    return "" if all(SAID.fullmatch(path) for path in fields) else MORE


def _flags(spec: Json) -> list[Flag]:
    template = spec["TaskTemplate"]
    container, endpoint = template["ContainerSpec"], spec.get("EndpointSpec") or {}
    replicas = ((spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas")
    values: dict[str, Iterable[str]] = {
        "--label": (f"{name}={value}" for name, value in (spec.get("Labels") or {}).items()),
        "--env": container.get("Env") or (),
        "--mount": map(_mount, container.get("Mounts") or ()),
        "--secret": (_file(one, "SecretName") for one in container.get("Secrets") or ()),
        "--config": (_file(one, "ConfigName") for one in container.get("Configs") or ()),
        "--network": (network["Target"] for network in template.get("Networks") or ()),
        "--constraint": (template.get("Placement") or {}).get("Constraints") or (),
        "--publish": map(_port, endpoint.get("Ports") or ()),
        "--user": filter(None, [container.get("User")]),
        "--replicas": () if replicas is None else (str(replicas),),
        "--endpoint-mode": filter(None, [endpoint.get("Mode")]),
    }
    return [(flag, value) for flag, several in values.items() for value in several]


def _mount(mount: Json) -> str:
    read_only = ",readonly" if mount.get("ReadOnly") else ""
    return f"type={mount['Type']},source={mount['Source']},target={mount['Target']}{read_only}"


def _file(reference: Json, name: str) -> str:
    file = reference["File"]
    return f"source={reference[name]},target={file['Name']},mode={file['Mode']:04o}"


def _port(port: Json) -> str:
    mode = port.get("PublishMode", "ingress")
    return f"published={port.get('PublishedPort')},target={port['TargetPort']},protocol={port['Protocol']},mode={mode}"


def _key(flag: str, value: str) -> str:
    """Return the part of a flag's value by which the thing is removed."""
    if flag in ("--label", "--env"):
        return value.partition("=")[0]
    parts = dict(part.partition("=")[::2] for part in value.split(","))
    # Of a port all counts: "--publish-rm 443" leaves one that is published in the mode "host".
    return parts.get({"--mount": "target", "--secret": "source", "--config": "source"}.get(flag, ""), value)


def _options(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("--opt", f"{name}={value}" if value else name)]
