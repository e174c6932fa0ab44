"""Requests of somebody who has broken into the hub, each with the reason for which it is refused."""

from typing import Any

from tests.unit.hub.asked import IMAGE

V = "/v1.45"
LONG = "a" * 5000
CONTAINER = "TaskTemplate.ContainerSpec"
MOUNTS = f"{CONTAINER}.Mounts"
NO_MOUNT = "is no mount that the settings give this user"

# Another method, another path, another way to write one: method, target, reason.
NEEDLESS = {
    "POST": "build containers/create containers/abc/attach containers/abc/exec exec/abc/start images/create images/load "
    "session grpc secrets/create swarm/join swarm/leave nodes/n1/update volumes/create networks/create "
    "networks/jupyter/connect plugins/pull services/jupyterhub-ada/update?version=7 services/jupyterhub/update?version=7 "
    "configs/c1/update",
    "GET": "containers/json containers/abc/archive secrets swarm swarm/unlockkey volumes networks plugins info events "
    "system/df images/json images/alpine/json tasks/t1 tasks/t1/logs nodes/n1/logs configs/c1 version v1.45/services",
    "DELETE": "nodes/n1 volumes/jupyterhub-home-ada networks/jupyter images/alpine",
    **{"HEAD": "services", "OPTIONS": "services", "PUT": "services/jupyterhub-ada", "PATCH": "services/create"},
    **{"TRACE": "services", "get": "services"},
}
LINES: list[tuple[str, str, str]] = [
    *((method, f"{V}/{path}", "the hub needs no such call") for method, paths in NEEDLESS.items() for path in paths.split()),
    ("GET", f"{V}/_ping", "the path has characters that the hub's have not"),
    ("POST", "/version", "the path has no API version"),
    ("GET", "/services", "the path has no API version"),
    ("GET", "/v1.24/services", "the path has no API version from 1.41 on"),
    ("GET", "/v1.40/services", "the path has no API version from 1.41 on"),
    ("GET", "/v1.450/services", "the path has no API version"),
    ("GET", "/v2.45/services", "the path has no API version"),
    ("GET", f"/{V}/services", "the path has an empty part"),
    ("GET", f"{V}//services", "the path has an empty part"),
    ("GET", f"{V}/services//", "the path has an empty part"),
    ("GET", f"{V}/services/", "the path has characters that the hub's have not"),
    ("GET", f"{V}/services/../containers/json", "the path has a part that begins with a dot"),
    ("DELETE", f"{V}/services/./jupyterhub", "the path has a part that begins with a dot"),
    ("GET", f"{V}/services/..", "the path has a part that begins with a dot"),
    ("GET", f"{V}/services/%2e%2e/containers/json", "the path is percent-encoded"),
    ("GET", f"{V}/services%2f..%2fcontainers%2fjson", "the path is percent-encoded"),
    ("GET", f"{V}/%73ervices", "the path is percent-encoded"),
    ("GET", f"{V}/services/jupyterhub-ada%00", "the path is percent-encoded"),
    ("GET", f"{V}/services;a=b", "the path has characters that the hub's have not"),
    ("GET", f"{V}\\services", "the path has characters that the hub's have not"),
    ("GET", f"{V}/services#/create", "the path has characters that the hub's have not"),
    ("GET", f"{V}/services\t", "the path is not plain ASCII"),
    ("GET", f"{V}/service\u017f", "the path is not plain ASCII"),
    ("GET", "http://docker/v1.45/services", "the request is no path"),
    ("OPTIONS", "*", "the request is no path"),
    ("GET", "", "the path has characters that the hub's have not"),
    ("GET", f"{V}/services/{LONG}", "the path is too long"),
    ("GET", f"{V}/services?status=true", "the parameter 'status' is not allowed"),
    ("GET", f"{V}/services/jupyterhub-ada?insertDefaults=true", "the parameter 'insertDefaults' is not allowed"),
    ("DELETE", f"{V}/services/jupyterhub-ada?force=1", "the parameter 'force' is not allowed"),
    ("GET", f"{V}/networks/jupyter?verbose=true", "the parameter 'verbose' is not allowed"),
    ("GET", f"{V}/nodes?filters=%7B%7D", "the parameter 'filters' is not allowed"),
    ("GET", "/version?x=1", "the parameter 'x' is not allowed"),
    ("GET", f"{V}/services?", "the query cannot be read"),
    ("GET", f"{V}/services?Filters=%7B%7D", "the parameter 'Filters' is not allowed"),
    ("GET", f"{V}/services/a:b", "the hub needs no such call"),
    ("GET", f"{V}/nodes/n1@x", "the hub needs no such call"),
    ("POST", f"{V}/services/create?x=1", "the parameter 'x' is not allowed"),
    ("DELETE", f"{V}/configs/c1?force=1", "the parameter 'force' is not allowed"),
    ("GET", f"{V}/services?filters", "the query cannot be read"),
    ("GET", f"{V}/services?filters=%ff", "the query cannot be read"),
    ("GET", f"{V}/tasks?filters=%7B%7D&filters=%7B%7D", "a parameter occurs twice"),
    ("GET", f"{V}/tasks?filters=%7B%7D", "the only filter here is service"),
    ("GET", f"{V}/tasks?filters=", "the parameter filters is not JSON"),
    ("GET", f'{V}/tasks?filters={{"node":["n1"]}}', "the only filter here is service"),
    ("GET", f'{V}/tasks?filters={{"service":["a","b"]}}', "the only filter here is service"),
    ("GET", f'{V}/tasks?filters={{"service":{{"a":true}}}}', "the only filter here is service"),
    ("GET", f'{V}/tasks?filters={{"service":["../x"]}}', "the only filter here is service"),
    ("GET", f'{V}/tasks?filters={{"service":["a"],"service":["b"]}}', "a key occurs twice in one object"),
    ("GET", f'{V}/services?filters={{"label":["a"]}}', "the only filter here is name"),
    ("GET", f"{V}/configs", "configs are listed by a name that begins with jupyterhub-"),
    ("GET", f'{V}/configs?filters={{"name":["swarmhub-lock"]}}', "configs are listed by a name"),
    ("GET", f'{V}/configs?filters={{"label":["swarmhub.release"]}}', "the only filter here is name"),
    ("GET", f"{V}/networks/ingress", "'ingress' is no network of the servers"),
    ("GET", f"{V}/services/jupyterhub-ada/logs", "logs are read by their last lines"),
    (
        "GET",
        f"{V}/services/a/logs?{'details=False&follow=True&stdout=True&stderr=True&since=0&timestamps=False&tail=10'}",
        "logs",
    ),
    (
        "GET",
        f"{V}/services/a/logs?{'details=False&follow=False&stdout=True&stderr=True&since=0&timestamps=False&tail=all'}",
        "logs",
    ),
]

# A field of a server's service: where, what, reason.
UNKNOWN = (
    "Mode Networks UpdateConfig name Labels.swarmhub.service Labels.com.docker.stack.namespace Labels.traefik.enable "
    "EndpointSpec.Ports TaskTemplate.Runtime TaskTemplate.PluginSpec TaskTemplate.NetworkAttachmentSpec TaskTemplate.LogDriver "
    "TaskTemplate.ForceUpdate TaskTemplate.Placement.Preferences TaskTemplate.Placement.MaxReplicas "
    "TaskTemplate.Resources.Ulimits TaskTemplate.Resources.Reservations.Devices"
)
UNKNOWN_IN_CONTAINER = (
    "image User Groups CapabilityAdd Sysctls Ulimits OomScoreAdj Isolation Hosts DNSConfig Hostname Labels Secrets HostConfig "
    "Devices"
)
FIELDS: list[tuple[str, Any, str]] = [
    *((field, {"Any": "value"}, f"'{field}' is not allowed") for field in UNKNOWN.split()),
    *((f"{CONTAINER}.{one}", {}, f"'{CONTAINER}.{one}' is not allowed") for one in UNKNOWN_IN_CONTAINER.split()),
    ("Name", "database", "Name is not as the settings make it"),
    ("Name", "jupyterhub", "Name is not as the settings make it"),
    ("Name", "jupyterhub-proxy", "Name is not as the settings make it"),
    ("Name", "jupyterhub-engine", "Name is not as the settings make it"),
    ("Name", "jupyterhub-ada\n", "Name is not as the settings make it"),
    ("Name", None, "Name is not as the settings make it"),
    ("Labels", None, "Labels name no user"),
    ("Labels", {}, "Labels name no user"),
    ("Labels.swarmhub.notebooks", "other-hub", "Labels.swarmhub.notebooks is not as the settings make it"),
    ("Labels.swarmhub.user", "", "Labels name no user"),
    ("Labels.swarmhub.user", "a" * 256, "Labels name no user"),
    ("Labels.swarmhub.server", "a" * 256, "Labels name no user"),
    ("Labels.swarmhub.user", ["ada"], "'jupyterhub-home-ada' is no mount"),
    ("Labels.swarmhub.profile", "", "Labels name no user and profile"),
    ("Labels.swarmhub.profile", "backup", "Labels name no user and profile"),
    ("Labels.team", "ops", "Labels.team is not as the settings make it"),
    ("EndpointSpec.Mode", "host", "EndpointSpec.Mode is not as the settings make it"),
    ("EndpointSpec", [], "EndpointSpec is not as the settings make it"),
    ("TaskTemplate", None, "Env is no list of texts"),
    ("TaskTemplate.RestartPolicy", {"Condition": "any"}, "TaskTemplate.RestartPolicy.Condition is not as the settings make it"),
    ("TaskTemplate.Networks", [{"Target": "host"}], "TaskTemplate.Networks is not as the settings make it"),
    (
        "TaskTemplate.Networks",
        [{"Target": "jupyter"}, {"Target": "database"}],
        "TaskTemplate.Networks is not as the settings make it",
    ),
    (
        "TaskTemplate.Networks",
        [{"Target": "jupyter", "Aliases": ["jupyterhub"]}],
        "TaskTemplate.Networks is not as the settings make it",
    ),
    (
        "TaskTemplate.Networks",
        [{"Target": "jupyter", "DriverOpts": {"a": "b"}}],
        "TaskTemplate.Networks is not as the settings make it",
    ),
    ("TaskTemplate.Placement.Constraints", ["node.role==manager"], "Constraints is not as the settings make it"),
    ("TaskTemplate.Placement.Constraints", ["node.labels.gpu==false"], "Constraints is not as the settings make it"),
    ("TaskTemplate.Placement.Constraints", ["node.id==n1 || true"], "Constraints is not as the settings make it"),
    ("TaskTemplate.Placement.Constraints", "node.id==n1", "Constraints is not as the settings make it"),
    ("TaskTemplate.Resources.Limits.Pids", -1, "TaskTemplate.Resources.Limits.Pids' is not allowed"),
    ("TaskTemplate.Resources.Limits.MemoryBytes", True, "TaskTemplate.Resources.Limits.MemoryBytes' is not allowed"),
    ("TaskTemplate.Resources.Limits.MemoryBytes", 2**63, "TaskTemplate.Resources.Limits.MemoryBytes' is not allowed"),
    (
        "TaskTemplate.Resources.Reservations.GenericResources",
        [{"DiscreteResourceSpec": {"Kind": "SSD", "Value": 1}}],
        "TaskTemplate.Resources.Reservations' is not allowed",
    ),
    (
        "TaskTemplate.Resources.Reservations.GenericResources",
        [{"NamedResourceSpec": {"Kind": "NVIDIA-GPU", "Value": "1"}}],
        "TaskTemplate.Resources.Reservations' is not allowed",
    ),
    (CONTAINER, None, "Env is no list of texts"),
    (f"{CONTAINER}.Image", "alpine", "Image is not as the settings make it"),
    (f"{CONTAINER}.Image", IMAGE.partition("@")[0], "Image is not as the settings make it"),
    (f"{CONTAINER}.Image", IMAGE[:-4] + "0000", "Image is not as the settings make it"),
    (f"{CONTAINER}.Command", ["/bin/sh"], "Command is not as the settings make it"),
    (f"{CONTAINER}.Args", "sh -c id", "Args is not as the settings make it"),
    (f"{CONTAINER}.Env", {"A": "b"}, "Env is no list of texts"),
    (f"{CONTAINER}.Env", [1], "Env is no list of texts"),
    (f"{CONTAINER}.Env", ["A=b", "C={{.Node.Hostname}}"], "Env[1] is a Go template, which Swarm expands"),
    (f"{CONTAINER}.Env", ["A={{{{"], "Env[0] is a Go template"),
    (f"{CONTAINER}.Env", ['A={{"{{"}}{{.Service.Name}}'], "Env[0] is a Go template"),
    (f"{CONTAINER}.Env", ['A={{{"{{"}}'], "Env[0] is a Go template"),
    (f"{CONTAINER}.Env", ['A={{"{"}}{ .Node }}'], "Env[0] is a Go template"),
    (f"{CONTAINER}.Privileges", {"NoNewPrivileges": False}, "Privileges.NoNewPrivileges is not as the settings make it"),
    (f"{CONTAINER}.CapabilityDrop", ["NET_RAW"], "TaskTemplate.ContainerSpec.CapabilityDrop is not as the settings make it"),
    (f"{CONTAINER}.Privileges", {"Seccomp": {"Mode": "unconfined"}}, "Privileges.NoNewPrivileges is missing"),
    (f"{CONTAINER}.Privileges", {"CredentialSpec": {"File": "x"}}, "Privileges.CredentialSpec' is not allowed"),
    (f"{CONTAINER}.privileges", {"SELinuxContext": {"Disable": True}}, "privileges' is not allowed"),
    (f"{CONTAINER}.Healthcheck", {"Test": ["CMD", "id"]}, "Healthcheck.Test is not as the settings make it"),
    (f"{CONTAINER}.Configs.0.ConfigName", "swarmhub-release-7", "Configs is not as the settings make it"),
    (f"{CONTAINER}.Configs.0.File.Name", "/usr/local/bin/start.sh", "Configs is not as the settings make it"),
    (f"{CONTAINER}.Configs.0.File.Mode", 0o4755, "Configs is not as the settings make it"),
    (f"{CONTAINER}.Configs.0.Runtime", {}, "Configs is not as the settings make it"),
    (MOUNTS, {"Type": "bind"}, "Mounts is not as the settings make it"),
    (f"{MOUNTS}.0", "/:/host", f"Mounts[0]: this {NO_MOUNT}"),
    (f"{MOUNTS}.0", {"Type": "bind", "Source": "/", "Target": "/host"}, f"Mounts[0]: '/' {NO_MOUNT}"),
    (f"{MOUNTS}.0", {"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/x"}, NO_MOUNT),
    (f"{MOUNTS}.0", {"Type": "bind", "Source": "/etc/letsencrypt", "Target": "/x"}, NO_MOUNT),
    (f"{MOUNTS}.0", {"Type": "bind", "Source": "/mnt/shared/course/..", "Target": "/course", "ReadOnly": True}, NO_MOUNT),
    (f"{MOUNTS}.0", {"Type": "bind", "Source": "/mnt/shared/course", "Target": "/course", "ReadOnly": False}, NO_MOUNT),
    (f"{MOUNTS}.0", {"Type": "bind", "Source": "/mnt/shared/course", "Target": "/usr", "ReadOnly": True}, NO_MOUNT),
    (f"{MOUNTS}.0", {"Type": "volume", "Source": "jupyterhub-data", "Target": "/home/jovyan"}, NO_MOUNT),
    (f"{MOUNTS}.0", {"Type": "npipe", "Source": "x", "Target": "/x"}, NO_MOUNT),
    (f"{MOUNTS}.0", {"Type": "cluster", "Source": "x", "Target": "/x"}, NO_MOUNT),
    (f"{MOUNTS}.0", {"Type": "image", "Source": "alpine", "Target": "/x"}, NO_MOUNT),
    (f"{MOUNTS}.0.Source", "jupyterhub-home-grace", f"'jupyterhub-home-grace' {NO_MOUNT}"),
    (f"{MOUNTS}.0.BindOptions", {"Propagation": "rshared"}, NO_MOUNT),
    (f"{MOUNTS}.0.VolumeOptions.Subpath", "../..", NO_MOUNT),
    (f"{MOUNTS}.0.VolumeOptions.DriverConfig.Name", "vieux/sshfs", NO_MOUNT),
    (f"{MOUNTS}.0.VolumeOptions.DriverConfig.Options", {"type": "none", "device": "/", "o": "bind"}, NO_MOUNT),
    (f"{MOUNTS}.0.VolumeOptions.Labels", {"swarmhub.home": "other-hub"}, NO_MOUNT),
    (f"{MOUNTS}.2.TmpfsOptions.SizeBytes", 2**40, NO_MOUNT),
    (f"{MOUNTS}.2.TmpfsOptions.Mode", 0o4777, NO_MOUNT),
    (f"{MOUNTS}.2.TmpfsOptions.Options", [["exec"], ["suid"]], NO_MOUNT),
    (f"{MOUNTS}.2.Target", "/etc", NO_MOUNT),
]

# Bodies that are no values, or two: the text, the reason.
TEXTS: list[tuple[bytes, str]] = [
    (b"", "the body is not JSON"),
    (b"[]", "Labels name no user"),
    (b"null", "Labels name no user"),
    (b'{"Name": "jupyterhub-a", "Name": "database"}', "a key occurs twice in one object"),
    (b'{"Labels": {"team": "a", "team": "b"}}', "a key occurs twice in one object"),
    (b'{"Name": "jupyterhub-\xff"}', "the body is not UTF-8"),
    (b'{"Name": "jupyterhub-\\ud800"}', "the body is not UTF-8"),
    ('{"Name": "jupyterhub-a"}'.encode("utf-16"), "the body is not UTF-8"),
    (b'\xef\xbb\xbf{"Name": "jupyterhub-a"}', "the body is not JSON"),
    (b'{"Name": NaN}', "NaN is no number in JSON"),
    (b"[" * 100_000, "the body is nested too deeply"),
    (b'{"Name": "a"} {"Name": "b"}', "the body is not JSON"),
]

# Swarm configs: what differs from the record of ada's home, and the reason.
CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"Templating": {"Name": "golang"}}, "'Templating' is not allowed"),
    ({"Name": "swarmhub-lock"}, "Name may not be 'swarmhub-lock'"),
    ({"Name": "jupyterhub-home-" + "a" * 60}, "Name may not be"),
    ({"Data": "eA=="}, "Data is not as the settings make it"),
    (
        {"Labels": {"swarmhub.home": "other", "swarmhub.user": "a", "swarmhub.node": "n"}},
        "Labels.swarmhub.home is not as the settings make it",
    ),
    ({"Labels": {"swarmhub.home": "jupyterhub", "swarmhub.user": "ada"}}, "Labels name no user or no node"),
    ({"Labels": {"swarmhub.lock": "swarmhub-lock"}}, "'Labels.swarmhub.lock' is not allowed"),
    ({"Labels": None}, "Labels is not as the settings make it"),
    ({"Labels": {"swarmhub.service": "jupyterhub"}}, "Name is not as the settings make it"),
    ({"Labels": {"swarmhub.service": "jupyterhub"}, "Data": "?"}, "Data is not base64"),
    (
        {"Labels": {"swarmhub.service": "jupyterhub"}, "Name": "jupyterhub-notebook-0123456789ab"},
        "Name is not as the settings make it",
    ),
]
