"""The hub's service: created or updated only where it differs, with its secrets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import Any

from pydantic import SecretStr

from hub.filter import policy
from hub.shared import services
from hub.shared.servers import mounts
from hub.shared.settings import FILE
from swarmhub.certificate import health
from swarmhub.certificate.certbot import FOLDER
from swarmhub.certificate.certs import CHAIN, KEY, place
from swarmhub.engine.swarm import configs, replicated, specs
from swarmhub.engine.swarm import secrets as swarm_secrets
from swarmhub.engine.swarm.configs import StoredFile
from swarmhub.engine.swarm.replicated import LABEL, SECOND
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.images import pull
from swarmhub.parallel import both, together
from swarmhub.plan.plans import Change, Plan
from swarmhub.services.hub import subdomains
from swarmhub.settings import Settings, handed
from swarmhub.settings.schema.model import PROXY_TOKEN
from swarmhub.settings.secrets import Secrets, swarm_name

STEP = "service"
CERTIFICATE_LABEL = "swarmhub.certificate"
IN_ENVIRONMENT = "OAUTH_CALLBACK_URL"
SOCKET = "/var/run/docker.sock"
# Where the volume is in the hub, and the variable with the name of the servers' network.
DATA, NETWORK = "/data", "DOCKER_NETWORK_NAME"
# hub/Dockerfile knows it as `hub`.
USER = "61081:0"
# It waits for a hub that is starting: from the first answer on people get in.
HEALTHY = "until curl --fail --silent --max-time 2 --output /dev/null http://127.0.0.1:8081{}hub/health; do sleep 0.1; done"


@dataclass(frozen=True)
class Parts:
    """What the service stands on, as the steps before it left it.

    `images` maps each image of the settings to the reference that names exactly it on every node; `proxy_token` is the name
    that the token's secret has, or will have, in the swarm; `logs` is the driver by which the manager's engine keeps logs;
    `marked` are the folders of the nodes that have a marker, or will have; `subnet` has the addresses of the servers' network.
    """

    node: str
    network: str
    hub_image: str
    images: Mapping[str, str]
    certificate: str
    cluster: str
    proxy_image: str = ""
    proxy_network: str = ""
    proxy_subnet: str = ""
    proxy_token: str = ""
    logs: str = ""
    marked: frozenset[str] = frozenset()
    subnet: str = ""


@dataclass(frozen=True)
class ExistingHub:
    """The service as it is, the Swarm secrets that were made for it and the files of its services, by name."""

    service: Json | None
    secrets: Mapping[str, str]
    files: Mapping[str, StoredFile] = field(default_factory=dict)


def observe(manager: Host, name: str) -> ExistingHub:
    """Ask for the service, its secrets and its files."""
    service, (secrets, files) = both(
        partial(manager.engine.find, f"/services/{name}"),
        partial(both, partial(replicated.secret_ids, manager, name), partial(configs.files, manager, f"{LABEL}={name}")),
    )
    return ExistingHub(service and with_files(service, files), secrets, files)


def with_files(service: Json, files: Mapping[str, StoredFile]) -> Json:
    """Return a service whose spec has the content of its files."""
    return {**service, "Spec": configs.filled(service["Spec"], files)}


def images_of_others(manager: Host, settings: Settings) -> set[str]:
    """Return the images of the other hubs on the swarm, by their short digests."""
    return {digest for spec in _others(manager, settings) for digest in images_of(spec)}


def with_same_homes(manager: Host, settings: Settings) -> str:
    """Return the name of another hub whose homes are the same volumes by `home.name`; nothing, if there is none."""
    ours = settings.home
    if not mounts.is_whole(ours.template):
        return ""
    homes = {spec["Labels"][LABEL]: handed.home(settings_of(spec)) for spec in _others(manager, settings) if settings_of(spec)}
    return next((name for name, one in homes.items() if (one.get("type"), one.get("name")) == (ours.type, ours.name)), "")


def too_near(listed: Iterable[Json], hub: str) -> str:
    """Return the name of another hub, by the services of all, whose servers could be called like this one's; or nothing."""
    others = sorted({(one["Spec"].get("Labels") or {}).get(LABEL, hub) for one in listed} - {hub})
    return next((other for other in others if services.may_meet(hub, other)), "")


def _others(manager: Host, settings: Settings) -> list[Json]:
    """Return the specs of the services of other hubs on the swarm, with the content of their files."""
    listed = [one["Spec"] for one in manager.engine.get("/services", filters={"label": [LABEL]})]
    others = [spec for spec in listed if (spec.get("Labels") or {}).get(LABEL, spec["Name"]) != settings.hub.service]
    files = configs.files(manager) if others else {}
    return [configs.filled(spec, files) for spec in others]


def images_of(spec: Json) -> set[str]:
    """Return the images that a hub's service hands out, by their short digests."""
    return {pull.short(pull.digest_of(image)) for image in handed.images(settings_of(spec))}


def settings_of(spec: Json) -> str:
    """Return the settings that a hub is handed: in a file, or by an earlier release in its environment."""
    in_environment = specs.environment(spec["TaskTemplate"]["ContainerSpec"]).get(handed.VARIABLE, "")
    return configs.content(spec, str(FILE)) or in_environment


def secret_names(settings: Settings, secrets: Secrets, cluster: str, token: str = "") -> dict[str, str]:
    """Map the names of the secrets that the hub reads from files to their names in the swarm; `token` is the proxy token's."""
    service = settings.hub.service
    mounted = {name: value for name, value in secrets.items() if name != IN_ENVIRONMENT}
    named = together([partial(swarm_name, service, name, value, cluster) for name, value in mounted.items()])
    names = dict(zip(mounted, named, strict=True))
    return names | ({PROXY_TOKEN: token} if token else {})


def handed_to(settings: Settings, parts: Parts) -> str:
    """Return the document that the hub is handed; servers' logs are kept as its own is."""
    log_driver = replicated.log_driver(parts.logs)
    return handed.document(settings, parts.images, log_driver, marked=parts.marked, subnet=parts.subnet)


def desired(settings: Settings, secrets: Secrets, parts: Parts) -> dict[str, Any]:
    """Return the service's whole spec; the ids of its secrets are filled in when it is sent."""
    hub, is_alone = settings.hub, not settings.proxy.separate
    callback = secrets[IN_ENVIRONMENT].get_secret_value()
    # Where homes are folders of a path or a file server, the hub makes those that are missing.
    above = mounts.above_homes(settings.home.model_dump(), hub.service)
    environment = {
        **_proxy_environment(settings),
        **({"DOCKER_HOST": f"unix://{policy.SOCKET}"} if hub.engine == "filter" else {}),
        NETWORK: settings.network.name,
        "DOCKER_SERVICE_NAME": hub.service,
        "DOCKER_ENDPOINT_MODE": settings.network.endpoint_mode,
        "GITHUB_URL": settings.github.web_url,
        "GITHUB_API": settings.github.api_url,
        "OAUTH_CALLBACK_URL": callback,
        **subdomains.environment(settings, health.url(callback)),
        **({subdomains.PATH: hub.base_url} if hub.base_url != "/" else {}),
    }
    container = {
        "Image": parts.hub_image,
        **({} if _needs_root(settings, above) else {"User": USER}),
        # JupyterHub's proxy cannot reload a certificate: a new one changes this label, and that restarts the hub.
        "Labels": {CERTIFICATE_LABEL: parts.certificate} if is_alone else {},
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Mounts": [
            # live/ holds links into archive/: the whole folder or nothing.
            *([{"Type": "bind", "Source": FOLDER, "Target": FOLDER, "ReadOnly": True}] if is_alone else []),
            {"Type": "volume", "Source": settings.volume.name, "Target": DATA},
            _engine_mount(settings),
            *([above] if above else []),
        ],
        "Secrets": [
            # For a hub of either user: a rollback takes over how they are mounted now.
            swarm_secrets.reference(name, in_swarm, swarm_secrets.GROUPS)
            for name, in_swarm in secret_names(settings, secrets, parts.cluster, parts.proxy_token).items()
        ],
        "Configs": [configs.reference(str(FILE), f"{hub.service}-settings", handed_to(settings, parts))],
        **replicated.privileges(*(("CHOWN", "DAC_OVERRIDE", "FOWNER") if above else ())),
        "Ulimits": replicated.files(),
        "Healthcheck": replicated.healthcheck(HEALTHY.format(hub.base_url)),
        "StopGracePeriod": 20 * SECOND,
    }
    return {
        "Name": hub.service,
        "Labels": {LABEL: hub.service},
        "TaskTemplate": {
            "ContainerSpec": container,
            "Placement": replicated.on_manager(parts.node),
            "RestartPolicy": {"Condition": "any", "Delay": 2 * SECOND},
            **replicated.limits(hub.memory_limit),
            **replicated.logged(parts.logs),
            "Networks": [{"Target": target} for target in (parts.network, parts.proxy_network) if target],
        },
        **replicated.rollout(),
        "EndpointSpec": {
            "Mode": settings.network.endpoint_mode,
            **({"Ports": [replicated.port(443, hub.port, hub.publish)]} if is_alone else {}),
        },
    }


def _needs_root(settings: Settings, above: object) -> bool:
    """Tell whether the hub has to be root: for Docker's socket, for the certificate's key, or to give people their folders."""
    return settings.hub.engine == "socket" or not settings.proxy.separate or above is not None


def _engine_mount(settings: Settings) -> dict[str, Any]:
    if settings.hub.engine == "socket":
        return {"Type": "bind", "Source": SOCKET, "Target": SOCKET}
    # Who breaks into the hub could otherwise put another socket there.
    return {"Type": "volume", "Source": services.engine(settings.hub.service), "Target": policy.FOLDER, "ReadOnly": True}


def _proxy_environment(settings: Settings) -> dict[str, str]:
    if settings.proxy.separate:
        # By its name on the network that notebooks are not on.
        return {"PROXY_API_URL": f"http://{services.proxy_api(settings.hub.service)}:8001"}
    return {"SSL_KEY": place(settings, KEY), "SSL_CERT": place(settings, CHAIN)}


def missing(found: ExistingHub, values: Secrets, names: Mapping[str, str], hub: str, manager: str) -> list[Change]:
    """Return what makes the secrets that are missing; the token is a new one, which nobody keeps but the swarm."""
    values = {**values, PROXY_TOKEN: SecretStr(token_hex(32))}
    lacking = {short: in_swarm for short, in_swarm in names.items() if in_swarm not in found.secrets}
    return [swarm_secrets.make(short, in_swarm, values[short], hub, manager) for short, in_swarm in lacking.items()]


def plan(
    wanted: dict[str, Any],
    found: ExistingHub,
    names: Mapping[str, str],
    manager: str,
    networks: Sequence[str] = (),
    *,
    kept: Collection[str] = (),
    again: bool = False,
) -> Plan:
    """Return what makes the service, if it differs, then what removes the secrets and settings that are left over.

    `networks` are the names of those that it is on, `kept` the settings that releases need;
    `again`: this plan has changed it since it was `found`.

    Raises:
        StepError: the service is pinned to another node, which holds its data.

    """
    name = wanted["Name"]
    changes: list[Change] = []
    if found.service is None:
        changes.append(replicated.create(wanted, manager, networks))
    else:
        _refuse_to_move(wanted, found.service, manager)
    differs = specs.compare(wanted, found.service["Spec"]) if found.service else ()
    if found.service and differs:
        changes.append(replicated.update(wanted, found.service, manager, differs, again=again))
    stale = [(left, id_) for left, id_ in found.secrets.items() if left not in names.values()]
    changes += [replicated.removal("secret", left, id_, manager) for left, id_ in stale]
    needed = {*kept, *settings_files(wanted)}
    old = [(one, file.id) for one, file in found.files.items() if file.path == str(FILE) and one not in needed]
    changes += [replicated.removal("config", left, id_, manager) for left, id_ in old]
    return Plan(STEP, f"{name}: {wanted['TaskTemplate']['ContainerSpec']['Image']}, as wanted", tuple(changes))


def settings_files(spec: Json) -> list[str]:
    """Return the names of the configs that a hub's spec has its settings in: one, or of an earlier release none."""
    return [one["ConfigName"] for one in configs.references(spec) if one["File"]["Name"] == str(FILE)]


def _refuse_to_move(wanted: dict[str, Any], service: Json, manager: str) -> None:
    node = specs.pinned(service["Spec"])
    if node and node != specs.pinned(wanted):
        cause = f"the hub runs on another node ({specs.PINNED}{node}), where its database and certificate are"
        remedy = f"Put that manager first in hosts.managers, or name it with -H; to move the hub here: fab move-hub {manager}"
        raise StepError(manager, cause, remedy)
