"""The docker command that a person would type for a change; swarmhub itself uses the Engine API."""

import shlex
from collections.abc import Iterator
from typing import Any

from swarmhub.host import Json

Flag = tuple[str, str]

# Flags that "service create" takes several times; "service update" adds and removes, the latter by a part of the value.
# Of the first ones, what is added replaces what has the same key.
REPLACED = ("--label", "--container-label", "--env", "--mount")
REPEATED = (*REPLACED, "--secret", "--network", "--publish", "--constraint")


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


def container(body: Json) -> str:
    """Return what runs a container to its end."""
    host = body["HostConfig"]
    binds = [word for bind in host["Binds"] for word in ("--volume", bind)]
    ports = [
        word
        for inside, outside in host.get("PortBindings", {}).items()
        for word in ("--publish", f"{outside[0]['HostPort']}:{inside.removesuffix('/tcp')}")
    ]
    environment = [word for value in body["Env"] for word in ("--env", value)]
    return line("run", "--rm", *binds, *ports, *environment, body["Image"], *body["Cmd"])


def secret(variable: str, name: str, label: str) -> str:
    """Return what makes a secret of an environment variable's value, past every argv."""
    return f'printf %s "${variable}" | {line("secret", "create", "--label", label, name, "-")}'


def service_create(spec: Json) -> str:
    """Return what makes a service."""
    words = [word for flag in _flags(spec) for word in flag]
    container = spec["TaskTemplate"]["ContainerSpec"]
    arguments = container.get("Args") or []
    return line("service", "create", "--no-resolve-image", "--name", spec["Name"], *words, container["Image"], *arguments)


def service_update(wanted: Json, found: Json) -> str:
    """Return what turns a service into the wanted one, as far as there are flags for it."""
    new, old = [*_flags(wanted), _image(wanted)], [*_flags(found), _image(found)]
    replaced = {(flag, _key(flag, value)) for flag, value in new if flag in REPLACED}
    words = []
    for flag, value in old:
        stays = (flag, value) in new or (flag, _key(flag, value)) in replaced
        if flag in REPEATED and not stays:
            words += [f"{flag}-rm", _key(flag, value)]
    for flag, value in new:
        if (flag, value) not in old:
            words += [f"{flag}-add" if flag in REPEATED else flag, value]
    return line("service", "update", "--no-resolve-image", *words, wanted["Name"])


def line(*words: str) -> str:
    """Return a docker command as a shell takes it."""
    return shlex.join(("docker", *words))


def _image(spec: Json) -> Flag:
    return "--image", spec["TaskTemplate"]["ContainerSpec"]["Image"]


def _flags(spec: Json) -> list[Flag]:
    template = spec["TaskTemplate"]
    container = template["ContainerSpec"]
    endpoint = spec.get("EndpointSpec") or {}
    flags = [("--label", f"{name}={value}") for name, value in (spec.get("Labels") or {}).items()]
    flags += [("--container-label", f"{name}={value}") for name, value in (container.get("Labels") or {}).items()]
    flags += [("--env", value) for value in container.get("Env") or []]
    flags += [("--mount", _mount(mount)) for mount in container.get("Mounts") or []]
    flags += [("--secret", _secret(secret)) for secret in container.get("Secrets") or []]
    flags += [("--network", network["Target"]) for network in template.get("Networks") or []]
    flags += [("--constraint", constraint) for constraint in (template.get("Placement") or {}).get("Constraints") or []]
    flags += [("--publish", _port(port)) for port in endpoint.get("Ports") or []]
    return [*flags, *_single(spec)]


def _single(spec: Json) -> Iterator[Flag]:
    template = spec["TaskTemplate"]
    container, restart = template["ContainerSpec"], template.get("RestartPolicy") or {}
    check = container.get("Healthcheck") or {}
    update, rollback = spec.get("UpdateConfig") or {}, spec.get("RollbackConfig") or {}
    found: dict[str, Any] = {
        "--user": container.get("User"),
        "--replicas": (spec.get("Mode") or {}).get("Replicated", {}).get("Replicas"),
        "--endpoint-mode": (spec.get("EndpointSpec") or {}).get("Mode"),
        "--health-cmd": _script(check.get("Test") or [""]),
        "--health-interval": _time(check.get("Interval")),
        "--health-timeout": _time(check.get("Timeout")),
        "--health-start-period": _time(check.get("StartPeriod")),
        "--health-start-interval": _time(check.get("StartInterval")),
        "--health-retries": check.get("Retries"),
        "--stop-grace-period": _time(container.get("StopGracePeriod")),
        "--restart-condition": restart.get("Condition"),
        "--restart-delay": _time(restart.get("Delay")),
        "--update-order": update.get("Order"),
        "--update-monitor": _time(update.get("Monitor")),
        "--update-failure-action": update.get("FailureAction"),
        "--rollback-order": rollback.get("Order"),
        "--rollback-monitor": _time(rollback.get("Monitor")),
        "--rollback-failure-action": rollback.get("FailureAction"),
    }
    return ((flag, str(value)) for flag, value in found.items() if value)


def _script(test: list[str]) -> str:
    """Return a health check as a shell takes it: a script is one already, the words of a command are not."""
    return test[1] if test[0] == "CMD-SHELL" else shlex.join(test[1:])


def _mount(mount: Json) -> str:
    read_only = ",readonly" if mount.get("ReadOnly") else ""
    return f"type={mount['Type']},source={mount['Source']},target={mount['Target']}{read_only}"


def _secret(secret: Json) -> str:
    file = secret["File"]
    return f"source={secret['SecretName']},target={file['Name']},mode={file['Mode']:04o}"


def _port(port: Json) -> str:
    mode = port.get("PublishMode", "ingress")
    return f"published={port.get('PublishedPort')},target={port['TargetPort']},protocol={port['Protocol']},mode={mode}"


def _key(flag: str, value: str) -> str:
    """Return the part of a flag's value by which the thing is removed."""
    if flag in ("--label", "--container-label", "--env"):
        return value.partition("=")[0]
    parts = dict(part.partition("=")[::2] for part in value.split(","))
    # Of a port all counts: "--publish-rm 443" leaves one that is published in the mode "host".
    name = {"--mount": "target", "--secret": "source"}.get(flag, "")
    return parts.get(name, value)


def _options(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("--opt", f"{name}={value}" if value else name)]


def _time(nanoseconds: int | None) -> str:
    return f"{nanoseconds / 1e9:g}s" if nanoseconds else ""
