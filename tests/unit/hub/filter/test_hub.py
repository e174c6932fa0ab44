"""All that the hub asks is allowed: the spawner and the hub's start, by docker-py, through the filter, to an engine."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from jupyterhub import orm
from jupyterhub.spawner import SpawnException
from traitlets.config import Config

from hub import engine as start
from hub.config import extra
from hub.config.servers import configure
from hub.filter import policy, rules
from hub.shared.people.names import of_docker
from hub.shared.servers import mounts
from hub.shared.servers.spec import CONFIG_FILES
from hub.spawner import homes, starts
from hub.spawner.service import Answer
from hub.spawner.spawner import SwarmSpawner
from hub.spawner.starts import Nodes, Tasks
from hub.spawner.sweep import Sweep
from tests.unit.hub.asked import IMAGE, tables, task
from tests.unit.hub.filter.engines import ADA, OTHERS, OURS, Engine, allowed, filtered, frames, ruled

ENVIRON = {"DOCKER_NETWORK_NAME": "jupyter", "DOCKER_SERVICE_NAME": "jupyterhub", "DOCKER_ENDPOINT_MODE": "dnsrr"}
RUNNING = task(
    "running", NetworksAttachments=[{"Network": {"ID": "net", "Spec": {"Name": "jupyter"}}, "Addresses": ["10.0.1.9/24"]}]
)
NODE = {"ID": "n1", "Description": {"Hostname": "worker1"}, "Status": {"State": "ready"}, "Spec": {"Availability": "active"}}
OF_HOME = {"swarmhub.home": "jupyterhub", "swarmhub.user": "ada", "swarmhub.node": "n1"}
RECORD = {"ID": "c9", "Spec": {"Name": "jupyterhub-home-ada", "Labels": OF_HOME}}

SETTINGS: dict[str, dict[str, Any]] = {
    "nothing but an image": {},
    "no home": {"home": {"keep": False}},
    "a quota": {"home": {"quota": "5G"}},
    "a volume driver": {"home": {"driver": "glusterfs", "options": {"volname": "homes"}, "mount": "/home/jovyan/work"}},
    "a home for each profile": {"home": {"name": "{username}-{profile}"}, "profiles": [{"name": "Größer"}, {"name": "Small"}]},
    "homes that were there before": {"home": {"name": "jupyterhub-user-{username}", "mount": "/home/jovyan/work"}},
    "another place for the home": {"profiles": [{"name": "RStudio", "home_mount": "/home/rstudio"}]},
    "a home for each server": {"home": {"name": "{username}-{servername}"}, "limits": {"named_servers": 1}},
    "a path": {"home": {"type": "path", "path": "/mnt/homes"}},
    "nfs": {"home": {"type": "nfs", "server": "files.example.org", "path": "/export/homes", "mount_options": "nfsvers=4.2"}},
    "cifs": {"home": {"type": "cifs", "server": "files.example.org", "path": "/homes", "mount_options": "guest,uid=1000"}},
    "folders": {
        "folders": [
            {"type": "path", "path": "/mnt/shared/course", "mount": "/home/jovyan/course"},
            {"type": "path", "path": "/mnt/shared", "name": "t", "mount": "/t", "read_only": False, "groups": ["staff"]},
            {"type": "nfs", "server": "files.example.org", "path": "/data", "mount": "/srv/data", "profiles": ["Big"]},
            {"name": "drop-{username}", "mount": "/drop"},
        ],
        "profiles": [{"name": "Big"}],
        "groups": {"staff": ["ada"]},
    },
    "sizes": {
        "notebook": {
            "cpu_limit": 2,
            "cpu_guarantee": 0.5,
            "memory_limit": "2G",
            "memory_guarantee": "512M",
            "processes": 400,
            "shared_memory": "256M",
            "environment": {"TZ": "Europe/Berlin"},
            "labels": {"team": "physics"},
        }
    },
    "a graphics card": {
        "profiles": [{"name": "GPU", "generic_resources": {"NVIDIA-GPU": 1}, "node_labels": {"gpu": "true"}}],
    },
    "overrides": {
        "overrides": [
            {"users": ["ada"], "shared_memory": "1G", "labels": {"team": "ml"}, "node_labels": {"zone": "b"}},
            {"groups": ["staff"], "memory_limit": "16G", "generic_resources": {"FPGA": 2}},
        ],
        "groups": {"staff": ["ada"]},
    },
    "the spawner's options": {
        "jupyterhub": {
            "SwarmSpawner": {
                "extra_container_spec": {
                    **{"user": "root", "cap_drop": ["NET_RAW"], "labels": {"a": "b"}, "env": {"A": "{{.Node.Hostname}}"}},
                    "mounts": ["scratch:/scratch", {"Type": "tmpfs", "Target": "/tmp"}],
                },
                "extra_resources_spec": {"mem_limit": 2**30, "generic_resources": {"NVIDIA-GPU": 1}},
                "extra_placement_spec": {"constraints": ["node.role==worker"], "maxreplicas": 1},
                "extra_task_spec": {"restart_policy": {"Condition": "on-failure"}, "log_driver": {"Name": "local"}},
                "extra_endpoint_spec": {"mode": "vip"},
            }
        }
    },
    "workers only, and a command": {"notebook": {"nodes": "workers", "command": ["jupyterhub-singleuser"]}},
    "arguments": {"jupyterhub": {"Spawner": {"args": ["--debug"]}}},
    "JupyterHub's own sizes": {"jupyterhub": {"SwarmSpawner": {"mem_limit": "1G", "cpu_guarantee": 0.1}}},
}
PEOPLE = ["ada", "{{.Node.Hostname}}", "a{{{", "Ada.Lovelace@example.org", "größe_1", "a-" * 30 + "b"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait, every server answer, and no folder be made."""

    async def found(where: tuple[str, int], path: str) -> Answer:
        return Answer(200, is_of_hub=True)

    monkeypatch.setattr(starts, "TASK_SECONDS", 0.0)
    monkeypatch.setattr(starts, "answer", found)
    monkeypatch.setattr(homes, "make_folder", lambda *_, **__: None)


async def configs(request: web.BaseRequest) -> web.Response:
    """Answer with the file that servers are given, if that is asked for; no home has a record."""
    (name,) = json.loads(request.query["filters"])["name"]
    found = {"ID": "cfg1", "Spec": {"Name": name, "Labels": {"swarmhub.service": "jupyterhub"}, "Data": "eA=="}}
    return web.json_response([found] if "-notebook-" in name else [])


def swarm(more: dict[str, Any] | None = None) -> Engine:
    """Return an engine on which a server starts."""
    answers = {
        "GET /version": {"ApiVersion": "1.45"},
        f"GET /images/{quote(IMAGE, safe='/:')}/json": {"Config": {"Cmd": ["start-notebook.py"]}},
        "GET /services/s1": OURS,
        "GET /services/s1/logs": frames(b"starting\n", b"ImportError: no module named x\n"),
        "GET /tasks": [RUNNING],
        "GET /nodes": [NODE],
        "GET /nodes/n1": NODE,
        "GET /configs": configs,
        "GET /services": [],
        "GET /networks/jupyter": {"Id": "net", "Name": "jupyter", "IPAM": {"Config": [{"Subnet": "10.0.0.0/30"}]}},
        "POST /services/create": {"ID": "s1"},
        "POST /configs/create": {"ID": "c1"},
        "DELETE /services/s1": b"",
    }
    return Engine(answers | (more or {}))


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SwarmSpawner]]:
    """Return what makes a spawner that asks an engine through a filter; both are gone after the test."""
    with ExitStack() as stack:

        def make(engine: Engine, user: str = "ada", server: str = "", **given: Any) -> SwarmSpawner:
            handed = policy.document(allowed(**given))
            socket = stack.enter_context(filtered(engine, rules.made(*policy.load(handed))))
            monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
            c = Config()
            configure(c, tables(**given), ENVIRON, start.ensure_configs("jupyterhub"))
            extra.apply(c, tables(**given)["jupyterhub"], Path())
            monkeypatch.setattr(SwarmSpawner, "_client", None)
            monkeypatch.setattr(SwarmSpawner, "nodes", Nodes())
            monkeypatch.setattr(SwarmSpawner, "_tasks", Tasks())
            monkeypatch.setattr(SwarmSpawner, "server", SimpleNamespace(base_url="/user/ada/"))
            monkeypatch.setattr(SwarmSpawner, "get_env", lambda _: {"JUPYTERHUB_API_TOKEN": "hush"})
            groups = [SimpleNamespace(name="staff")]
            who = SimpleNamespace(name=user, url="/", groups=groups, escaped_name=user)
            named = {"orm_spawner": SimpleNamespace(name=server, server=None)} if server else {}
            spawner = SwarmSpawner(config=c, user=who, **named)
            spawner.handler = SimpleNamespace(current_user=orm.Service(name="swarmhub"))
            stack.callback(spawner.client.close)
            return spawner

        yield make


Spawned = Callable[..., SwarmSpawner]


def started(engine: Engine, spawner: SwarmSpawner, profile: str = "") -> dict[str, Any]:
    """Return what the engine was asked to make by a start that went well."""
    spawner.user_options = {"profile": profile} if profile else {}
    spawner.handler.get_server_json_body = lambda: {"user_options": {"node": "n7"}}
    assert asyncio.run(spawner.start()) == ("10.0.1.9", 8888)
    (made,) = engine.bodies("POST /services/create")
    assert isinstance(made, dict)
    return made


@pytest.mark.parametrize("given", SETTINGS.values(), ids=SETTINGS)
def test_a_server_starts_whatever_the_settings_say(given: dict[str, Any], spawned: Spawned) -> None:
    """What docker-py sends passes, and reaches the engine; each profile can be chosen."""
    for profile in [one["name"] for one in given.get("profiles", [{"name": ""}])]:
        engine = swarm()
        made = started(engine, spawned(engine, **given), profile)
        assert (made["Name"], made["Labels"]["swarmhub.profile"]) == (ADA, profile)
        assert made["TaskTemplate"]["ContainerSpec"]["Configs"][0]["ConfigID"] == "cfg1"


def test_a_server_runs_as_its_users_own_number(spawned: Spawned) -> None:
    """As the provider has said it; what the spawner sends is what the filter allows."""

    async def said() -> dict[str, Any]:
        return {"user": {"uid": 20001, "gids": ["20300"]}}

    engine = swarm()
    owners = {"uid_claim": "uid", "gids_claim": "gids", "range": "20000-29999"}
    spawner = spawned(engine, home={"type": "path", "path": "/mnt/homes"}, owners=owners)
    spawner.user.get_auth_state, spawner.authenticator = said, SimpleNamespace(user_auth_state_key="user")
    container = started(engine, spawner)["TaskTemplate"]["ContainerSpec"]
    assert (container["User"], container["Groups"]) == ("20001:100", ["20300"])


def test_a_hook_that_lets_a_server_run_as_somebody_is_told_that_it_is_refused(spawned: Spawned) -> None:
    """The person reads a refusal, and the hub's log has the filter's own words."""
    engine = swarm()
    spawner = spawned(engine)
    spawner.extra_container_spec = {"user": "0:0"}
    with pytest.raises(SpawnException) as error:
        started(engine, spawner)
    assert error.value.jupyterhub_message.startswith("The cluster refuses to start your server.")
    assert "swarmhub's filter refuses POST" in error.value.log_message
    assert "'TaskTemplate.ContainerSpec.User' is not allowed" in error.value.log_message
    assert engine.bodies("POST /services/create") == []


@pytest.mark.parametrize("home", ["volume", "path"])
@pytest.mark.parametrize("server", ["", "My lab"])
@pytest.mark.parametrize("user", PEOPLE)
def test_everybodys_server_starts(user: str, server: str, home: str, spawned: Spawned) -> None:
    """Whatever the name of a user or a server is escaped or cut to."""
    engine = swarm()
    given = {"type": "path", "path": "/mnt/homes"} if home == "path" else {}
    made = started(engine, spawned(engine, user, server, home=given))
    assert (made["Labels"]["swarmhub.user"], made["Labels"]["swarmhub.server"]) == (user, server)


def test_a_home_is_recorded_and_its_record_taken_back(spawned: Spawned) -> None:
    """A node that refuses a first start does not keep the user."""
    rejected = task("rejected", "No such image")
    home = {"GET /configs/jupyterhub-home-ada": RECORD, "DELETE /configs/c9": b""}
    engine = swarm({"GET /tasks": [rejected]} | home)
    with pytest.raises(SpawnException, match="No such image"):
        asyncio.run(spawned(engine).start())
    record = {"Name": "jupyterhub-home-ada", "Data": "e30=", "Labels": OF_HOME}
    assert engine.bodies("POST /configs/create")[len(CONFIG_FILES) :] == [
        record,
        record,
    ]  # the start is tried once more elsewhere
    assert [asked for asked, _ in engine.asked][-2:] == ["GET /services/s1", "DELETE /services/s1"]
    assert "DELETE /configs/c9" in [asked for asked, _ in engine.asked]


def test_a_user_returns_to_the_home(spawned: Spawned) -> None:
    """The record and its node are asked for."""

    async def recorded(request: web.BaseRequest) -> web.Response:
        return web.json_response([RECORD]) if "home" in request.raw_path else await configs(request)

    engine = swarm({"GET /configs": recorded})
    made = started(engine, spawned(engine))
    assert made["TaskTemplate"]["Placement"]["Constraints"][-1] == "node.id==n1"
    assert "GET /nodes/n1" in [asked for asked, _ in engine.asked]


def test_what_an_earlier_start_has_left_is_removed(spawned: Spawned) -> None:
    """By its name it is found, by its id it goes."""
    engine = swarm({f"GET /services/{ADA}": OURS})
    started(engine, spawned(engine))
    asked = [asked for asked, _ in engine.asked]
    assert asked.index("DELETE /services/s1") < asked.index("POST /services/create")


def test_the_last_words_of_a_server_are_read(spawned: Spawned) -> None:
    """The log's frames come through as they are."""
    engine = swarm({"GET /tasks": [task("failed", "task: non-zero exit (3)", code=3)]})
    with pytest.raises(SpawnException, match="ImportError: no module named x"):
        asyncio.run(spawned(engine).start())


def test_a_full_network_is_found_out(spawned: Spawned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses of others count, too."""
    monkeypatch.setattr(starts, "ADDRESS_SECONDS", -1.0)
    engine = swarm({"GET /tasks": [task("new")]})
    with pytest.raises(SpawnException, match="network jupyter is full"):
        asyncio.run(spawned(engine).start())


def test_a_server_that_is_gone_is_told_from_one_that_is_not_the_hubs(spawned: Spawned) -> None:
    """A poll hears of the first as ended; the second's engine does not say, which counts as running."""
    spawner = spawned(swarm({"GET /services/s2": OTHERS}))
    spawner.object_id = "s3"
    assert asyncio.run(spawner.poll()) == 0
    spawner.object_id = "s2"
    assert asyncio.run(spawner.poll()) is None


def test_the_hub_waits_for_an_engine_through_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question by which it does is allowed, and an engine without a quorum is waited for."""
    engine = swarm()

    async def at_first_none(request: web.BaseRequest) -> web.Response:
        return web.json_response({"message": "no quorum"}, status=503) if len(engine.asked) < 4 else web.json_response([])

    engine.answers["GET /services"] = at_first_none
    with filtered(engine, ruled()) as socket:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
        start.wait_until_it_answers(pause=0)
    assert len(engine.asked) == 4


def test_the_servers_that_nobody_knows_are_found_and_removed(spawned: Spawned, tmp_path: Path) -> None:
    """The question for all of the hub's servers is allowed."""
    engine = swarm({"GET /services": [{**OURS, "CreatedAt": "2026-11-25T09:00:00Z"}]})
    spawner = spawned(engine)
    sweep = Sweep(spawner.docker, "jupyterhub", list, spawner.nodes, spawner.log, tmp_path / "servers.json")

    async def twice() -> None:
        await sweep.look()
        await sweep.look()

    asyncio.run(twice())
    assert [asked for asked, _ in engine.asked][-2:] == ["GET /services/s1", "DELETE /services/s1"]


@pytest.mark.parametrize("driver", ["local", "rexray"])
def test_a_home_of_an_earlier_release_keeps_its_name(driver: str, spawned: Spawned) -> None:
    """Its record is found by the shorter hash; without one, a new home has the longer hash, whatever has the files."""
    user = "a-" * 30 + "b"
    former = mounts.formerly(f"jupyterhub-home-{of_docker(user)}")

    async def recorded(request: web.BaseRequest) -> web.Response:
        is_former = former in request.query["filters"]
        labels = OF_HOME | {"swarmhub.user": user, "swarmhub.node": "n1" if driver == "local" else ""}
        found = {"ID": "c9", "Spec": {"Name": former, "Labels": labels}}
        return web.json_response([found]) if is_former else await configs(request)

    sources = []
    for engine in (swarm({"GET /configs": answer}) for answer in (recorded, configs)):
        made = started(engine, spawned(engine, user, home={"driver": driver}))
        sources.append(made["TaskTemplate"]["ContainerSpec"]["Mounts"][0]["Source"])
    assert sources == [former, mounts.short(f"jupyterhub-home-{of_docker(user)}")]
