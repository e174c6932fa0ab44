"""What the hub may ask of the engine, as values: made from the settings, handed over as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from hub.shared.servers import extras, nodes
from hub.shared.settings import Tables

# A Swarm config is mounted there.
FILE = Path("/srv/jupyterhub/policies.json")
# The socket that is offered, in a volume that the hub mounts without writing to it.
FOLDER = "/run/engine"
SOCKET = f"{FOLDER}/docker.sock"
# A secret with the operator's login to a registry is mounted by this name, and the registry's behind it.
LOGIN = "registry-login."
DOCKER_HUB = "docker.io"


@dataclass(frozen=True)
class Policy:
    """What a hub may ask for.

    In the file is a list of them, each a JSON object with just these keys. What one of them allows is
    allowed: while a hub is replaced, both the old and the new one may ask.

    - `service`: the hub's service. Services and configs of its servers are named `SERVICE-…` and have its name in their labels.
    - `networks`: the networks that servers may be on, as the hub names them.
    - `images`: the images that servers may run, by digest, as the hub is handed them.
    - `profiles`: the profiles' names.
    - `labels`: labels that a server's service may have besides the hub's own: a name, and its values.
    - `node_labels`: labels by which a server may be placed: a name, and its values.
    - `generic_resources`: what a server may reserve of a node by name, such as `NVIDIA-GPU`.
    - `shared_memory`: the sizes that /dev/shm may have, in bytes.
    - `home`, `folders`: the tables of hosts.toml. From them, and from the user and the profile that its labels name, the filter
      makes the mounts that a server may have: volumes with their drivers and options, and paths.
    - `reserved`: volumes that no server may mount, whatever `home` and `folders` say: the hub's own.
    - `locked`: whether every server has to be without capabilities and new privileges, and not only may be.
    - `extra`: docker-py's keyword arguments from [jupyterhub.SwarmSpawner], by part: `container`, `resources`, `placement`,
      `task`, `endpoint`. A field that they make is allowed with just their value. Their placement's constraints every
      server must have: `node.role==worker` keeps servers off the managers.
    - `own_names`: whether the operator names the servers' services (`name_template`, `escape`). Then any name that begins
      with the hub's is allowed; else just the one that belongs to the user and the server.
    - `owners`: as which UID and GID servers run, as the hub is handed it. From a list it is each user's own; what the provider
      says the filter does not see, so that any of the range is allowed then.
    - `home_mounts`: where the user's home may be in the container, if not only where `home` says it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    service: str
    networks: tuple[str, ...]
    images: tuple[str, ...]
    profiles: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    node_labels: Mapping[str, tuple[str, ...]]
    generic_resources: tuple[str, ...]
    shared_memory: tuple[int, ...]
    home: Mapping[str, Any]
    folders: tuple[Mapping[str, Any], ...]
    reserved: tuple[str, ...]
    locked: bool
    extra: Mapping[str, Mapping[str, Any]]
    # The policies of earlier releases have no such keys.
    own_names: bool = False
    owners: Mapping[str, Any] = field(default_factory=dict)
    home_mounts: tuple[str, ...] = ()

    @property
    def constraints(self) -> tuple[str, ...]:
        """Return the constraints that every server must have."""
        return tuple(self.extra.get("placement", {}).get("constraints", ()))


def of(tables: Tables, service: str, network: str, reserved: tuple[str, ...] = ()) -> Policy:
    """Return what a hub needs that is handed these tables; `reserved` are the volumes of its own."""
    servers = (tables["notebook"], *tables["profiles"], *tables["overrides"])
    spawner = tables["jupyterhub"].get("SwarmSpawner", {})
    placed = nodes.placement(spawner.get("extra_placement_spec", {}), tables["notebook"])
    spawner = {**spawner, "extra_placement_spec": placed}
    return Policy(
        service=service,
        networks=(network,),
        images=_unlike(server["image"] for server in servers if "image" in server),
        profiles=_unlike(one["name"] for one in tables["profiles"]),
        labels=_merged(server.get("labels", {}) for server in servers),
        node_labels=_merged(server.get("node_labels", {}) for server in servers),
        generic_resources=_unlike(kind for server in servers for kind in server.get("generic_resources", ())),
        shared_memory=_unlike(server["shared_memory"] for server in servers if server.get("shared_memory")),
        home=tables["home"],
        folders=tuple(tables["folders"]),
        reserved=reserved,
        locked=all(server.get("drop_capabilities", True) for server in servers),
        extra={part: spawner[trait] for part, trait in extras.PARTS.items() if spawner.get(trait)},
        owners=tables.get("owners", {}),
        home_mounts=_unlike([tables["home"]["mount"], *others]) if (others := _places(servers)) else (),
        own_names=any({"name_template", "escape"} & {*options} for options in tables["jupyterhub"].values()),
    )


def covers(policy: Policy, other: Policy) -> bool:
    """Tell whether a policy allows all that another one does; where that is not plain, it does not."""
    same = ("service", "home", "folders", "owners", "extra")
    grown = ("networks", "images", "profiles", "generic_resources", "shared_memory", "home_mounts")
    return (
        all(getattr(policy, name) == getattr(other, name) for name in same)
        and all({*getattr(policy, name)} >= {*getattr(other, name)} for name in grown)
        and all(
            {*getattr(policy, name).get(key, ())} >= {*values}
            for name in ("labels", "node_labels")
            for key, values in getattr(other, name).items()
        )
        and {*policy.reserved} <= {*other.reserved}
        and policy.locked <= other.locked
        and policy.own_names >= other.own_names
    )


def document(*policies: Policy) -> str:
    """Return policies as JSON; the same ones are the same text."""
    return _JSON.dump_json(policies).decode()


def load(text: str) -> tuple[Policy, ...]:
    """Return the policies, that of the newest hub first.

    Raises:
        ValueError: they are none.

    """
    try:
        # A filter of an earlier release has one, which stands alone.
        return _JSON.validate_json(f"[{text}]" if text.startswith("{") else text, strict=True)
    except ValidationError as error:
        # Its own text shows what was given.
        wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise ValueError("; ".join(wrong)) from None


_JSON = TypeAdapter(Annotated[tuple[Policy, ...], Field(min_length=1)])


def registry(image: str) -> str:
    """Return the registry of an image, as Docker reads its name; nothing for one that is named by its id."""
    if image.startswith("sha256:"):
        return ""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else DOCKER_HUB


def _places(servers: Any) -> list[str]:
    return [server["home_mount"] for server in servers if server.get("home_mount")]


def _unlike(values: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _merged(tables: Any) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for table in tables:
        for name, value in table.items():
            found[name] = _unlike((*found.get(name, ()), value))
    return found
