"""A server's start, its end and what people hear of both, on an engine in memory."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.spawner import SpawnException
from traitlets.config import Config

from hub.config.servers import configure
from hub.shared.people import listed
from hub.spawner import spawner as module
from hub.spawner import starts
from hub.spawner.service import Answer
from hub.spawner.spawner import SwarmSpawner
from hub.spawner.starts import Nodes, Tasks
from tests.unit.hub.asked import IMAGE, Docker, Turns, refused, tables, task

ENVIRON = {"DOCKER_NETWORK_NAME": "jupyter", "DOCKER_SERVICE_NAME": "jupyterhub", "DOCKER_ENDPOINT_MODE": "dnsrr"}
HOME = "jupyterhub-home-ada"
NODES = [{"ID": f"n{number}", "Description": {"Hostname": f"worker{number}"}} for number in (1, 2)]
RUNNING = task(
    "running", NetworksAttachments=[{"Network": {"ID": "net", "Spec": {"Name": "jupyter"}}, "Addresses": ["10.0.1.9/24"]}]
)
NO_IMAGE, NO_NODE = task("rejected", "No such image: x"), task("pending", "no suitable node (1 node not available)")


def labelled(labels: dict[str, str] | None) -> dict[str, Any]:
    """Return a service that somebody has made."""
    return {"ID": "theirs", "Endpoint": {}, "Spec": {"Labels": labels}}


def engine(*states: Any, **more: Any) -> Docker:
    """Return an engine on which a server goes through these tasks."""
    answers: dict[str, Any] = {
        "inspect_service": Turns([refused(404), {"ID": "s1", "Endpoint": {}}]),
        "configs": [],
        "nodes": NODES,
        "create_service": {"ID": "s1"},
        "create_config": {"ID": "c1"},
        "remove_config": None,
        "remove_service": None,
        "tasks": Turns([[one] for one in states] or [[RUNNING]]),
        "service_logs": [b"starting\n", b"ImportError: no module named x\n"],
    }
    return Docker(answers | more)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait, and every server answer."""

    async def yes(where: tuple[str, int], path: str) -> bool:
        return (where, path) == (("10.0.1.9", 8888), "/user/ada/api")

    async def found(where: tuple[str, int], path: str) -> Answer | None:
        return Answer(200, is_of_hub=True) if await yes(where, path) else None

    monkeypatch.setattr(module, "TOLD_SECONDS", 0.0)
    monkeypatch.setattr(starts, "TASK_SECONDS", 0.0)
    monkeypatch.setattr(module, "answers", yes)
    monkeypatch.setattr(starts, "answer", found)


def made(docker: Docker, monkeypatch: pytest.MonkeyPatch, asker: Any = None, wish: str = "", **given: Any) -> SwarmSpawner:
    """Return ada's spawner, by these tables of hosts.toml, on this engine; whoever asks may wish for a node."""
    c = Config()
    configure(c, tables(**given), ENVIRON)
    user = SimpleNamespace(name="ada", url="/user/ada/", groups=[SimpleNamespace(name="staff")], escaped_name="ada")
    spawner = SwarmSpawner(config=c, user=user)
    body = {"user_options": {"node": wish} if wish else None}
    spawner.handler = SimpleNamespace(current_user=asker, get_server_json_body=lambda: body)
    monkeypatch.setattr(SwarmSpawner, "docker", docker)
    monkeypatch.setattr(SwarmSpawner, "nodes", Nodes())
    monkeypatch.setattr(SwarmSpawner, "_tasks", Tasks())
    monkeypatch.setattr(SwarmSpawner, "server", SimpleNamespace(base_url="/user/ada/", ip="10.0.1.9", port=8888))
    monkeypatch.setattr(SwarmSpawner, "get_env", lambda _: {"JUPYTERHUB_USER": "ada"})
    return spawner


def sent(docker: Docker) -> dict[str, Any]:
    """Return what the engine was asked to make."""
    return next(kwargs for method, _, kwargs in docker.calls if method == "create_service")


def placed(docker: Docker) -> list[str]:
    """Return the constraints of the server that was made."""
    found: list[str] = sent(docker)["task_template"]["Placement"]["Constraints"]
    return found


def test_a_server_is_started_and_its_address_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service with the labels by which swarmhub finds it, on its network, with its home."""
    docker = engine(task("new"), task("preparing"), RUNNING)
    assert asyncio.run(made(docker, monkeypatch, notebook={"labels": {"team": "ml"}}).start()) == ("10.0.1.9", 8888)
    request = sent(docker)
    template = request["task_template"]
    assert (request["name"], request["endpoint_spec"]) == ("jupyterhub-ada", {"Mode": "dnsrr"})
    assert request["labels"] == {
        "swarmhub.notebooks": "jupyterhub",
        "swarmhub.user": "ada",
        "swarmhub.profile": "",
        "swarmhub.server": "",
        "team": "ml",
    }
    assert (template["ContainerSpec"]["Image"], template["Networks"]) == (IMAGE, [{"Target": "jupyter"}])
    assert [one["Source"] for one in template["ContainerSpec"]["Mounts"]] == [HOME]
    # The hub's own node need not hold the image: its command is not asked for.
    assert "inspect_image" not in docker.methods


def test_what_happens_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message when it is news, with the bar's place."""

    async def heard() -> list[str]:
        spawner = made(engine(task("new"), task("pending"), task("assigned"), task("assigned"), RUNNING), monkeypatch)
        await spawner.start()
        messages = []
        progress: AsyncIterator[dict[str, Any]] = spawner.progress()
        async for event in progress:
            messages.append(event["message"])
            if event["progress"] == 70:
                break
        return messages

    assert asyncio.run(heard()) == [
        "Looking for a node",
        "Placed on worker1",
        "Started on worker1; waiting for it to answer",
    ]


def test_what_the_last_start_told_is_forgotten_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens the page early reads nothing of it, and misses nothing of the new one."""
    spawner = made(engine(), monkeypatch)
    asyncio.run(spawner.start())
    spawner.clear_state()
    first = asyncio.wait_for(anext(spawner.progress()), 0.05)
    with pytest.raises(TimeoutError):
        asyncio.run(first)


def failed(docker: Docker, monkeypatch: pytest.MonkeyPatch, **given: Any) -> SpawnException:
    """Return what a start raises."""
    with pytest.raises(SpawnException) as told:
        asyncio.run(made(docker, monkeypatch, **given).start())
    return told.value


def test_a_failure_ends_the_start_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person reads plain words, the log has the engine's, and no service stays."""
    docker = engine(task("preparing"), task("rejected", "No such image: x"))
    error = failed(docker, monkeypatch)
    assert error.jupyterhub_message.startswith("worker1 does not have the image of your server")
    assert ("No such image: x" in error.log_message, docker.methods[-1]) == (True, "remove_service")


def test_the_last_words_of_a_server_that_ended_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line to the person, all of them to the administrator."""
    error = failed(engine(task("failed", "task: non-zero exit (3)", code=3)), monkeypatch)
    assert error.jupyterhub_message.endswith("(exit code 3). It said: ImportError: no module named x")
    assert "starting\n    ImportError" in error.log_message


def test_a_server_that_is_placed_nowhere_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swarm only says that resources do not suffice."""
    pending = task("pending", "no suitable node (insufficient resources on 3 nodes)")
    error = failed(engine(pending), monkeypatch, notebook={"memory_guarantee": "8G"})
    assert "No node has 8 GB of memory free" in error.jupyterhub_message


def test_a_network_without_addresses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swarm leaves the task "new" without a word."""
    monkeypatch.setattr(starts, "ADDRESS_SECONDS", -1.0)
    full = {"Id": "net", "IPAM": {"Config": [{"Subnet": "10.99.0.0/30"}]}}
    docker = engine(task("new"), inspect_network=full, services=[])
    assert "no network address left" in failed(docker, monkeypatch).jupyterhub_message


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time of the settings, with what was heard last."""
    seconds = count(0, 30)
    monkeypatch.setattr(starts, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 0))
    error = failed(engine(task("starting")), monkeypatch, notebook={"start_timeout": "1s"})
    assert "did not answer within 1 seconds. The last that was heard: Starting on worker1" in error.jupyterhub_message


@pytest.mark.parametrize("code", [302, 404])
def test_what_is_no_single_user_server_is_told_so(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some other web server, such as a plain JupyterLab, answers elsewhere than below the user's address for some seconds."""

    async def strange(*_: Any) -> Answer:
        return Answer(code, is_of_hub=False)

    monkeypatch.setattr(starts, "answer", strange)
    monkeypatch.setattr(starts, "STRANGE_SECONDS", -1.0)
    error = failed(engine(), monkeypatch)
    assert error.jupyterhub_message.startswith("Your server runs, but it is no single-user server of JupyterHub.")
    assert f"it answers {code} to /user/ada/api: does the image run jupyterhub-singleuser?" in error.log_message


def test_a_server_that_becomes_one_in_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something in front of it may answer first."""
    turns = [Answer(404, is_of_hub=False), Answer(404, is_of_hub=True)]

    async def late(*_: Any) -> Answer:
        return turns.pop(0)

    monkeypatch.setattr(starts, "answer", late)
    assert asyncio.run(made(engine(), monkeypatch).start()) == ("10.0.1.9", 8888)


def test_a_command_of_the_settings_runs_in_place_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile's wins over [notebook]'s, and arguments of JupyterHub's own options come behind it."""
    profiles = [{"name": "Own", "command": ["start.sh", "jupyterhub-singleuser"]}]
    docker = engine()
    spawner = made(docker, monkeypatch, notebook={"command": ["other"]}, profiles=profiles)
    spawner.args = ["--debug"]
    asyncio.run(spawner.start())
    container = sent(docker)["task_template"]["ContainerSpec"]
    assert container["Args"] == ["start.sh", "jupyterhub-singleuser", "--debug"]


IN_HOME = {
    "a package": (
        b'  File "/home/jovyan/.local/lib/python3.13/site-packages/traitlets/config.py", line 3',
        "~/.local/lib/python3.13/",
    ),
    "settings": (b'  File "/home/jovyan/.jupyter/jupyter_server_config.py", line 1', "~/.jupyter/jupyter_server_config.py."),
}


@pytest.mark.parametrize(("line", "where"), IN_HOME.values(), ids=IN_HOME)
def test_what_broke_in_the_home_is_told(line: bytes, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the server's last words; the page offers a start without it, by the same profile."""
    docker = engine(task("failed", code=1), service_logs=[line + b"\n", b"    import x\n", b"ImportError: no x\n"])
    with pytest.raises(SpawnException) as failure:
        asyncio.run(chosen(docker, monkeypatch, "small").start())
    assert f"What broke is in your home: {where}" in failure.value.jupyterhub_message
    assert failure.value.jupyterhub_message.endswith("It said: ImportError: no x")
    assert failure.value.bare == "opt-bare=1&opt-profile=small"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"swarmhub: Your home is mounted read-only on this node.\n", "Your home is mounted read-only on this node."),
        (b"OSError: [Errno 28] No space left on device\n", "Your home is full, or the disk of its node."),
        (b"OSError: [Errno 122] Disk quota exceeded\n", "Your home is full, or the disk of its node."),
    ],
)
def test_what_a_server_says_of_its_home_is_told(line: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own words where it has some for people."""
    error = failed(engine(task("failed", code=1), service_logs=[line]), monkeypatch)
    assert words in error.jupyterhub_message


def test_a_server_that_finds_no_room_starts_without_what_is_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter's folders are then in the container: its user gets in, and can delete."""
    full = b"OSError: [Errno 28] No space left on device\n"
    docker = engine(task("failed", code=1), RUNNING, service_logs=[full])
    spawner = made(docker, monkeypatch)
    asyncio.run(spawner.start())
    first, second = (call for call in docker.calls if call[0] == "create_service")
    assert ["JUPYTER_CONFIG_DIR=/tmp/jupyter" in made_of(one) for one in (first, second)] == [False, True]


def made_of(call: Any) -> list[str]:
    """Return the variables of a server that was made."""
    found: list[str] = call[2]["task_template"]["ContainerSpec"]["Env"]
    return found


def chosen(docker: Docker, monkeypatch: pytest.MonkeyPatch, profile: str, **options: str) -> SwarmSpawner:
    """Return ada's spawner, with the choices that she made."""
    spawner = made(docker, monkeypatch, profiles=[{"name": "Small"}])
    spawner.user_options = {"profile": profile, **options}
    spawner.orm_spawner = orm.Spawner(name="", user_options=spawner.user_options)
    return spawner


def test_a_start_without_what_is_in_the_home_is_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the settings say of its variables; the options that JupyterHub keeps for the next start are without it."""
    docker = engine()
    spawner = chosen(docker, monkeypatch, "small", bare="1")
    asyncio.run(spawner.start())
    container = sent(docker)["task_template"]["ContainerSpec"]
    assert {"PYTHONNOUSERSITE=1", "JUPYTERHUB_DISABLE_USER_CONFIG=1"} <= {*container["Env"]}
    assert spawner.orm_spawner.user_options == {"profile": "small"}


LISTED = {"users": {"ada": [20001, 20100, [20300]]}, "claims": {}, "range": [1000, 59999]}
CLAIMED = {"users": {}, "claims": {"uid": "uidNumber"}, "range": [1000, 59999]}
REFUSED = "swarmhub's filter refuses POST /services/create: 'TaskTemplate.ContainerSpec.User' is not allowed"


def owned(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, owners: dict[str, Any], state: dict[str, Any] | None = None
) -> SwarmSpawner:
    """Return ada's spawner where people have their own UID; `state` is what the provider has said of her."""

    async def said() -> dict[str, Any] | None:
        return state

    spawner = made(docker, monkeypatch)
    spawner.tables = {**spawner.tables, "owners": owners}
    spawner.user.get_auth_state = said
    spawner.authenticator = SimpleNamespace(user_auth_state_key="oauth_user")
    return spawner


def test_a_server_runs_as_its_users_own_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the groups, and with what /etc/passwd would tell programs of a user that it has."""
    docker = engine()
    asyncio.run(owned(docker, monkeypatch, LISTED).start())
    container = sent(docker)["task_template"]["ContainerSpec"]
    assert (container["User"], container["Groups"]) == ("20001:20100", ["20300"])
    assert {"HOME=/home/jovyan", "USER=ada", "LOGNAME=ada"} <= {*container["Env"]}


@pytest.mark.parametrize("state", [{"oauth_user": {"uidNumber": "20001"}}, {"uidNumber": 20001}])
def test_a_server_runs_as_the_number_that_the_provider_says(monkeypatch: pytest.MonkeyPatch, state: dict[str, Any]) -> None:
    """Of the account, or around it."""
    docker = engine()
    asyncio.run(owned(docker, monkeypatch, CLAIMED, state).start())
    assert sent(docker)["task_template"]["ContainerSpec"]["User"] == "20001:100"


@pytest.mark.parametrize(
    ("owners", "state", "why"),
    [
        ({**LISTED, "users": {}}, None, "no line for ada"),
        (CLAIMED, None, "log in once more"),
        (CLAIMED, {"oauth_user": {"uidNumber": 0}}, "says '0'"),
    ],
)
def test_who_has_no_number_has_no_server(
    monkeypatch: pytest.MonkeyPatch, owners: dict[str, Any], state: dict[str, Any] | None, why: str
) -> None:
    """Another one may be somebody else's; the hub's log says what is missing."""
    docker = engine()
    with pytest.raises(SpawnException) as error:
        asyncio.run(owned(docker, monkeypatch, owners, state).start())
    assert error.value.jupyterhub_message.startswith("Your account has no number (UID) that this hub may use")
    assert why in error.value.log_message
    assert "create_service" not in docker.methods


@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [("create_service", 403, REFUSED), ("create_service", 400, "Duplicate mount point: /x"), ("create_config", 403, REFUSED)],
)
def test_a_refusal_is_told_as_that(monkeypatch: pytest.MonkeyPatch, asked: str, status: int, why: str) -> None:
    """At once, and not as a cluster that does not answer; the hub's log has the reason."""
    error = failed(engine(**{asked: refused(status, why)}), monkeypatch)
    assert error.jupyterhub_message.startswith("The cluster refuses to start your server.")
    assert error.log_message.endswith(f"(refused): {why}")


def test_an_engine_that_fails_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as a traceback."""
    error = failed(engine(create_service=refused(503, "no quorum")), monkeypatch)
    assert error.jupyterhub_message.startswith("The cluster does not answer as it should")
    assert "503" in error.log_message


def test_a_first_home_is_remembered_when_its_node_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a container can write into it."""
    docker = engine(task("new"), task("assigned"), RUNNING)
    asyncio.run(made(docker, monkeypatch).start())
    record = next(call for call in docker.calls if call[0] == "create_config")
    assert (record[1][0], record[2]["labels"]["swarmhub.node"]) == (HOME, "n1")
    assert docker.methods.count("create_config") == 1


@pytest.mark.parametrize(
    ("end", "is_forgotten"),
    [(task("rejected", "No such image: x"), True), (task("failed", "task: non-zero exit (1)", code=1), False)],
    ids=["never ran", "ran"],
)
def test_a_home_in_which_nothing_was_written_is_forgotten(
    end: dict[str, Any], is_forgotten: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that refuses the first start does not keep the user."""
    docker = engine(task("assigned"), end)
    failed(docker, monkeypatch)
    assert ("remove_config" in docker.methods) is is_forgotten


def test_a_home_that_another_server_of_the_user_has_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both were started at once, and that one runs: without the record, its files would not be found again."""
    docker = engine(task("assigned"), task("rejected", "No such image: x"), create_config=refused(409))
    failed(docker, monkeypatch)
    assert "remove_config" not in docker.methods


def known_home(**node: Any) -> dict[str, Any]:
    """Return the answers of an engine where ada's home is on node n1."""
    found = {"Description": {"Hostname": "worker1"}, "Status": {"State": "ready"}, "Spec": {"Availability": "active"}}
    record = {"Spec": {"Name": HOME, "Labels": {"swarmhub.node": "n1"}}}
    return {"configs": [record], "inspect_node": found | node}


def test_a_user_returns_to_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server goes where the files are, and nothing new is remembered."""
    docker = engine(**known_home())
    asyncio.run(made(docker, monkeypatch).start())
    assert (placed(docker)[-1], "create_config" in docker.methods) == ("node.id==n1", False)


def test_a_home_that_is_away_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No service is made: an empty home would look like a loss."""
    docker = engine(**known_home(Status={"State": "down"}))
    error = failed(docker, monkeypatch)
    assert "Your files are on worker1, which does not answer at the moment" in error.jupyterhub_message
    assert "create_service" not in docker.methods


def test_what_an_earlier_start_has_left_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that was killed in mid-start has left its service."""
    left = {"ID": "old", "Endpoint": {}, "Spec": {"Labels": {"swarmhub.notebooks": "jupyterhub", "swarmhub.user": "ada"}}}
    docker = engine(inspect_service=left)
    asyncio.run(made(docker, monkeypatch).start())
    assert docker.methods.index("remove_service") < docker.methods.index("create_service")


@pytest.mark.parametrize(
    "there",
    [
        labelled({"swarmhub.service": "jupyterhub"}),
        labelled({"swarmhub.notebooks": "jupyterhub", "swarmhub.user": "grace"}),
        labelled({"swarmhub.notebooks": "jupyterhub", "swarmhub.user": "ada", "swarmhub.server": "gpu"}),
        labelled({"swarmhub.notebooks": "another-hub", "swarmhub.user": "ada"}),
        labelled(None),
        refused(403),
    ],
    ids=[
        "one of the hub's",
        "another user's server",
        "another one of the user's",
        "another hub's server",
        "a stranger's",
        "what the filter hides",
    ],
)
def test_what_is_no_server_of_the_user_is_left_alone(monkeypatch: pytest.MonkeyPatch, there: Any) -> None:
    """Neither the start removes it nor whoever stops the server that did not start."""
    docker = engine(inspect_service=there)
    spawner = made(docker, monkeypatch)
    with pytest.raises(SpawnException) as told:
        asyncio.run(spawner.start())
    assert told.value.jupyterhub_message.startswith("Your server cannot have its name")
    assert (docker.methods, spawner.object_id) == (["configs", "inspect_service"], "")


@pytest.mark.parametrize(
    ("asker", "is_granted"),
    [
        (orm.Service(name="swarmhub"), True),
        (orm.Service(name="report"), False),
        (SimpleNamespace(admin=True), False),
        (None, False),
    ],
    ids=["the smoke test", "another service", "an admin", "nobody"],
)
def test_only_the_smoke_test_acts_as_a_member(asker: object, is_granted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own options name no group: a profile that is for others is refused."""
    profiles = [{"name": "All"}, {"name": "GPU", "groups": ["/gpu users"]}]
    docker = engine()
    spawner = made(docker, monkeypatch, asker, profiles=profiles)
    spawner.user_options = {"profile": "gpu", "groups": ["/gpu users"]}
    if is_granted:
        asyncio.run(spawner.start())
    else:
        with pytest.raises(SpawnException, match="GPU is for members of /gpu users"):
            asyncio.run(spawner.start())


@pytest.mark.parametrize(
    ("asker", "wish", "is_granted"),
    [
        (orm.Service(name="swarmhub"), "n7", True),
        (SimpleNamespace(admin=True), "n7", True),
        (SimpleNamespace(admin=False), "n7", False),
        (None, "n7", False),
        (SimpleNamespace(admin=True), "n7 || true", False),
    ],
    ids=["service", "admin", "user", "nobody", "not an id"],
)
def test_a_node_is_a_wish_of_administrators(
    asker: object, wish: str, is_granted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user sends is ignored."""
    docker = engine()
    asyncio.run(made(docker, monkeypatch, asker, wish).start())
    assert (f"node.id=={wish}" in placed(docker)) is is_granted


@pytest.mark.parametrize("has_body", [True, False], ids=["the API", "a page"])
def test_a_stored_wish_for_a_node_is_nobodys(has_body: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may have stored it before an administrator starts the server again."""
    docker = engine()
    spawner = made(docker, monkeypatch, SimpleNamespace(admin=True))
    spawner.user_options = {"node": "n7"}
    if not has_body:
        spawner.handler = SimpleNamespace(current_user=SimpleNamespace(admin=True))
    asyncio.run(spawner.start())
    assert "node.id==n7" not in placed(docker)


def test_a_profile_decides_sizes_and_the_server_hears_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The label names it; JupyterHub's variables hold them."""
    docker = engine()
    spawner = made(docker, monkeypatch, profiles=[{"name": "Small"}, {"name": "Big", "memory_limit": "2G", "cpu_limit": 2}])
    spawner.user_options = {"profile": "big"}
    asyncio.run(spawner.start())
    assert sent(docker)["labels"]["swarmhub.profile"] == "Big"
    environment = sent(docker)["task_template"]["ContainerSpec"]["Env"]
    assert {f"MEM_LIMIT={2**31}", "CPU_LIMIT=2.0"} <= set(environment)


@pytest.mark.parametrize(("table", "limit"), [({}, 2**30), ({"memory_limit": "2G"}, 2**31)], ids=["silent", "says"])
def test_hosts_toml_wins_over_jupyterhubs_own_options(
    table: dict[str, Any], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is silent, what [jupyterhub.Spawner], group overrides or a hook say holds."""
    docker = engine()
    spawner = made(docker, monkeypatch, notebook=table)
    spawner.mem_limit = "1G"
    asyncio.run(spawner.start())
    assert sent(docker)["task_template"]["Resources"]["Limits"]["MemoryBytes"] == limit


def polled(docker: Docker, monkeypatch: pytest.MonkeyPatch, object_id: str = "s1") -> int | None:
    """Return what JupyterHub hears of a server."""
    spawner = made(docker, monkeypatch)
    spawner.object_id = object_id
    code: int | None = asyncio.run(spawner.poll())
    return code


def test_a_server_that_runs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is JupyterHub's word for it."""
    docker = engine()
    assert (polled(docker, monkeypatch), docker.methods) == (None, ["tasks"])


def of_ada(**labels: str) -> dict[str, Any]:
    """Return the service of ada's server as an engine answers it."""
    own = {"swarmhub.notebooks": "jupyterhub", "swarmhub.user": "ada", "swarmhub.profile": "Small", "swarmhub.server": ""}
    return {"ID": "s1", "Endpoint": {}, "Spec": {"Labels": own | labels}}


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (of_ada(), 0),
        (of_ada(**{"swarmhub.user": "grace"}), 0),
        (of_ada(**{"swarmhub.notebooks": "another-hub"}), 0),
        (of_ada(**{"swarmhub.server": "second"}), 0),
        (refused(404), 0),
        (refused(403, "it is not of the service jupyterhub"), 0),
        (refused(500, "no quorum"), None),
        (TimeoutError("silent"), None),
    ],
    ids=["hers", "grace's", "another hub's", "her other one", "none", "nobody's", "no quorum", "silence"],
)
def test_a_server_whose_id_is_not_known_is_sought_by_its_name_and_removed(
    found: Any, code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that was replaced during a start has no id: the server would run on, uncounted, and nobody could stop it."""
    docker = engine(inspect_service=found)
    spawner = made(docker, monkeypatch)
    assert asyncio.run(spawner.poll()) == code
    assert ("remove_service" in docker.methods, spawner.object_id) == (found == of_ada(), "")


def test_a_moment_without_an_engine_ends_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager restarts, or a leader is elected: for a while it is asked again; after that the start fails."""
    silent = refused(503, "no leader")
    docker = engine(tasks=Turns([silent, OSError("refused"), [RUNNING]]), nodes=Turns([silent, NODES]))
    assert asyncio.run(made(docker, monkeypatch).start()) == ("10.0.1.9", 8888)
    monkeypatch.setattr(starts, "ENGINE_SECONDS", -1)
    assert "503" in failed(engine(tasks=silent), monkeypatch).log_message


@pytest.mark.parametrize("error", [refused(500, "no quorum"), OSError("refused"), TimeoutError("silent")], ids=str)
def test_an_engine_that_does_not_say_is_no_stopped_server(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterHub takes an exception for "stopped", and would forget the server."""
    assert polled(engine(tasks=error), monkeypatch) is None


def kept_of(spawner: SwarmSpawner, url: str) -> dict[str, Any]:
    """Return what the hub keeps of a server that was started where browsers find it at a URL."""
    spawner.user.url = url
    asyncio.run(spawner.start())
    state: dict[str, Any] = spawner.get_state()
    return state


HERE, THERE = "/user/ada/", "https://ada.hub.example.org/user/ada/"


@pytest.mark.parametrize(
    ("before", "now", "runs"),
    [
        (HERE, HERE, True),
        (THERE, THERE, True),
        (HERE, THERE, False),
        (THERE, HERE, False),
        (THERE, THERE.replace(".org", ".org:8443"), False),
    ],
)
def test_a_server_that_was_started_for_another_domain_is_stopped(
    before: str, now: str, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the hub that comes after it: the server would send people to log in where nobody can."""
    state = kept_of(made(engine(), monkeypatch), before)
    docker = engine()
    after = made(docker, monkeypatch)
    after.user.url = now
    after.load_state(state)
    assert asyncio.run(after.poll()) == (None if runs else 0)
    assert ("remove_service" in docker.methods) is not runs
    # A release from before domains has kept nothing of where a server is: that was the hub's own domain.
    earlier = made(engine(), monkeypatch)
    earlier.load_state({"object_id": "s1", "object_name": "jupyterhub-ada"})
    assert asyncio.run(earlier.poll()) is None


def test_a_server_that_has_ended_leaves_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterHub stops only what runs; its last lines go into the log before."""
    docker = engine(task("failed", "task: non-zero exit (137)", code=137))
    assert polled(docker, monkeypatch) == 137
    assert docker.methods == ["tasks", "service_logs", "remove_service"]


def test_a_long_name_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swarm takes 63 letters; dockerspawner writes "-2d" for a hyphen."""
    c = Config()
    configure(c, tables(), ENVIRON)
    name = "a-" * 19 + "b"
    spawner = SwarmSpawner(config=c, user=SimpleNamespace(name=name, url="/user/x/"))
    assert len(spawner.object_name) == 63


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("proxy", "jupyterhub-proxy-user"),
        ("engine", "jupyterhub-engine-user"),
        ("renewal", "jupyterhub-renewal-user"),
        ("ada", "jupyterhub-ada"),
        ("proxies", "jupyterhub-proxies"),
        ("proxy-user", "jupyterhub-proxy-2duser"),
    ],
)
def test_no_server_is_called_like_a_service_beside_the_hub(user: str, name: str) -> None:
    """Everybody else's keeps the name that it always had."""
    c = Config()
    configure(c, tables(), ENVIRON)
    assert SwarmSpawner(config=c, user=SimpleNamespace(name=user, url="/user/x/")).object_name == name


def test_a_name_of_an_older_hub_is_given_up_at_the_next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ran as jupyterhub-proxy, and has ended while the hub was away."""
    docker = engine()
    spawner = made(docker, monkeypatch)
    spawner.load_state({"object_id": "s1", "object_name": "jupyterhub-proxy"})
    asyncio.run(spawner.start())
    assert sent(docker)["name"] == "jupyterhub-ada"


def creations(docker: Docker) -> list[list[str]]:
    """Return the nodes to which each server that was made may not go, in order."""
    made = (kwargs for method, _, kwargs in docker.calls if method == "create_service")
    return [[one for one in kwargs["task_template"]["Placement"]["Constraints"] if "!=" in one] for kwargs in made]


def told(spawner: SwarmSpawner) -> list[str]:
    """Return what the person who waits has read."""
    return [news.message for news in spawner._news]


def test_a_start_that_a_node_refuses_is_tried_once_more_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user reads so; the next server of that image is not sent there, and one of another image is."""
    docker = engine(NO_IMAGE, RUNNING)
    spawner = made(docker, monkeypatch)
    assert asyncio.run(spawner.start()) == ("10.0.1.9", 8888)
    assert creations(docker) == [[], ["node.id!=n1"]]
    assert told(spawner)[0].endswith("Trying another node")
    assert (spawner.nodes.avoided(spawner.image), spawner.nodes.avoided("other")) == (["n1"], [])
    assert docker.methods.index("remove_service") < len(docker.methods) - docker.methods[::-1].index("create_service")


def test_a_second_refusal_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """No start goes round the cluster; its service is gone."""
    docker = engine(NO_IMAGE, {**NO_IMAGE, "NodeID": "n2"})
    error = failed(docker, monkeypatch)
    assert (len(creations(docker)), docker.methods[-1]) == (2, "remove_service")
    assert error.jupyterhub_message.startswith("worker2 does not have the image of your server")


def test_a_refusal_is_told_where_there_is_no_other_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than that no node is suitable, which is only so because one is avoided."""
    error = failed(engine(NO_IMAGE, NO_NODE), monkeypatch)
    assert error.jupyterhub_message.startswith("worker1 does not have the image of your server")


def test_where_all_nodes_are_avoided_none_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that may start is worth a try; the last refusal may be over."""
    docker = engine(NO_NODE, RUNNING)
    spawner = made(docker, monkeypatch)
    spawner.nodes.avoid("n1", IMAGE, "worker1", "no space left on device")
    assert asyncio.run(spawner.start()) == ("10.0.1.9", 8888)
    assert creations(docker) == [["node.id!=n1"], []]


@pytest.mark.parametrize(
    ("answers", "end"),
    [({}, task("failed", "task: non-zero exit (1)", code=1)), (None, NO_IMAGE)],
    ids=["ran", "its home is there"],
)
def test_what_another_node_cannot_mend_is_not_tried_there(
    answers: dict[str, Any] | None, end: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ends by itself, and one whose files are on the node that refuses it."""
    docker = engine(end, **(known_home() if answers is None else answers))
    failed(docker, monkeypatch)
    assert len(creations(docker)) == 1


def checked(docker: Docker, answers: list[bool], monkeypatch: pytest.MonkeyPatch) -> tuple[int | None, int]:
    """Return what a hub that starts hears of a server that answers in turn so, and how often it was asked."""
    asked = []

    async def answer(*_: Any) -> bool:
        asked.append(True)
        return answers[min(len(asked), len(answers)) - 1]

    spawner = made(docker, monkeypatch)
    monkeypatch.setattr(module, "answers", answer)
    spawner.object_id, spawner._check_pending = "s1", True
    return asyncio.run(spawner.poll()), len(asked)


def test_a_hub_that_starts_waits_for_a_server_that_runs_and_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterHub would stop it after a minute, though it may only be that the network to its node is down."""
    assert checked(engine(), [False, False, True], monkeypatch) == (None, 3)


def test_a_server_that_ends_while_the_hub_waits_for_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the engine, which alone can say so."""
    docker = engine(RUNNING, task("failed", "task: non-zero exit (3)", code=3))
    assert checked(docker, [False], monkeypatch) == (3, 1)


@pytest.mark.parametrize(("name", "provider"), [("ada", "github"), ("ada@example.org", "google"), ("ada lovelace", "google")])
def test_who_is_removed_gets_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, provider: str) -> None:
    """The hub knows them still and their token is good until they are deleted; nothing is made, whoever names them."""
    (tmp_path / listed.CURRENT).write_text("grace admin\n")
    (tmp_path / listed.LET_IN).write_text(f'"{name}"\ngrace admin\n')
    monkeypatch.setattr(module, "LISTS", tmp_path)
    docker = engine()
    spawner = made(docker, monkeypatch, access={"provider": provider})
    spawner.user.name = name
    with pytest.raises(SpawnException) as error:
        asyncio.run(spawner.start())
    assert error.value.jupyterhub_message.startswith("You may no longer use this hub.")
    assert "create_service" not in [method for method, _, _ in docker.calls]
