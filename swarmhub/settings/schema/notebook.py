"""What people run: images and sizes to choose from, homes, shared folders, groups, limits, culling."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator

from hub.shared.servers.mounts import is_on_one_node
from swarmhub.settings.schema.grammar import (
    READABLE,
    ContainerPath,
    Count,
    Cpus,
    Duration,
    FilePath,
    FileServer,
    Group,
    Image,
    Memory,
    Name,
    OpenText,
    Option,
    Owner,
    Package,
    ServerPath,
    Size,
    Table,
    Template,
    Text,
    User,
    Variable,
    full_image,
    misplaced,
)

# Not `token_url`, nor `username_key`.
SECRET = re.compile(
    r"(?i)(?:.*[_-])?(?:secrets?|passw(?:or)?d|pwd|passphrase|(?:\w+_)?tokens?|credentials?|(?:api|private|secret|signing|access|cookie)_?keys?)"
)
# mount and its helpers read these. An engine asks the kernel by itself, which refuses them, or passes over a file of passwords.
OF_FSTAB = re.compile(r"(?:.*,)?(_netdev|nofail|cred(?:entials)?=[^,]*|x-[^,]*)(?:,.*)?")
TaggedImage = Annotated[Image, AfterValidator(full_image)]
StorageType = Literal["volume", "path", "nfs", "cifs"]
NEEDS: Mapping[StorageType, tuple[str, ...]] = {
    "volume": (),
    "path": ("path",),
    "nfs": ("server", "path"),
    "cifs": ("server", "path"),
}
TAKES: Mapping[StorageType, tuple[str, ...]] = {
    "volume": ("driver", "options"),
    "path": ("path",),
    "nfs": ("server", "path", "mount_options"),
    "cifs": ("server", "path", "mount_options"),
}


class Server(Table):
    """What a single-user server gets. In [notebook] for all; in a profile or an override, what differs."""

    image: TaggedImage | None = Field(None, description="Another image. All of them are pulled on every node.")
    cpu_guarantee: Cpus | None = Field(None, description="CPUs that a node must have free for it.")
    cpu_limit: Cpus | None = Field(None, description="CPUs that it may use.")
    memory_guarantee: Size | None = Field(None, description="Memory that a node must have free for it, such as `512M`.")
    memory_limit: Memory | None = Field(None, description="Memory that it may use; above, its kernels are killed.")
    shared_memory: Size | None = Field(None, description="Size of `/dev/shm`. Docker's default is 64M.")
    processes: Count | None = Field(None, description="How many processes and threads it may have.")
    generic_resources: dict[Name, Count] = Field(
        {}, description='What a node\'s engine offers by name and number, such as GPUs: `{"NVIDIA-GPU" = 1}`.'
    )
    node_labels: dict[Name, Option] = Field(
        {}, description='Only on nodes with these labels (`docker node update --label-add`): `{gpu = "true"}`.'
    )
    drop_capabilities: StrictBool | None = Field(
        None, description="`false`: it keeps the capabilities that images take which start as root, and `sudo`."
    )
    environment: dict[Variable, Text] = Field({}, description="Environment variables.")
    labels: dict[Name, Text] = Field({}, description="More labels of its service, for monitoring and the like.")
    default_url: ServerPath | None = Field(None, description="The page to open.")
    command: tuple[Text, ...] | None = Field(
        None,
        min_length=1,
        description='What the container runs behind the image\'s entry point: `["jupyterhub-singleuser"]`. Default: the '
        "image's own command.",
    )


class Own(Table):
    """An image of your own, which swarmhub builds and brings to all nodes: docs/images.md."""

    build: FilePath | None = Field(
        None,
        description="A folder with a `Dockerfile`, or with `requirements.txt`, `apt.txt`, `environment.yml` to install on "
        "`image`.",
    )
    build_args: dict[Variable, OpenText] = Field({}, description="Build arguments of the `Dockerfile`: no secrets.")
    packages: tuple[Package, ...] = Field((), description='Python packages to install on `image`, such as `["numpy>=2"]`.')

    @property
    def is_built(self) -> bool:
        """Tell whether the image is built."""
        return bool(self.build or self.packages)

    @model_validator(mode="after")
    def _arguments_are_for_a_build(self) -> Self:
        if self.build_args and not self.build:
            raise misplaced("is for a Dockerfile: name its folder with 'build'", "build_args")
        if secret := next((name for name in self.build_args if SECRET.fullmatch(name)), ""):
            raise misplaced("looks like a secret, and everybody could read it in the image's history", "build_args", secret)
        return self


class Notebook(Own, Server):
    """What people run. `image`, sizes and the rest hold for every server unless a profile or an override says otherwise."""

    image: TaggedImage = Field(
        "",
        validate_default=False,
        description="The image. It holds JupyterLab and a single-user server of the hub's major version. With `packages`, or a "
        "`build` without a Dockerfile: what is installed upon; with a Dockerfile: leave it out.",
    )
    nodes: Literal["all", "workers"] = Field(
        "all", description="On which nodes servers run: on all, or on workers only. For other choices: `node_labels`."
    )
    processes: Count = Field(4096, description="How many processes and threads a server may have: limits a fork bomb.")
    drop_capabilities: StrictBool = Field(
        True, description="`false`: they keep the capabilities that images take which start as root, and `sudo`."
    )
    default_url: ServerPath | None = Field("/lab", description="The page to open.")
    start_timeout: Duration = Field("3m", description="How long a server may take until it answers, such as `3m`.")  # type: ignore[assignment]

    @model_validator(mode="after")
    def _has_an_image(self) -> Self:
        if not (self.image or self.build):
            raise misplaced("is missing: The image, such as quay.io/jupyter/base-notebook:hub-6.1.1", "image")
        return self


class Otherwise(Server):
    """What differs from [notebook] and [home] for some servers."""

    home_mount: ContainerPath | None = Field(
        None, description="Where the home is in the container, for an image with another home directory. Default: `home.mount`."
    )


class Profile(Own, Otherwise):
    """A choice on the page before a server starts; the first is preselected."""

    name: Text = Field(description="What people read.")
    description: Text = Field("", description="A line below it.")
    groups: tuple[Group, ...] = Field((), description="Only for members of one of these groups. Default: for all.")


class Override(Otherwise):
    """What differs for some users, groups or profiles; later ones win."""

    users: tuple[User, ...] = Field((), description="For these users …")
    groups: tuple[Group, ...] = Field((), description="… and members of these groups …")
    profiles: tuple[Text, ...] = Field((), description="… of those, only where one of these profiles was chosen.")

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        if not (self.users or self.groups or self.profiles):
            raise misplaced("holds for nobody; name users, groups or profiles", "users")
        return self


class Storage(Table):
    """Where files are kept: a volume, a path that every node has, or a file server."""

    type: StorageType = Field(
        "volume",
        description="`volume`: a Docker volume. `path`: a folder that every node mounts at the same place. "
        "`nfs`, `cifs`: a file server, mounted by each node's engine.",
    )
    driver: Name = Field("local", description="For `volume`: its driver. `local` keeps the files on one node.")
    options: dict[Name, Option] = Field({}, description="For `volume`: the driver's options.")
    path: ServerPath | None = Field(None, description="For `path`, `nfs`, `cifs`: the folder, export or share.")
    server: FileServer | None = Field(None, description="For `nfs`, `cifs`: the file server.")
    mount_options: Option | None = Field(None, description="For `nfs`, `cifs`: more mount options, such as `nfsvers=4.2,soft`.")

    @property
    def is_on_one_node(self) -> bool:
        """Tell whether the files are on one node only."""
        return self.type == "volume" and is_on_one_node(self.driver, self.options)

    @property
    def is_everywhere(self) -> bool:
        """Tell whether every node reaches the files, by a driver of volumes."""
        return self.type == "volume" and not self.is_on_one_node

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        for key in NEEDS[self.type]:
            if getattr(self, key) is None:
                raise misplaced(f"is missing: type = {self.type!r} needs it", key)
        for key in ("driver", "options", "path", "server", "mount_options"):
            if key in self.model_fields_set and key not in TAKES[self.type]:
                raise misplaced(f"does not go with type = {self.type!r}", key)
        if self.mount_options and (found := OF_FSTAB.fullmatch(self.mount_options)):
            wrong = (
                f"has {found[1].partition('=')[0]}, which only /etc/fstab understands: an engine mounts without its programs"
            )
            raise misplaced(f"{wrong}; remove it, or mount the share on every node and use type = 'path'", "mount_options")
        check_options(self.options)
        return self


def check_options(options: Mapping[str, str]) -> None:
    """Make sure that no option of a volume's driver is a secret by its name.

    Raises:
        PydanticCustomError: one is.

    """
    if secret := next((name for name in options if SECRET.fullmatch(name)), ""):
        raise misplaced(READABLE, "options", secret)


class Home(Storage):
    """Everybody's own files. On a node's local volume people always return to that node."""

    keep: StrictBool = Field(True, description="`false`: no home is mounted; what people write is gone when they stop.")
    name: Template = Field(
        "{username}",
        description="The name of the folder or volume; `{username}`, `{servername}` and `{profile}` are filled in. "
        "A name that begins with one of these gets `SERVICE-home-` before it, for a volume. A name that begins with text is "
        "the volume's whole name, such as `jupyterhub-user-{username}` for existing volumes.",
    )
    mount: ContainerPath = Field("/home/jovyan", description="Where it is in the container.")
    owner: Owner = Field("1000:100", description="`UID:GID` that new folders get (`path`, `nfs`, `cifs`).")
    quota: Size | None = Field(
        None, description="Size of a new home, such as `5G`: for `volume`, where the nodes have XFS with project quotas."
    )

    @property
    def template(self) -> str:
        """Return the template of the volumes' names; nothing where homes are no volumes on a node."""
        return self.name if self.is_on_one_node else ""

    @model_validator(mode="after")
    def _quota_fits(self) -> Self:
        if self.quota and not self.is_on_one_node:
            raise misplaced("only local volumes take one; elsewhere, set quotas on the file server", "quota")
        return self


class Folder(Storage):
    """A folder that many share, such as course material."""

    name: Template = Field("", description="The folder below `path`, or the volume's name; templates as in [home].")
    mount: ContainerPath = Field(description="Where it is in the container.")
    read_only: StrictBool = Field(True, description="`false`: people may write there.")
    per_node: StrictBool = Field(
        False, description="`true`, for a `volume` of the driver `local`: each node has its own, with other files in it."
    )
    groups: tuple[Group, ...] = Field((), description="Only for members of one of these groups. Default: for all.")
    profiles: tuple[Text, ...] = Field((), description="Only where one of these profiles was chosen.")

    @model_validator(mode="after")
    def _on_nodes(self) -> Self:
        if self.per_node and not self.is_on_one_node:
            raise misplaced("every node has the same files there; remove this", "per_node")
        return self

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.type == "volume" and not self.name:
            raise misplaced("is missing: a volume needs a name", "name")
        return self


class Culling(Table):
    """Stop servers that nobody uses."""

    enabled: StrictBool = Field(True, description="`false`: servers run until they are stopped.")
    idle: Duration = Field("1h", description="Stop a server after so long without activity.")  # type: ignore[assignment]
    open_page: Duration = Field(  # type: ignore[assignment]
        "8h", description="A page that is open in a browser, with nobody at it, is activity for so long; at least for `idle`."
    )
    max_age: Duration | None = Field(None, description="Stop a server after so long, whatever happens in it.")
    warn: Duration = Field(  # type: ignore[assignment]
        "10m", description="So long before the stop, JupyterLab says so; at most half of `open_page`."
    )
    keep: Duration = Field("1h", description="By how much *Keep it running* puts the stop off.")  # type: ignore[assignment]
    keep_at_most: Duration = Field(  # type: ignore[assignment]
        "8h", description="By how much in all, where nobody does anything else in between."
    )
    every: Duration = Field("10m", description="How often to look.")  # type: ignore[assignment]
    remove_named: StrictBool = Field(False, description="Forget named servers that were culled.")
    except_users: tuple[User, ...] = Field((), description="Never the servers of these users,")
    except_groups: tuple[Group, ...] = Field((), description="nor those of members of these groups.")


class Limits(Table):
    """How much at once."""

    concurrent_spawns: Count = Field(64, description="Servers that may be starting at once; who comes then, is asked to retry.")
    active_servers: StrictInt = Field(0, ge=0, description="Servers that may run at once; 0: as many as fit.")
    named_servers: StrictInt = Field(0, ge=0, description="Servers that a user may have besides the first, each with a name.")


def differences_of(profiles: tuple[Profile, ...], overrides: tuple[Override, ...]) -> Iterator[Profile | Override]:
    """Yield what differs from [notebook], in the order in which it is applied."""
    yield from profiles
    yield from overrides
