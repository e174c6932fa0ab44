"""The names of a hub's own services: no user's server is called like one of them."""

# Under this name, with its content as the tag, nodes keep an image that no registry has, where their engines have different ids
# for it. Nobody listens there: an engine that asks for a newer one before it starts a server is refused at once.
KEPT = "localhost:1/swarmhub"


def proxy(hub: str) -> str:
    """Return the name of the separate proxy."""
    return f"{hub}-proxy"


def proxy_api(hub: str) -> str:
    """Return the name by which the hub finds the proxy's API."""
    return f"{proxy(hub)}-api"


def engine(hub: str) -> str:
    """Return the name of the filter before Docker, and of the volume in which its socket is."""
    return f"{hub}-engine"


def renewal(hub: str) -> str:
    """Return the name of what renews the certificate."""
    return f"{hub}-renewal"


def firewall(hub: str) -> str:
    """Return the name of the firewall."""
    return f"{hub}_firewall"


def check(hub: str) -> str:
    """Return the name of what loads the configuration of a hub that is to come."""
    return f"{hub}_check"


def backups(hub: str) -> str:
    """Return the name of the volume with the copies of the database: the hub itself does not have it."""
    return f"{hub}_backups"


def restic(hub: str) -> str:
    """Return the name of what backups are made with: an image, and on each node a volume that remembers what is saved."""
    return f"{hub}_restic"


def schedule(hub: str) -> str:
    """Return the name of what makes backups on the cluster."""
    return f"{hub}_backup"


def drill(hub: str) -> str:
    """Return the name of the volume in which an operator tries a backup; it is removed when that is done."""
    return f"{hub}_drill"


def scheduled_drill(hub: str) -> str:
    """Return the name of the volume in which the schedule does the same: both may be at it."""
    return f"{hub}_drill-schedule"


def transfer(hub: str) -> str:
    """Return the name of what images are brought by from node to node: an image, and while it lasts a network and volumes."""
    return f"{hub}_transfer"


def temporary(hub: str) -> frozenset[str]:
    """Return the names of the volumes in which nothing is that somebody would miss: sockets, caches, what a trial takes up."""
    return frozenset(name(hub) for name in (engine, restic, drill, scheduled_drill, transfer))


def names(hub: str) -> frozenset[str]:
    """Return them all, whether such a service is there or not: it may come."""
    return frozenset({hub, proxy(hub), proxy_api(hub), engine(hub), renewal(hub), firewall(hub), check(hub), schedule(hub)})


def may_meet(hub: str, other: str) -> bool:
    """Tell whether a server of one of two hubs could be called like one of the other's, or like the other hub.

    Servers' names begin with the hub's and a hyphen: `a-b-c` is that of user `b-c` at hub `a`, and of user `c` at hub `a-b`.
    """
    return any(longer.startswith(f"{shorter}-") or longer in names(shorter) for shorter, longer in ((hub, other), (other, hub)))


def server(name: str, hub: str) -> str:
    """Return how a server's service is called that would be called `name`.

    No other server is called so: an escaped name has two hexadecimal digits, or another hyphen, behind a hyphen.
    """
    return f"{name}-user" if name in names(hub) else name
