"""What whoever has broken into the hub tries with a server's service: fields left out, foreign, or there twice."""

import json
from typing import Any

from tests.lab.support import FILTER, HUB, PROXY

# Another hub whose name begins alike, with a server, a home's record and a secret; and a service of nobody's.
OTHER, FOREIGN, DATABASE = f"{HUB}-two", f"{HUB}-two-eve", "attacked-database"
# "ID-OF-" and one of these is the network's id when it is sent.
NETWORKS = ("jupyter-proxy", "jupyter", "ingress", "docker_gwbridge", "host")
RECORD, SECRET = f"{HUB}-home-eve", "attacked-secret"

Tries = dict[str, dict[str, Any]]

TASK: list[Any] = ["TaskTemplate"]
CONTAINER: list[Any] = [*TASK, "ContainerSpec"]
MOUNT: list[Any] = [*CONTAINER, "Mounts", 0]
# The fields of the hub's own request. An empty list of variables, mounts, arguments or constraints is the hub's to choose.
FIELDS: list[list[Any]] = [
    ["Name"],
    ["Labels"],
    *(["Labels", f"swarmhub.{name}"] for name in ("notebooks", "user", "profile", "server")),
    ["EndpointSpec"],
    ["EndpointSpec", "Mode"],
    TASK,
    *([*TASK, name] for name in ("RestartPolicy", "Networks", "Placement", "Resources")),
    [*TASK, "RestartPolicy", "Condition"],
    [*TASK, "Networks", 0],
    [*TASK, "Networks", 0, "Target"],
    CONTAINER,
    *([*CONTAINER, name] for name in ("Image", "CapabilityDrop", "Privileges", "Healthcheck", "Configs")),
    [*CONTAINER, "CapabilityDrop", 0],
    [*CONTAINER, "Privileges", "NoNewPrivileges"],
    [*CONTAINER, "Configs", 0, "File"],
    *([*MOUNT, name] for name in ("Type", "Source", "Target", "VolumeOptions")),
]
NOTHING: dict[str, list[Any]] = {"left out": [], "null": [None], "empty text": [""], "zero": [0], "other type": [[{"a": [1]}]]}
# What stays an allowed request: the server has no name as it is, and its limits are the hub's to choose.
SAME = {"Labels.swarmhub.server empty text", "TaskTemplate.Resources left out"}


def path(parts: list[Any]) -> str:
    """Return a field's place as one name."""
    return ".".join(map(str, parts))


WITHOUT: Tries = {
    f"{path(field)} {how}": {"edit": [field, *value]}
    for field in FIELDS
    for how, value in NOTHING.items()
    if f"{path(field)} {how}" not in SAME
}

BIND = {"Type": "bind", "Source": "/", "Target": "/host"}
FOREIGN_VALUES: list[tuple[list[Any], list[Any]]] = [
    (
        ["Name"],
        [HUB, PROXY, FILTER, FOREIGN, DATABASE, f"{HUB}-ada", f"{HUB}_firewall", f"{HUB}-mallory\n", "{{.Node.ID}}"],
    ),
    (["Labels", "swarmhub.notebooks"], [OTHER, "{{.Service.ID}}"]),
    (["Labels", "swarmhub.user"], ["ada", "eve", "{{.Service.Name}}"]),
    (["Labels", "swarmhub.server"], ["lab", "../x"]),
    (["Labels", "com.docker.stack.namespace"], ["other"]),
    (["Labels", "swarmhub.service"], [HUB, OTHER]),
    (["Mode"], [{"Global": {}}, {"Replicated": {"Replicas": 9}}, {"GlobalJob": {}}]),
    (["Networks"], [[{"Target": "ingress"}], [{"Target": "jupyter-proxy"}]]),
    (["UpdateConfig"], [{"Parallelism": 1}]),
    (["EndpointSpec", "Mode"], ["host", "ingress", "VIP"]),
    (["EndpointSpec", "Ports"], [[{"TargetPort": 22, "PublishedPort": 2222, "PublishMode": "host"}], []]),
    (
        [*TASK, "Networks"],
        [
            [],
            *([{"Target": name}] for name in ("ingress", "host", "bridge", "docker_gwbridge", "none", "jupyter-proxy", OTHER)),
            [{"Target": "jupyter"}, {"Target": "host"}],
            [{"Target": "jupyter"}, {"Target": "jupyter"}],
            [{"Target": "jupyter", "Aliases": [HUB]}],
            [{"Target": "jupyter", "DriverOpts": {"com.docker.network.endpoint.sysctls": "net.ipv4.ip_forward=1"}}],
            [{"target": "host", "Target": "jupyter"}],
            [{"Target": "jupyter "}],
            *([{"Target": f"ID-OF-{name}"}] for name in NETWORKS),
        ],
    ),
    ([*TASK, "RestartPolicy", "Condition"], ["any", "on-failure", "None"]),
    ([*TASK, "Runtime"], ["plugin", "attachment"]),
    ([*TASK, "PluginSpec"], [{"Remote": "vieux/sshfs", "PluginPrivilege": []}]),
    ([*TASK, "NetworkAttachmentSpec"], [{"ContainerID": "x"}]),
    ([*TASK, "LogDriver"], [{"Name": "syslog", "Options": {"syslog-address": "tcp://10.6.6.6"}}]),
    ([*TASK, "ForceUpdate"], [1]),
    ([*TASK, "Placement", "Constraints", 0], ["node.role==manager", "node.hostname==swarm-manager1", "node.id==a || true"]),
    ([*TASK, "Placement", "Preferences"], [[{"Spread": {"SpreadDescriptor": "node.id"}}]]),
    ([*TASK, "Placement", "Platforms"], [[{"OS": "linux"}]]),
    ([*TASK, "Resources", "Limits", "MemoryBytes"], [-1, 2**63, 1.5, True, "1G"]),
    ([*TASK, "Resources", "Reservations"], [{"GenericResources": [{"DiscreteResourceSpec": {"Kind": "GPU", "Value": 1}}]}]),
    ([*CONTAINER, "Image"], ["alpine", "registry.lab:5000/notebook:lab", "jupyterhub:latest", "{{.Node.ID}}"]),
    ([*CONTAINER, "Command"], [["/bin/sh"], []]),
    ([*CONTAINER, "Env", 0], ["A={{.Node.Hostname}}", "A={{", 'A={{"{{"}}{{.Task.ID}}', "{{range 9}}{{.}}{{end}}"]),
    ([*CONTAINER, "Mounts", 1], [BIND, {**BIND, "Source": "/var/run/docker.sock"}, {**BIND, "Source": "/etc/letsencrypt"}]),
    ([*MOUNT, "Source"], [f"{HUB}-data", FILTER, RECORD, f"{HUB}-home-ada", "/", "{{.Node.Hostname}}", ""]),
    ([*MOUNT, "Type"], ["bind", "npipe", "cluster", "image", "tmpfs"]),
    ([*MOUNT, "Target"], ["/", "/etc", "/usr/local/bin", "/home/jovyan/.."]),
    ([*MOUNT, "ReadOnly"], [False]),
    ([*MOUNT, "BindOptions"], [{"Propagation": "rshared"}]),
    ([*MOUNT, "VolumeOptions", "Subpath"], ["../.."]),
    (
        [*MOUNT, "VolumeOptions", "DriverConfig"],
        [{"Name": "local", "Options": {"type": "none", "device": "/", "o": "bind"}}],
    ),
    ([*MOUNT, "VolumeOptions", "Labels"], [{"swarmhub.home": OTHER, "swarmhub.user": "mallory"}]),
    ([*CONTAINER, "CapabilityAdd"], [["CAP_SYS_ADMIN"], []]),
    ([*CONTAINER, "CapabilityDrop"], [["NET_RAW"], ["all"], ["ALL", "ALL"]]),
    (
        [*CONTAINER, "Privileges"],
        [{}, {"NoNewPrivileges": False}, {"Seccomp": {"Mode": "unconfined"}}, {"AppArmor": {"Mode": "disabled"}}],
    ),
    ([*CONTAINER, "Configs", 0, "ConfigName"], [RECORD, "swarmhub-lock", f"{HUB}-policies-0123456789ab"]),
    ([*CONTAINER, "Configs", 0, "File", "Name"], ["/etc/passwd", "/usr/local/bin/start.sh"]),
    ([*CONTAINER, "Configs", 0, "File", "Mode"], [0o4755]),
    ([*CONTAINER, "Secrets"], [[{"SecretName": SECRET, "SecretID": "x", "File": {"Name": "x"}}], []]),
    ([*CONTAINER, "User"], ["root", "0"]),
    ([*CONTAINER, "Groups"], [["0"]]),
    ([*CONTAINER, "Hostname"], ["{{.Node.Hostname}}"]),
    ([*CONTAINER, "Hosts"], [["10.6.6.6 jupyterhub"]]),
    ([*CONTAINER, "DNSConfig"], [{"Nameservers": ["10.6.6.6"]}]),
    ([*CONTAINER, "Sysctls"], [{"net.ipv4.ip_forward": "1"}]),
    ([*CONTAINER, "Ulimits"], [[{"Name": "nofile", "Soft": 1, "Hard": 1}]]),
    ([*CONTAINER, "Isolation"], ["hyperv"]),
    ([*CONTAINER, "OomScoreAdj"], [-1000]),
    ([*CONTAINER, "Healthcheck", "Test"], [["CMD", "id"], ["CMD-SHELL", "id"]]),
    ([*CONTAINER, "HostConfig"], [{"Privileged": True}]),
]
WITH: Tries = {
    f"{path(field)} {json.dumps(value)[:60]}": {"edit": [field, value]} for field, values in FOREIGN_VALUES for value in values
}

# The same field twice, or in other letters: an engine in Go would take the last one, whatever its letters.
TWICE: Tries = {
    "Name twice": {"text": ['"Name":', f'"Name": "{PROXY}", "Name":']},
    "Name in other letters": {"edit": [["name"], PROXY]},
    "Networks twice": {"text": ['"Networks":', '"Networks": [{"Target": "host"}], "Networks":']},
    "Networks in other letters": {"edit": [[*TASK, "networks"], [{"Target": "host"}]]},
    "TaskTemplate in other letters": {"edit": [["tasktemplate"], {"ContainerSpec": {"Image": "alpine"}}]},
    "Mounts in other letters": {"edit": [[*CONTAINER, "MOUNTS"], [BIND]]},
    "Mounts with a long s": {"edit": [[*CONTAINER, "Mount\u017f"], [BIND]]},
    "Privileges in other letters": {"edit": [[*CONTAINER, "privileges"], {"NoNewPrivileges": False}]},
    "Source twice": {"text": ['"Source":', '"Source": "/", "Source":']},
    "a key that is escaped": {"text": ['"Name":', f'"\\u004eame": "{PROXY}", "Name":']},
    "two values one behind the other": {"text": ['"Name":', f'"Name": "{PROXY}"}} {{"Name":']},
    "a comment": {"text": ['"Name":', '/* */ "Name":']},
    "a trailing comma": {"text": ['"Networks":', ', "Networks":']},
}
