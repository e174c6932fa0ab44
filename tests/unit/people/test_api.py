"""What the operator's tools ask of the hub's API, and what its answers mean."""

import json
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.errors import StepError
from swarmhub.host import Output
from swarmhub.people import api as hub_api
from swarmhub.people.api import ApiError, HubApi
from tests.unit.support.authority import Asked, Authority, serving
from tests.unit.support.fakes import FakeHost

HUB = "hub.localhost"
Answering = Callable[..., HubApi]


@pytest.fixture
def asked() -> list[Asked]:
    """Return what the hub was asked."""
    return []


@pytest.fixture
def answering(authority: Authority, asked: list[Asked]) -> Iterator[Answering]:
    """Return what makes a hub answer, and gives its API."""
    said: list[tuple[int, str]] = []

    def answer(request: Asked) -> tuple[int, str]:
        asked.append(request)
        return said[-1]

    chain, key = authority.issue(HUB, f"*.{HUB}", start=datetime.now(UTC) - timedelta(days=1))
    with serving(chain, key, answer=answer) as port:

        def make(body: Any = "", status: int = 200) -> HubApi:
            said.append((status, body if isinstance(body, str) else json.dumps(body)))
            trust = ssl.create_default_context(cadata=authority.pem)
            return HubApi(f"https://{HUB}:{port}", trust, SecretStr("hush"))

        yield make


def test_every_request_shows_the_token(answering: Answering, asked: list[Asked]) -> None:
    """The hub is asked below its API's path, as the service; a body is JSON, and so is the answer."""
    api = answering({"name": "ada"})
    assert (api.get("users/ada"), api.post("users/ada/server", {"node": "n1"})) == ({"name": "ada"}, {"name": "ada"})
    api.delete("users/ada")
    assert asked == [
        Asked("GET", "/hub/api/users/ada", "token hush", ""),
        Asked("POST", "/hub/api/users/ada/server", "token hush", '{"node": "n1"}'),
        Asked("DELETE", "/hub/api/users/ada", "token hush", ""),
    ]


def test_a_users_server_never_sees_the_operators_token(answering: Answering, asked: list[Asked]) -> None:
    """The proxy passes headers on, so the hub is asked for a token of the user's own, which ends by itself."""
    server = answering({"token": "of-ada", **running_at("/user/ada/")}).server("ada")
    answering({"message": "no such kernel"}, 404)
    with pytest.raises(ApiError, match="the server of ada answers 404: no such kernel"):
        server.get("kernels/k1")
    assert asked == [
        Asked("POST", "/hub/api/users/ada/tokens", "token hush", '{"note": "swarmhub", "expires_in": 3600}'),
        Asked("GET", "/hub/api/users/ada", "token hush", ""),
        Asked("GET", "/user/ada/api/kernels/k1", "token of-ada", ""),
    ]


def test_a_server_on_a_domain_of_its_own_is_asked_for_by_it(answering: Answering, asked: list[Asked]) -> None:
    """It is the hub that says where it is; the connection is to the hub's own host, and the certificate has to cover both."""
    port = answering().port
    address = f"https://ada.{HUB}:{port}"
    server = answering({"token": "of-ada", **running_at(f"{address}/user/ada/")}).server("ada")
    assert (server.address, server.path, server.proxy) == (address, "/user/ada/api/", HUB)
    answering({"id": "k1"})
    assert server.get("kernels/k1") == {"id": "k1"}


def running_at(url: str) -> dict[str, Any]:
    """Return what the hub says of a user whose server runs."""
    return {"servers": {"": {"url": url}}}


def test_all_users_are_given(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub gives so many at a time: it is asked until it gives none."""
    pages = {f"users?offset={offset}&limit=200": page for offset, page in enumerate([[{"name": "a"}], [{"name": "b"}], []])}
    monkeypatch.setattr(HubApi, "get", lambda _, path: pages[path])
    assert [user["name"] for user in answering().users()] == ["a", "b"]


def test_what_is_not_there_is_found_to_be_none(answering: Answering) -> None:
    """To look for something, and to remove it, is no error where it is not."""
    api = answering(status=404)
    assert api.find("users/ada") is None
    api.delete("users/ada")


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (400, {"status": 400, "message": "no such luck"}, "the hub answers 400: no such luck"),
        (599, {"status": 599, "message": "no such luck"}, "the hub answers 599: no such luck"),
        # So the hub answers in a server's place while the proxy does not know the way to it.
        (302, "", "the hub answers 302: Found"),
        # A proxy without a hub: its page is no JSON, and nobody wants to read it.
        (503, "<html>", "the hub answers 503: Service Unavailable"),
    ],
)
def test_a_refusal_is_an_error_with_the_hubs_own_words(answering: Answering, status: int, body: Any, cause: str) -> None:
    """The cause is what the hub says; the status tells a program what to do."""
    with pytest.raises(ApiError) as refused:
        answering(body, status).get("users")
    assert (refused.value.host, refused.value.status, refused.value.cause) == (HUB, status, cause)
    assert "fab logs" in refused.value.remedy


def test_what_a_start_tells_is_yielded_as_it_comes(answering: Answering) -> None:
    """Events are JSON behind `data:`; empty lines keep the connection alive."""
    api = answering('\n\ndata: {"progress": 50}\n\n\n\ndata: {"ready": true}\n\n')
    assert list(api.events("users/ada/server/progress")) == [{"progress": 50}, {"ready": True}]


def test_an_answer_that_is_no_json_is_an_error(answering: Answering) -> None:
    """Somebody else answers on the hub's address, or a connection is refused; a start that is under way answers nothing."""
    with pytest.raises(StepError, match="the hub does not answer GET /hub/api/users"):
        answering("<html>").get("users")
    api = HubApi(f"https://{HUB}:1", ssl.create_default_context(), SecretStr("hush"))
    with pytest.raises(StepError, match=r"does not answer GET /hub/api/users: Connection refused\. Does the hub run"):
        api.get("users")
    assert answering(status=202).post("users/ada/server") is None


def test_the_token_is_read_in_the_hubs_container() -> None:
    """It is never shown."""
    host = FakeHost(commands={"docker exec c1 cat /run/swarmhub/token": Output(0, "hush\n", "")})
    token = hub_api.fetch_token(host, "c1")
    assert (token.get_secret_value(), "hush" in repr(HubApi("", ssl.create_default_context(), token))) == ("hush", False)


@pytest.mark.parametrize("read", [Output(1, "", "cat: /run/swarmhub/token: No such file\n"), Output(0, "", "")])
def test_a_hub_of_an_older_release_has_no_token(read: Output) -> None:
    """The error says that a deploy helps."""
    host = FakeHost(commands={"docker exec c1 cat /run/swarmhub/token": read})
    with pytest.raises(StepError, match=r"the hub has no token for the operator: .*fab deploy"):
        hub_api.fetch_token(host, "c1")
