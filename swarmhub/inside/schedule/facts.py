"""What the swarm knows of a hub and belongs into its backup: where homes are, the releases, and what the last deploy left."""

import base64
import io
import json
import lzma
import tarfile
from collections.abc import Mapping
from typing import Any

from swarmhub.inside.schedule.engine import Engine

# As swarmhub.notebooks.homes, swarmhub.history.releases and swarmhub.services.schedule have them.
HOME, USER, NODE, RELEASE, LEFT = "swarmhub.home", "swarmhub.user", "swarmhub.node", "swarmhub.release", "swarmhub.backup"

Json = dict[str, Any]


class Missing(Exception):  # noqa: N818 - it is an answer
    """Something that a deploy leaves on the cluster is not there."""


def files(engine: Engine, hub: str, run: str, domain: str, hosts: Mapping[str, str]) -> dict[str, bytes]:
    """Return what is saved besides the hub's data, by its place in the container; `hosts` are the nodes' names by their ids.

    Raises:
        Missing: the settings that the last deploy has left are gone.

    """
    releases = sorted((_data(one) | {"id": one["ID"]} for one in _listed(engine, RELEASE, hub)), key=lambda one: one["number"])
    facts = _facts(engine, hub, run, hosts) | {"hub": hub, "domain": domain, **_of_release(releases[-1:])}
    texts = {"cluster.json": json.dumps(facts), "releases.json": json.dumps(releases)}
    return {f"backup/{name}": text.encode() for name, text in texts.items()} | _settings(engine, hub)


def _facts(engine: Engine, hub: str, run: str, hosts: Mapping[str, str]) -> Json:
    nodes = {one["ID"]: one for one in engine.get("/nodes")}
    # One that has just joined has not yet described itself.
    names = {id_: hosts.get(id_) or (one.get("Description") or {}).get("Hostname") or id_ for id_, one in nodes.items()}
    labels = {one["Spec"]["Name"]: one["Spec"]["Labels"] for one in _listed(engine, HOME, hub)}
    records = [
        {"name": name, "user": one.get(USER, ""), "host": names.get(one.get(NODE, ""), one.get(NODE, ""))}
        for name, one in sorted(labels.items())
    ]
    away = {names[id_] for id_, one in nodes.items() if one["Status"]["State"] != "ready"}
    # A record without a node is of a home on a file server.
    homes = [one for one in records if one["host"] and one["user"]]
    return {"run": run, "homes": homes, "records": records, "silent": sorted(away & {one["host"] for one in homes})}


def _of_release(last: list[Json]) -> Json:
    if not last:
        return {"release": None, "images": {}}
    notebooks = last[0].get("notebook_images") or []
    return {"release": last[0]["number"], "images": {"hub": last[0]["hub_image"], "notebooks": notebooks}}


def _settings(engine: Engine, hub: str) -> dict[str, bytes]:
    """Return the settings and what the hub's image is made of, as the last deploy has left them."""
    listed = _listed(engine, LEFT, hub)
    if not listed:
        raise Missing("what the last deploy has left of the settings is gone")
    newest = max(listed, key=lambda one: str(one["CreatedAt"]))
    packed = base64.b64decode(base64.b64decode(newest["Spec"]["Data"]))
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(packed))) as tar:
        found = {one.name: tar.extractfile(one) for one in tar.getmembers()}
        return {f"backup/{name}": one.read() for name, one in found.items() if one}


def _listed(engine: Engine, label: str, hub: str) -> list[Json]:
    found: list[Json] = engine.get("/configs", filters={"label": [f"{label}={hub}"]})
    return found


def _data(config: Json) -> Json:
    found: Json = json.loads(base64.b64decode(config["Spec"]["Data"]))
    return found
