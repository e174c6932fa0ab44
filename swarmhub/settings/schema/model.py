"""What `hosts.toml` may say: the schema and its defaults."""

from ipaddress import ip_network
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from swarmhub.settings.schema.backup import Backup
from swarmhub.settings.schema.certs import Certs
from swarmhub.settings.schema.database import Database
from swarmhub.settings.schema.firewall import Firewall
from swarmhub.settings.schema.grammar import (
    SERVICE,
    BasePath,
    Domain,
    FilePath,
    Group,
    Host,
    HttpsUrl,
    IndexPackage,
    Interface,
    Memory,
    Name,
    Option,
    Peer,
    Pool,
    ServiceName,
    Subnet,
    Table,
    User,
    Variable,
    misplaced,
)
from swarmhub.settings.schema.http_proxy import HttpProxy
from swarmhub.settings.schema.notebook import (
    Culling,
    Folder,
    Home,
    Limits,
    Notebook,
    Override,
    Profile,
    TaggedImage,
    check_options,
    differences_of,
)
from swarmhub.settings.schema.page import Page
from swarmhub.settings.schema.people.access import Access
from swarmhub.settings.schema.people.owners import Owners

# The option by which an overlay's packets are smaller.
MTU, LEAST_MTU, MOST_MTU = "com.docker.network.driver.mtu", 576, 65535
EndpointMode = Literal["vip", "dnsrr"]
# A separate proxy takes routes from everyone who has it. It is mounted next to the operator's secrets.
PROXY_TOKEN = "PROXY_TOKEN"  # noqa: S105 - a name


class Hosts(Table):
    """The Docker hosts, by the names that SSH and the swarm know them by."""

    managers: tuple[Host, ...] = Field(min_length=1, description="Swarm managers. The hub runs on the first one.")
    workers: tuple[Host, ...] = Field((), description="Swarm workers. Notebooks run on every node.")
    advertise: Interface | None = Field(
        None,
        description="The network interface by which the nodes reach each other. Default: Docker chooses, where there is one.",
    )

    @property
    def all(self) -> tuple[str, ...]:
        """Return every host, managers first."""
        return (*self.managers, *self.workers)


class Ssh(Table):
    """How to reach the hosts. User, port, key and jump host belong in the ssh_config."""

    config: FilePath | None = Field(None, description="The ssh_config to use. Default: yours.")
    sudo: StrictBool = Field(
        False, description="Put `sudo -n` before commands: for a user who is neither root nor in the docker group."
    )


class Network(Table):
    """The overlay network that the hub and the notebooks share."""

    name: Name = Field("jupyter", description="The network's name. Default, where `hub.service` is set: the same.")
    attachable: StrictBool = Field(False, description="Let plain containers join too.")
    encrypted: StrictBool = Field(False, description="Encrypt the traffic between nodes (IPsec; the kernels need ESP).")
    subnet: Subnet | None = Field(
        None, description="Its addresses: a /24 has room for some 250 servers. Default: Docker chooses a /24."
    )
    proxy_subnet: Subnet | None = Field(
        None, description="Addresses of the network that only hub and proxy are on: a /28 does. Default: Docker chooses."
    )
    pool: Pool | None = Field(
        None,
        description="What Docker chooses from, told to a swarm that `fab swarm-init` makes, such as `172.28.0.0/16`. "
        "Default: `10.0.0.0/8`.",
    )
    options: dict[Name, Option] = Field({}, description="More driver options.")
    endpoint_mode: EndpointMode = Field(
        "dnsrr", description="How names resolve: `dnsrr`, one address a server; `vip`, two, and IPVS in every kernel."
    )

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        size = self.options.get(MTU)
        if size is not None and not (size.isdecimal() and LEAST_MTU <= int(size) <= MOST_MTU):
            raise misplaced(f'{size!r} is no number of bytes, such as "1400"', "options", MTU)
        return self

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
        if self.subnet and self.proxy_subnet and ip_network(self.subnet).overlaps(ip_network(self.proxy_subnet)):
            raise misplaced(f"overlaps network.subnet, {self.subnet}; choose addresses outside it", "proxy_subnet")
        return self


class Github(Table):
    """Which GitHub people log in at."""

    url: HttpsUrl = Field("https://github.com", description="GitHub, or your GitHub Enterprise.")
    api: HttpsUrl | None = Field(None, description="Its API. Default: GitHub's, or `URL/api/v3` on Enterprise.")

    @property
    def web_url(self) -> str:
        """Return GitHub's address without a slash at the end."""
        return self.url.rstrip("/")

    @property
    def api_url(self) -> str:
        """Return the API's address without a slash at the end."""
        default = "https://api.github.com" if self.web_url == "https://github.com" else f"{self.web_url}/api/v3"
        return (self.api or default).rstrip("/")


class Secrets(Table):
    """Where the secrets come from that are not in the environment; both give NAME=value lines."""

    file: FilePath | None = Field(None, description="A file with NAME=value lines.")
    command: tuple[str, ...] = Field((), description="A program and its arguments that prints NAME=value lines.")
    names: tuple[Variable, ...] = Field(
        (), description='More secrets, for [access.options], [jupyterhub] and conf.d: `{secret = "NAME"}`.'
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.file and self.command:
            raise misplaced("clashes with 'file'; keep one of the two", "command")
        return self

    @model_validator(mode="after")
    def _none_of_ours(self) -> Self:
        if PROXY_TOKEN in self.names:
            raise misplaced(
                f"{PROXY_TOKEN!r} is swarmhub's own secret; name yours otherwise", "names", self.names.index(PROXY_TOKEN)
            )
        return self


class Volume(Table):
    """The volume that keeps users and cookies over a restart of the hub."""

    name: Name = Field(
        "jupyterhub-data", description="The volume's name on the manager. Default, where `hub.service` is set: `SERVICE-data`."
    )
    driver: Name = Field("local", description="Its driver.")
    options: dict[Name, Option] = Field({}, description="Its driver's options.")

    @model_validator(mode="after")
    def _has_no_secret(self) -> Self:
        check_options(self.options)
        return self


class Hub(Table):
    """JupyterHub itself."""

    domain: Domain = Field(description="The name that people type. Its address is the manager's.")
    service: ServiceName = Field("jupyterhub", description="The name of the service and of its image.")
    base_url: BasePath = Field(
        "/", description="The path below which the hub is, such as `/jupyter/`, where the domain has other pages, too."
    )
    port: StrictInt = Field(443, ge=1, le=65535, description="The port published on the manager.")
    publish: Literal["ingress", "host"] = Field(
        "host", description="`host`: on the manager only. `ingress`: on every node, hides clients' addresses, needs IPVS."
    )
    subdomains: StrictBool = Field(
        False,
        description="Give each user's servers a domain of their own, `NAME.DOMAIN`: no page of one acts in another's name. "
        "DNS and the certificate must cover `*.DOMAIN`.",
    )
    userlist: FilePath = Field(Path("hub/userlist"), description="Who may log in: `name [admin]` a line.")
    conf: FilePath | None = Field(
        None, description="A folder with more of JupyterHub's configuration (`*.py`). Default: `hub/conf.d` of swarmhub."
    )
    packages: tuple[IndexPackage, ...] = Field(
        (),
        description="More Python packages in the hub's image, such as `jupyterhub-ldapauthenticator>=2`. `fab lock-hub` "
        "chooses the versions and writes them into `packages_lock`.",
    )
    packages_lock: FilePath = Field(
        Path("packages.lock"), description="Where `fab lock-hub` keeps versions and hashes. Keep it with `hosts.toml`."
    )
    engine: Literal["filter", "socket"] = Field(
        "filter",
        description="How the hub asks Docker. `filter`: only the calls that servers need get through. `socket`: Docker's own "
        "socket; an attacker in the hub is then root on the cluster.",
    )
    memory_limit: Memory = Field(  # type: ignore[assignment]
        "2G", description="Memory that the hub may use; above, it is ended and starts again. It uses 120M with 200 users."
    )
    base_image: TaggedImage = Field("debian:trixie-slim", description="What the hub's image is built on.")
    base_lock: FilePath = Field(
        Path("base.lock"),
        description="Where `fab build-hub --fresh` keeps the digest of `base_image`, and the day. Keep it with `hosts.toml`.",
    )
    ca: FilePath | None = Field(None, description="PEM file with CAs to trust: a proxy that inspects TLS, a private GitHub.")


class Proxy(Table):
    """The proxy that people's browsers talk to."""

    separate: StrictBool = Field(
        True,
        description="`true`: a service of its own, so that an update of the hub cuts no notebook off. "
        "`false`: it runs in the hub's container.",
    )
    http_port: StrictInt = Field(
        80, ge=0, le=65535, description="Where a separate proxy answers plain HTTP: it leads to HTTPS. 0: nowhere."
    )
    behind: tuple[Peer, ...] = Field(
        (),
        description="The addresses of a reverse proxy of yours in front of it, such as `10.1.2.3`. Of it, and of no other, it "
        "believes what `X-Forwarded-For` says of clients.",
    )
    speaks: Literal["https", "http", "proxy-protocol"] = Field(
        "https",
        description="How the one in front asks: by `https`; by plain `http` at `http_port`, where nobody else is answered and "
        "no certificate is needed; or by `proxy-protocol`, which passes TLS on and tells the client's address before it.",
    )

    @property
    def takes_tls(self) -> bool:
        """Tell whether browsers' TLS ends here, and not at a reverse proxy in front that asks by plain HTTP."""
        return self.speaks != "http"

    @model_validator(mode="after")
    def _fits_what_is_in_front(self) -> Self:
        if self.speaks != "https" and not self.behind:
            raise misplaced(f"is missing: speaks = {self.speaks!r} is for the addresses of a reverse proxy in front", "behind")
        if self.behind and not self.separate:
            raise misplaced("needs proxy.separate = true: the hub's own proxy believes what anybody says of clients", "behind")
        if not (self.takes_tls or self.http_port):
            raise misplaced("may not be 0 with speaks = 'http': the one in front asks there", "http_port")
        return self


class Settings(Table):
    """All of `hosts.toml`."""

    hosts: Hosts
    ssh: Ssh = Ssh()
    network: Network = Network()
    github: Github = Github()
    access: Access = Access()
    secrets: Secrets = Secrets()
    certs: Certs = Certs()
    volume: Volume = Volume()
    database: Database = Database()
    backup: Backup = Backup()
    hub: Hub
    proxy: Proxy = Proxy()
    http_proxy: HttpProxy = HttpProxy()
    page: Page = Page()
    notebook: Notebook
    profiles: tuple[Profile, ...] = Field((), description="What people choose from before a server starts.")
    overrides: tuple[Override, ...] = Field((), description="What differs for some people.")
    home: Home = Home()
    owners: Owners = Owners()
    folders: tuple[Folder, ...] = Field((), description="Folders that many share.")
    groups: dict[Group, tuple[User, ...]] = Field({}, description="Groups and who is in them; the admin console has more.")
    culling: Culling = Culling()
    limits: Limits = Limits()
    firewall: Firewall = Firewall()
    jupyterhub: dict[Variable, dict[Variable, Any]] = Field(
        {}, description="Any other option of JupyterHub, by class: `[jupyterhub.Spawner]`, then `args = [...]`."
    )

    @property
    def manager(self) -> str:
        """Return the manager that holds the volume, the certificate and the hub."""
        return self.hosts.managers[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that the certificate is for: the domain, and all that are one label below it."""
        domain = self.hub.domain
        return (domain, f"*.{domain}") if self.hub.subdomains or self.certs.wildcard else (domain,)

    @model_validator(mode="after")
    def _guarantees_fit(self) -> Self:
        tables = [(("notebook",), self.notebook), *((("profiles", at), one) for at, one in enumerate(self.profiles))]
        for kind, (key, one) in product(("memory", "cpu"), tables):
            least, most = (
                getattr(one, name) or getattr(self.notebook, name) for name in (f"{kind}_guarantee", f"{kind}_limit")
            )
            if least and most and least > most:
                raise misplaced(
                    f"is more than {kind}_limit lets a server use; lower it, or raise that", *key, f"{kind}_guarantee"
                )
        return self

    @model_validator(mode="before")
    @classmethod
    def _names_follow_the_service(cls, data: Any) -> Any:
        """Give a second hub on a swarm a volume and a network of its own; the first one's have the names that it always had."""
        hub = data.get("hub") if isinstance(data, dict) else None
        service = hub.get("service") if isinstance(hub, dict) else None
        if not isinstance(service, str) or not SERVICE.fullmatch(service) or service == Hub.model_fields["service"].default:
            return data
        names = {"volume": f"{service}-data", "network": service}
        tables = {table: data.get(table, {}) for table in names}
        return {
            **data,
            **{table: {"name": names[table], **found} for table, found in tables.items() if isinstance(found, dict)},
        }

    @property
    def images(self) -> tuple[str, ...]:
        """Return every image that people's servers may run, each once, [notebook]'s first."""
        others = (server.image for server in differences_of(self.profiles, self.overrides))
        return tuple(dict.fromkeys([self.notebook.image, *(image for image in others if image)]))
