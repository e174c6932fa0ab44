"""What one value of `hosts.toml` demands of another."""

from collections.abc import Iterator, Mapping
from typing import Any

from hub.shared.servers.choice import slug
from swarmhub.settings.schema.clashes.targets import covering
from swarmhub.settings.schema.clashes.volumes import Key, apart, taken
from swarmhub.settings.schema.notebook import SECRET

# Types of homes whose files all have one owner.
BELONGS = {
    "volume": "'volume' gives a new home the owner of the image's files",
    "cifs": "'cifs' gives all files the owner that mount_options name",
}
PROFILED = ("profiles", "overrides", "folders")


def clashes(data: Mapping[str, Any]) -> list[tuple[Key, str]]:
    """Return the key and the sentence of each value that another one rules out, whatever else is wrong."""
    hosts, hub, network = (_table(data, name) for name in ("hosts", "hub", "network"))
    found = _repeated(hosts)
    if hub.get("publish") == "ingress" and network.get("endpoint_mode", "dnsrr") == "dnsrr":
        wrong = "'ingress' needs network.endpoint_mode = 'vip'; set publish = 'host', or the mode to 'vip'"
        found.append((("hub", "publish"), wrong))
    notebook, access, certs = (_table(data, name) for name in ("notebook", "access", "certs"))
    if notebook.get("nodes") == "workers" and not hosts.get("workers"):
        wrong = "'workers' leaves no node for a server: hosts.workers names none; add one, or set nodes = 'all'"
        found.append((("notebook", "nodes"), wrong))
    found += _owned_by_others(data)
    if _table(access, "options").get("manage_groups") is True and data.get("groups"):
        wrong = "clashes with access.options.manage_groups: the provider says who is in which group; remove this table"
        found.append((("groups",), wrong))
    proxy = _table(data, "proxy")
    takes_tls = proxy.get("speaks") != "http"
    if hub.get("subdomains") is True and takes_tls and not {"dns", "certificate"} & set(certs):
        wrong = (
            "needs a certificate for *.DOMAIN, which no authority gives by HTTP; set certs.dns, or certs.certificate and key"
        )
        found.append((("hub", "subdomains"), wrong))
    found += _of_front(hub, proxy, certs)
    return [*found, *taken(data), *apart(data), *covering(data), *_unknown_profiles(data), *_unknown_secrets(data)]


def _owned_by_others(data: Mapping[str, Any]) -> list[tuple[Key, str]]:
    """Return what lets files or servers be somebody else's, where people have their own UID."""
    owners, home = _table(data, "owners"), _table(data, "home")
    if not {"passwd", "uid_claim"} & {*owners}:
        return []
    own = _table(_table(_table(data, "jupyterhub"), "SwarmSpawner"), "extra_container_spec")
    wrong = "would let all servers run as one user; [owners] lets each run as its own: remove one of the two"
    key = ("jupyterhub", "SwarmSpawner", "extra_container_spec")
    found: list[tuple[Key, str]] = [((*key, one), wrong) for one in ("user", "groups") if one in own]
    kind = home.get("type", "volume")
    if home.get("keep", True) is False or kind not in BELONGS:
        return found
    return [
        *found,
        (("home", "type"), f"{BELONGS[kind]}, and [owners] lets each server run as its user's; set 'path' or 'nfs'"),
    ]


def _of_front(hub: Mapping[str, Any], proxy: Mapping[str, Any], certs: Mapping[str, Any]) -> list[tuple[Key, str]]:
    """Return what does not go with a reverse proxy in front, or with a path of the hub's own."""
    found: list[tuple[Key, str]] = []
    if proxy.get("behind") and hub.get("publish") == "ingress":
        wrong = "needs hub.publish = 'host': the routing mesh hides which address asks, so nobody's could be believed"
        found.append((("proxy", "behind"), wrong))
    if proxy.get("speaks") == "http":
        wrong = "is of no use with proxy.speaks = 'http': TLS ends at the reverse proxy in front; remove it"
        found += [(("certs", key), wrong) for key in certs if key != "ca"]
    if hub.get("subdomains") is True and hub.get("base_url", "/") != "/":
        wrong = "does not go with hub.subdomains: each server has a domain, and no path besides; remove one of the two"
        found.append((("hub", "base_url"), wrong))
    return found


def _unknown_secrets(data: Mapping[str, Any]) -> list[tuple[Key, str]]:
    """Return each secret in plain text in [jupyterhub] or [access.options], and each that is not among secrets.names."""
    names = _table(data, "secrets").get("names", [])
    places = {("jupyterhub",): data.get("jupyterhub"), ("access", "options"): _table(data, "access").get("options")}
    places |= {(name, "url"): _table(data, name).get("url") for name in ("http_proxy", "database")}
    unknown = [
        (key, f"{name!r} is not in secrets.names: add it there, and set it where the other secrets are")
        for place, value in places.items()
        for key, name in _secrets_in(value, place)
        if name not in names
    ]
    wrong = 'a secret here could be read in a Swarm config; put it where the other secrets are, and write {secret = "NAME"}'
    return [*unknown, *((key, wrong) for place, value in places.items() for key in _plain_secrets(value, place))]


def _plain_secrets(value: object, key: Key) -> Iterator[Key]:
    """Yield the keys of texts that are secrets by their names."""
    if isinstance(value, str) and value and isinstance(key[-1], str) and SECRET.fullmatch(key[-1]):
        yield key
    elif isinstance(value, dict | list) and not (isinstance(value, dict) and set(value) == {"secret"}):
        for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _plain_secrets(inner, (*key, part))


def _secrets_in(value: object, key: Key) -> Iterator[tuple[Key, object]]:
    if isinstance(value, dict) and set(value) == {"secret"}:
        yield key, value["secret"]
    elif isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for part, inner in parts:
            yield from _secrets_in(inner, (*key, part))


def _unknown_profiles(data: Mapping[str, Any]) -> list[tuple[Key, str]]:
    """Return each profile whose name does not tell it from another, and each name of one that there is not."""
    tables = {
        key: [one for one in rows if isinstance(one, dict)] for key in PROFILED if isinstance(rows := data.get(key), list)
    }
    places = [(place, one["name"]) for place, one in enumerate(tables.get("profiles", [])) if isinstance(one.get("name"), str)]
    names = [name for _, name in places]
    found = _same_names(places)
    for key in ("overrides", "folders"):
        for index, one in enumerate(tables.get(key, [])):
            named = one.get("profiles") if isinstance(one.get("profiles"), list) else []
            wrongs = [(place, name) for place, name in enumerate(named or []) if name not in names]
            known = ", ".join(map(repr, names)) or "none"
            found += [((key, index, "profiles", place), f"{name!r} is no profile; there is {known}") for place, name in wrongs]
    return found


def _same_names(places: list[tuple[int, str]]) -> list[tuple[Key, str]]:
    first: dict[str, str] = {}
    found: list[tuple[Key, str]] = []
    for place, name in places:
        short = slug(name)
        if short in first:
            wrong = f"{name!r} is {short!r} in addresses and in the API, as {first[short]!r} is; give each its own"
            found.append((("profiles", place, "name"), wrong))
        first.setdefault(short, name)
    return found


def _repeated(hosts: Mapping[str, Any]) -> list[tuple[Key, str]]:
    kinds = {kind: names for kind in ("managers", "workers") if isinstance(names := hosts.get(kind), list)}
    places = [(kind, index, name) for kind, names in kinds.items() for index, name in enumerate(names) if isinstance(name, str)]
    seen: set[str] = set()
    found: list[tuple[Key, str]] = []
    for kind, index, name in places:
        if name.lower() in seen:
            wrong = f"{name!r} is named twice; name each host once, as a manager or as a worker"
            found.append((("hosts", kind, index), wrong))
        seen.add(name.lower())
    return found


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}
