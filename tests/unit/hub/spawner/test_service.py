"""A server's service, asked of an engine in memory; whether a server answers is asked of a real one."""

import asyncio
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from hub.spawner import service
from hub.spawner.service import Answer, Service
from tests.unit.hub.asked import Docker, refused, task

VIP = {"NetworkID": "u1k9xd2mzbq1", "Addr": "10.0.1.7/24"}
OTHER_VIP = {"NetworkID": "b5yq0c3nnt2v", "Addr": "10.0.7.7/24"}
OTHER = {"Network": {"ID": "b5yq0c3nnt2v", "Spec": {"Name": "a-storage"}}, "Addresses": ["10.0.7.9/24"]}
ATTACHMENT = {"Network": {"ID": "u1k9xd2mzbq1", "Spec": {"Name": "jupyter"}}, "Addresses": ["10.0.1.9/24"]}


@pytest.mark.parametrize(
    ("endpoint", "attached", "address"),
    [
        ({"Spec": {"Mode": "vip"}, "VirtualIPs": [VIP]}, [ATTACHMENT], "10.0.1.7"),
        ({"Spec": {"Mode": "dnsrr"}}, [ATTACHMENT], "10.0.1.9"),
        ({"Spec": {"Mode": "dnsrr"}, "VirtualIPs": None}, [ATTACHMENT], "10.0.1.9"),
        ({"Spec": {"Mode": "dnsrr"}}, [], None),
        ({"Spec": {"Mode": "dnsrr"}}, [OTHER, ATTACHMENT], "10.0.1.9"),
        ({"Spec": {"Mode": "dnsrr"}}, [ATTACHMENT, OTHER], "10.0.1.9"),
        ({"Spec": {"Mode": "vip"}, "VirtualIPs": [OTHER_VIP, VIP]}, [OTHER, ATTACHMENT], "10.0.1.7"),
        ({"Spec": {"Mode": "dnsrr"}}, [OTHER], None),
    ],
    ids=[
        *("vip", "dnsrr", "dnsrr with a null", "none yet"),
        *("another network first", "another network last", "another's vip first", "another network only"),
    ],
)
def test_a_server_is_reached_by_its_address(endpoint: dict[str, Any], attached: list[Any], address: str | None) -> None:
    """The hub asks the service's own address, or its task's where the service has none; a name would be kept too long."""
    asked = Service(Docker({"inspect_service": {"Endpoint": endpoint}}), "s1")
    assert asyncio.run(asked.address([task("running", NetworksAttachments=attached)], "jupyter")) == address


def test_a_service_that_is_gone_has_no_tasks() -> None:
    """The engine answers 404; any other error is one."""
    assert asyncio.run(Service(Docker({"tasks": refused(404)}), "s1").tasks()) == []
    with pytest.raises(Exception, match="broken"):
        asyncio.run(Service(Docker({"tasks": refused(500, "broken")}), "s1").tasks())


def test_last_lines_are_lines_that_say_something() -> None:
    """Frames may end anywhere in a line."""
    docker = Docker({"service_logs": [b"one\n\ntw", b"o\n", b"  \nthr\xffee\n"]})
    assert asyncio.run(Service(docker, "s1").last_lines()) == ["one", "two", "thr�ee"]


def test_an_engine_that_does_not_tell_the_last_lines_hides_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swarm may never end the answer; why a server ended is known without."""
    monkeypatch.setattr(service, "LOG_SECONDS", 0.01)

    async def silent(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    assert asyncio.run(Service(silent, "s1").last_lines()) == []
    assert asyncio.run(Service(Docker({"service_logs": refused(500)}), "s1").last_lines()) == []


@pytest.mark.parametrize(("room", "left"), [("10.99.0.0/24", True), ("10.99.0.0/29", False)])
def test_a_network_is_asked_for_room(room: str, left: bool) -> None:
    """By its subnet, its tasks, its services and the nodes."""
    attached: dict[str, Any] = {"NetworksAttachments": [{"Network": {"ID": "net"}}]}
    answers = {
        "inspect_network": {"Id": "net", "IPAM": {"Config": [{"Subnet": room}]}},
        "tasks": [task("running", **attached), task("running", **attached)],
        "services": [],
        "nodes": [{}, {}, {}],
    }
    assert asyncio.run(service.has_addresses(Docker(answers), "jupyter")) is left


@pytest.mark.parametrize(("status", "answers"), [(200, True), (404, True), (302, True), (503, False)])
def test_any_answer_but_a_failure_is_one(status: int, answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As JupyterHub takes it: what redirects to a login page runs."""
    monkeypatch.setattr(service, "ANSWERS_A_LOOK", 2)

    class Handler(RequestHandler):
        def get(self) -> None:
            self.set_status(status)

    async def asked() -> bool:
        socket, port = bind_unused_port()
        server = HTTPServer(Application([("/user/ada/api", Handler)]))
        server.add_socket(socket)
        try:
            return await service.answers(("127.0.0.1", port), "/user/ada/api")
        finally:
            server.stop()

    assert asyncio.run(asked()) is answers


@pytest.mark.parametrize(
    ("answer", "is_foreign"),
    [(Answer(200, True), False), (Answer(403, True), False), (Answer(200, False), False), (Answer(302, False), True)],
    ids=["a single-user server", "one that refuses", "an application of one's own", "another web server"],
)
def test_what_does_not_know_the_users_path_is_no_single_user_server(answer: Answer, is_foreign: bool) -> None:
    """What says that it is one of a JupyterHub is one, and so is what serves that path."""
    assert answer.is_foreign is is_foreign


def test_nobody_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is asked again, and then left."""
    monkeypatch.setattr(service, "ANSWERS_A_LOOK", 2)
    socket, port = bind_unused_port()
    socket.close()
    assert asyncio.run(service.answers(("127.0.0.1", port), "/api")) is False
