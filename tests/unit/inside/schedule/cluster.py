"""A cluster as the schedule sees it: an engine in memory, whose containers answer what the test says."""

import base64
import json
import lzma
from collections.abc import Callable, Mapping
from typing import Any

from swarmhub.engine import context
from swarmhub.inside.schedule import parts
from swarmhub.inside.schedule.engine import Engine, EngineError

HUB, DOMAIN = "jupyterhub", "hub.example.org"
MANAGER, WORKER = "n1", "n2"
SECRETS = {"password": "hush"}
SAVED = {"snapshot": "s1", "files": 3, "bytes": 2000, "added": 500, "seconds": 1.5, "unread": []}


def text(data: object) -> str:
    """Return how a config keeps JSON."""
    return base64.b64encode(json.dumps(data).encode()).decode()


def packed(files: Mapping[str, bytes]) -> str:
    """Return how a config keeps what a deploy has left."""
    return base64.b64encode(base64.b64encode(lzma.compress(context.archive(files)))).decode()


def config(name: str, labels: dict[str, str], data: str, made: str = "2026-11-29") -> dict[str, Any]:
    """Return a config as an engine lists it."""
    spec = {"Name": name, "Labels": labels, "Data": data}
    return {"ID": f"id-of-{name}", "CreatedAt": made, "Version": {"Index": 1}, "Spec": spec}


class FakeEngine(Engine):
    """An engine of a node; `answers` has what each action of a container answers, `jobs` what they were given."""

    def __init__(self, node: str, answers: Mapping[str, Any] | None = None) -> None:
        super().__init__("/nowhere")
        self.node, self.answers = node, dict(answers or {})
        self.jobs: list[dict[str, Any]] = []
        self.bodies: list[dict[str, Any]] = []
        self.files: list[dict[str, bytes]] = []
        self.gone: list[str] = []
        self.configs = {one["Spec"]["Name"]: one for one in left()}
        self.volumes: list[dict[str, Any]] = []
        self.containers: list[dict[str, Any]] = []

    def get(self, path: str, **params: Any) -> Any:
        """Answer what the schedule asks."""
        if path == "/info":
            return {"Name": f"host-{self.node}", "Swarm": {"NodeID": self.node}}
        if path == "/configs":
            label, _, value = params["filters"]["label"][0].partition("=")
            labels = ((one, one["Spec"]["Labels"]) for one in self.configs.values())
            return [one for one, has in labels if label in has and value in ("", has[label])]
        if path == "/nodes":
            return [
                {"ID": id_, "Description": {"Hostname": f"host-{id_}"}, "Status": {"State": state}}
                for id_, state in ((MANAGER, "ready"), (WORKER, "down"))
            ]
        if path.startswith("/services/"):
            return {"Spec": {"TaskTemplate": {"ContainerSpec": {"Image": "jupyterhub:1"}}}}
        return {"/volumes": {"Volumes": self.volumes}, "/containers/json": self.containers}[path]

    def post(self, path: str, body: object = None, *, seconds: float | None = 0, **params: Any) -> Any:
        """Keep a config."""
        assert path == "/configs/create"
        assert isinstance(body, dict)
        if body["Name"] in self.configs:
            raise EngineError("it exists", 409)
        self.configs[body["Name"]] = config(body["Name"], body["Labels"], body["Data"])
        return {"ID": f"id-of-{body['Name']}"}

    def delete(self, path: str, **params: Any) -> None:
        """Remember what goes."""
        self.gone.append(path)
        self.configs = {name: one for name, one in self.configs.items() if f"/configs/{one['ID']}" != path}

    def remove(self, container: str) -> None:
        """Remember what goes."""
        self.delete(f"/containers/{container}")

    def run(self, body: Mapping[str, Any], files: Mapping[str, bytes], say: Callable[[str], object]) -> int:
        """Answer as a container would, in two pieces."""
        self.bodies.append(dict(body))
        self.files.append(dict(files))
        if parts.JOB not in files:
            say(json.dumps({"users": 3, "user": "ada", "version": "6.1.1"}))
            return 0
        job = json.loads(files[parts.JOB])
        self.jobs.append(job)
        answer = self.answers.get(job["action"], {"answer": SAVED})
        said = json.dumps(answer(self) if callable(answer) else answer)
        say(json.dumps({"done": 1, "total": 2}))
        for piece in (said[:7], said[7:]):
            say(json.dumps({"part": piece}))
        return 0


def left() -> list[dict[str, Any]]:
    """Return the configs of a hub: homes, a release, and what deploys have left."""
    old, new = packed({"settings/hosts.toml": b"old"}), packed({"settings/hosts.toml": b"new", "hub/app.py": b"code"})
    homes = [
        config(f"{HUB}-home-{user}", {"swarmhub.home": HUB, "swarmhub.user": user, "swarmhub.node": node}, text({}))
        for user, node in (("ada", MANAGER), ("grace", WORKER))
    ]
    release = {"number": 4, "hub_image": "jupyterhub:1", "notebook_images": ["base@sha256:1"]}
    return [
        *homes,
        config("other-home", {"swarmhub.home": "other", "swarmhub.user": "eve", "swarmhub.node": MANAGER}, text({})),
        config("release", {"swarmhub.release": HUB}, text(release)),
        config("left-1", {"swarmhub.backup": HUB}, old, "2026-11-28"),
        config("left-2", {"swarmhub.backup": HUB}, new, "2026-11-29"),
    ]


def schedule(**more: Any) -> dict[str, Any]:
    """Return a schedule."""
    return {
        "hub": HUB,
        "domain": DOMAIN,
        "node": MANAGER,
        "hosts": {MANAGER: "swarm-manager1", WORKER: "swarm-worker1"},
        "every": 86400,
        "at": 0,
        "verify": None,
        "keep": {},
        "volumes": True,
        "by_hand": "",
        "shared": [],
        "data": [{"Target": "/data"}],
        "paths": ["/data", "/backup"],
        "out": ["/data/jupyterhub.sqlite"],
        "scratch": f"{HUB}_drill",
        "evidence": f"{HUB}_backups",
        "body": {"Image": "restic:1", "Labels": {"swarmhub": "schedule"}, "HostConfig": {"Mounts": [{"Target": "/cache"}]}},
        **more,
    }


def volume(name: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Return a volume as an engine lists it."""
    return {"Name": name, "Driver": "local", "Labels": labels, "Options": None, **more}
