"""What the hub is handed of the settings: a file of JSON."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from hub.filter import policy
from hub.shared.servers.mounts import is_marked_itself
from hub.shared.settings import FILE
from swarmhub.errors import SettingsError
from swarmhub.host import Json
from swarmhub.settings import Settings, outbound
from swarmhub.settings.schema.notebook import Own

# The variables in which earlier releases had it and the filter's policies, and the files in which they are now.
VARIABLE = "SWARMHUB_SETTINGS"
POLICY_VARIABLE = "SWARMHUB_FILTER"
BEFORE = {VARIABLE: str(FILE), POLICY_VARIABLE: str(policy.FILE)}
# Swarm's limit for a config (MaxConfigSize, since Engine 23), with room for what a release keeps besides the settings.
LARGEST = 960 * 1024
WHOLE = {"access", "notebook", "home", "folders", "groups", "culling", "limits", "page", "http_proxy", "jupyterhub"}
# Of these the hub takes what they set, over what stands in [notebook].
PARTS = {"profiles", "overrides"}
ABOUT = "Jupyter notebooks on {domain}, in your browser. Sign in to start."


def document(
    settings: Settings, images: Mapping[str, str], log_driver: Json = None, *, marked: Collection[str] = (), subnet: str = ""
) -> str:
    """Return the document; `images` maps each image of the settings to the reference that the nodes hold.

    `log_driver` is how servers' logs are kept, unless [jupyterhub.SwarmSpawner] says it; `marked` are the folders of the nodes
    that have a marker, without which no server is to start; `subnet` has the servers' addresses. All but profiles and overrides
    is spelt out: the hub knows no defaults. Sizes are bytes, times seconds.
    """
    tables = settings.model_dump(mode="json", include=WHOLE, exclude_none=True)
    tables["page"].pop("logo", None)  # it is in the image
    tables["page"].setdefault("about", ABOUT.format(domain=settings.hub.domain))
    tables["owners"] = settings.owners.handed
    tables |= {"database": {"url": settings.database.url}} if settings.database.url else {}
    if settings.http_proxy.url:
        asked = {"no_proxy": outbound.past(settings, subnet), "notebooks": settings.http_proxy.is_for_notebooks}
        tables["http_proxy"] |= asked
    tables |= settings.model_dump(mode="json", include=PARTS, exclude_defaults=True)
    servers = [tables["notebook"], *(server for part in PARTS for server in tables.setdefault(part, []))]
    for server in servers:
        for key in Own.model_fields:  # it is in the image
            server.pop(key, None)
        if "image" in server:
            server["image"] = images[server["image"]]
    for table in (tables["home"], *tables["folders"]):
        if table["type"] == "path" and table["path"] in marked and not is_marked_itself(table):
            table["marked"] = True
    if log_driver:
        spawner = tables["jupyterhub"].setdefault("SwarmSpawner", {})
        spawner["extra_task_spec"] = {"log_driver": log_driver, **spawner.get("extra_task_spec", {})}
    return _json(tables)


def kept(settings: Settings) -> Json:
    """Return what a release keeps of the settings: the table of the secrets' source may hold a command line."""
    return settings.model_dump(mode="json", exclude={"secrets"}, exclude_none=True)


def check(settings: Settings, file: Path) -> None:
    """Make sure that what the hub is handed fits into a Swarm config, and so does what a release keeps.

    Raises:
        SettingsError: it does not.

    """
    texts = document(settings, {image: f"{image}@sha256:{'0' * 64}" for image in settings.images}), _json(kept(settings))
    size = max(len(text) for text in texts)
    if size > LARGEST:
        longest = max(WHOLE | PARTS, key=lambda table: len(str(getattr(settings, table))))
        wrong = f"is too long: the settings take {size // 1024} KiB, at most {LARGEST // 1024} fit; list fewer people or tables"
        from swarmhub.settings.lines import problem  # only a broken file pays for the parser

        raise SettingsError(problem(file, (longest,), wrong))


def images(text: str) -> list[str]:
    """Return the images of a document, none where it is none."""
    found = read(text)
    return images_of(found) if isinstance(found, dict) else []


def images_of(tables: Json) -> list[str]:
    """Return the images of tables of settings, such as a release keeps."""
    servers = [tables.get("notebook", {}), *(server for part in PARTS for server in tables.get(part, []))]
    return [server["image"] for server in servers if "image" in server]


def home(text: str) -> Json:
    """Return the table [home] of a document, an empty one where it is none."""
    found = read(text)
    return found.get("home", {}) if isinstance(found, dict) else {}


def database(text: str) -> str:
    """Return the name of the secret that has the URL of a PostgreSQL database; nothing, where the hub works with SQLite."""
    found = read(text)
    return secret_of(found) if isinstance(found, dict) else ""


def secret_of(tables: Json) -> str:
    """Return the same of tables of settings, such as a release keeps."""
    return str(((tables.get("database") or {}).get("url") or {}).get("secret", ""))


def marked(text: str) -> frozenset[str]:
    """Return the folders of the nodes that a hub which is handed this document takes for marked."""
    found = read(text)
    tables = [found.get("home", {}), *found.get("folders", [])] if isinstance(found, dict) else []
    return frozenset(str(table["path"]) for table in tables if table.get("marked"))


def tables(settings: Settings) -> Json:
    """Return what the hub reads in it, with the images as hosts.toml names them."""
    return json.loads(document(settings, {image: image for image in settings.images}))


def read(text: str) -> Json:
    """Return the document as values; as it is, where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _json(value: Json) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
