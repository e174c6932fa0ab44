"""Attacks by somebody on the internet, without a login, at the ports that are published. About forty seconds, without a deploy.

What is asked counts for the address that this machine has for the lab, and so for the tests after these.
"""

import contextlib
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import topology
from tests.lab.counting import unverified
from tests.lab.support import HUB, PROXY, Lab

HTTP, HTTPS = topology.MANAGER.ports[80], topology.MANAGER.ports[443]
CONTEXT = unverified()  # it takes a while to make
WORKER = topology.WORKERS[0].name
FORGED = "2026-01-01 JupyterHub admin logged in"


def connected(port: int = HTTPS) -> socket.socket:
    """Return a connection to a published port, by TLS where that is spoken."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    return CONTEXT.wrap_socket(plain, server_hostname=topology.DOMAIN) if port == HTTPS else plain


def said(text: str, port: int = HTTPS, seconds: float = 10) -> str:
    """Return all that is answered to a text until the connection is closed, or nothing more comes for a time."""
    with connected(port) as one:
        one.settimeout(seconds)
        answer = b""
        with contextlib.suppress(OSError):
            one.sendall(text.encode("latin-1"))
            while part := one.recv(65536):
                answer += part
        return answer.decode("latin-1")


def asked(path: str, *headers: str, method: str = "GET", host: str = topology.DOMAIN, port: int = HTTPS) -> str:
    """Return the answer to a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    return said("\r\n".join(lines) + "\r\n\r\n", port)


def status(answer: str) -> int:
    """Return an answer's status, 0 for a connection that was closed without one."""
    return int(answer.split(" ", 2)[1]) if answer else 0


def logs(lab: Lab) -> str:
    """Return what proxy and hub have logged in their containers."""
    return "".join(lab.on(topology.MANAGER.name, "sh", "-c", f"docker logs {lab.container(one)} 2>&1") for one in (PROXY, HUB))


TRICKS = [
    "/api/routes",
    "//api/routes",
    "/hub/../api/routes",
    "/hub/..%2fapi%2froutes",
    "/hub/%2e%2e/api/routes",
    "/hub/..;/api/routes",
    "/user/..%2f..%2fapi/routes",
    "/user/ada/../../api/routes",
    "/hub\\..\\api\\routes",
    "/%61pi/routes",
    "/hub/api/proxy",
    "/hub//api/proxy",
    "/hub/%61pi/proxy",
    "/metrics",
    "/hub/metrics",
    "/hub/api/users",
    "/user/..%2fhub/api/users",
    "/hub/api/info",
    "http://127.0.0.1:8001/api/routes",
    "http://jupyterhub-proxy-api:8001/api/routes",
    "http://127.0.0.1:8002/hub/api/users",
]


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.usefixtures("settled")
def test_no_path_leads_past_the_login(path: str) -> None:
    """To the proxy's API, the metrics or the hub's API: what is answered says nothing of users or routes."""
    answer = asked(path)
    assert status(answer) in (302, 400, 403, 404), answer
    assert not re.search(r'"target"|"last_activity"|"spawner"|_total\{', answer)


@pytest.mark.parametrize(
    "token", ["", "Authorization: token 0", "Authorization: Bearer null", "Cookie: jupyterhub-hub-login=x"]
)
@pytest.mark.usefixtures("settled")
def test_the_hubs_api_takes_no_made_up_login(token: str) -> None:
    """Somebody makes users."""
    headers = [token] if token else []
    assert status(asked("/hub/api/users", *headers, "Content-Length: 0", method="POST")) == 403
    assert status(asked("/hub/api/users/ada/tokens", *headers)) == 403


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        (("Host: evil.example",), {400}),
        (("X-Forwarded-Host: evil.example",), {302}),
        (("Forwarded: host=evil.example;proto=http",), {302}),
        (("X-Forwarded-Proto: http", "X-Scheme: http", "X-Forwarded-Port: 80"), {302}),
        (("X-Original-URL: /hub/api/users", "X-Rewrite-URL: /hub/api/users"), {302}),
    ],
    ids=["a second host", "a proxy's host", "a proxy's header", "another protocol", "another path"],
)
@pytest.mark.usefixtures("settled")
def test_no_header_leads_people_elsewhere(headers: tuple[str, ...], statuses: set[int]) -> None:
    """Whatever somebody says of the way here: a redirect stays at the hub, without the foreign name."""
    answer = asked("/", *headers)
    assert status(answer) in statuses
    assert not re.search(r"(?im)evil|^location: http:", answer)


@pytest.mark.parametrize(("port", "path"), [(HTTPS, "/"), (HTTPS, "/hub/"), (HTTP, "/hub/login")])
@pytest.mark.usefixtures("settled")
def test_no_host_leads_people_elsewhere(port: int, path: str) -> None:
    """Somebody asks for a foreign name, which a cache before the hub would keep."""
    answer = asked(path, host="evil.example", port=port)
    assert (status(answer) in (301, 302), "evil" in answer) == (True, False)


SMUGGLED = "GET /hub/health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\x0bchunked",
        "Content-Length: 0\r\nContent-Length: 44",
        "Content-Length: +0",
        "Content-Length: 0x0",
    ],
)
@pytest.mark.usefixtures("settled")
def test_no_request_is_hidden_in_another(headers: str) -> None:
    """Two programs may not read a request's length in two ways: it is refused, or answered once."""
    answer = said(f"POST /hub/login HTTP/1.1\r\nHost: {topology.DOMAIN}\r\n{headers}\r\n\r\n0\r\n\r\n{SMUGGLED}", seconds=2)
    assert (status(answer) in (400, 501), answer.count("HTTP/1.1")) == (True, 1)


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (f"TRACE / HTTP/1.1\r\nHost: {topology.DOMAIN}\r\n\r\n", {405}),
        (f"CONNECT {HUB}:8081 HTTP/1.1\r\nHost: {HUB}:8081\r\n\r\n", {400, 405}),
        ("GET / HTTP/1.1\r\n\r\n", {400}),
        ("GET / HTTP/9.9\r\nHost: x\r\n\r\n", {400, 505}),
        ("GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (f"GET / HTTP/1.1\r\nHost: {topology.DOMAIN}\r\nX: {'x' * 40_000}\r\n\r\n", {400, 431}),
        (
            f"GET / HTTP/1.1\r\nHost: {topology.DOMAIN}\r\n" + "".join(f"X{n}: {'x' * 7000}\r\n" for n in range(9)) + "\r\n",
            {400},
        ),
        (f"GET /hub/{'x' * 20_000} HTTP/1.1\r\nHost: {topology.DOMAIN}\r\n\r\n", {414}),
        ("\x16\x03\x01" + "\x00" * 50, {0, 400}),
    ],
    ids=["TRACE", "CONNECT", "no host", "a version", "a zero", "a long header", "long headers", "a long path", "no HTTP"],
)
@pytest.mark.usefixtures("settled")
def test_what_nobody_has_to_ask_is_refused(request_: str, statuses: set[int]) -> None:
    """By the proxy, before anybody else reads it."""
    assert status(said(request_)) in statuses


@pytest.mark.parametrize(
    "path", ["/hub/", "/hub/api/user", "/user/ada/api/kernels/0/channels", "/user/ada/terminals/websocket/1"]
)
@pytest.mark.usefixtures("settled")
def test_no_websocket_opens_without_a_login(path: str) -> None:
    """To the hub or to a notebook."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    answer = asked(path, "Upgrade: websocket", "Connection: Upgrade", key, "Sec-WebSocket-Version: 13")
    assert status(answer) in (302, 400, 403, 404, 424), answer


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.usefixtures("settled")
def test_no_old_tls_is_spoken(version: ssl.TLSVersion) -> None:
    """Somebody between a user and the hub talks them down to what can be broken."""
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", HTTPS)) as plain:
        unverified(version).wrap_socket(plain)


@pytest.mark.parametrize(("port", "path"), [(HTTP, "/hub/api/users"), (HTTP, "/user/ada/"), (HTTP, "/.well-known/x")])
@pytest.mark.usefixtures("settled")
def test_plain_http_reaches_nothing(port: int, path: str) -> None:
    """It is sent to HTTPS, whatever it asks for."""
    assert status(asked(path, "Authorization: token 0", port=port)) == 301


@pytest.mark.usefixtures("settled")
def test_no_file_of_the_certificate_is_served() -> None:
    """Port 80 serves what an authority asks for, out of the folder that has the key."""
    tricks = ("../live/hub.localhost/privkey.pem", "..%2flive%2fhub.localhost%2fprivkey.pem", "%2e%2e/%2e%2e/live/")
    for path in (f"/.well-known/acme-challenge/{trick}" for trick in tricks):
        assert status(asked(path, port=HTTP)) in (301, 400, 403, 404), path


def big(path: str) -> str:
    """Begin a request with a body of 100 MB."""
    return f"POST {path} HTTP/1.1\r\nHost: {topology.DOMAIN}\r\nContent-Length: 100000000\r\n\r\n" + "x" * 1000


@pytest.mark.parametrize(
    "path", ["/hub/login", "/", "/user/nobody/", "/user/../hub/login", "/user/x%2f..%2f..%2fhub%2flogin", "//hub/login"]
)
@pytest.mark.usefixtures("settled")
def test_no_body_is_kept_that_the_hub_would_refuse(path: str) -> None:
    """By no path: the answer comes when the body begins."""
    assert status(said(big(path), seconds=2)) in (400, 413)


@pytest.mark.usefixtures("settled")
def test_no_body_without_a_length_is_kept() -> None:
    """One that goes on and on is cut off."""
    begin = f"POST /hub/login HTTP/1.1\r\nHost: {topology.DOMAIN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert status(said(begin + ("10000\r\n" + "x" * 65536 + "\r\n") * 40, seconds=5)) in (0, 413)


ASKED = {
    "a token": ("/hub/login?token=SECRET",),
    "of nobody's server": ("/user/nobody/lab?token=SECRET",),
    "a provider's code": ("/hub/oauth_callback?code=SECRET&state=SECRET",),
    "within an address": ("/hub/login?next=%2Fhub%2F%3Ftoken%3DSECRET",),
    "with another mark": ("/hub/x;token=SECRET",),
    "with an encoded mark": ("/hub/x%3Ftoken=SECRET",),
    "encoded twice": ("/hub/x%253Ftoken%253DSECRET",),
    "where one came from": ("/hub/x", f"Referer: https://{topology.DOMAIN}/hub/x?token=SECRET"),
    "a header": ("/hub/api/users", "Authorization: token SECRET"),
    "a cookie": ("/hub/home", "Cookie: jupyterhub-session-id=SECRET"),
    "a refused request": ("/hub/?token=SECRET", "Transfer-Encoding: x"),
    "too long a request": ("/hub/?token=SECRET" + "x" * 20_000,),
}


def secret(kind: str) -> str:
    """Return the secret that a kind of request has."""
    return f"s3cr3t-{kind.replace(' ', '-').replace(chr(39), '')}"


@pytest.fixture(scope="module")
def logged(settled: Lab) -> str:
    """Ask for all that has a secret, or would begin a line of its own; return what was logged then."""
    for kind, lines in ASKED.items():
        path, *headers = (line.replace("SECRET", secret(kind)) for line in lines)
        asked(path, *headers)
        asked(path, *headers, port=HTTP)
    for path, *headers in FORGING.values():
        asked(path, *headers)
    asked("/hub/last-of-all", "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9")
    settled.wait(lambda: logs(settled).count("last-of-all") > 1, 10, "requests are not logged")
    return logs(settled)


@pytest.mark.parametrize("kind", ASKED)
def test_no_secret_in_a_request_is_logged(logged: str, kind: str) -> None:
    """Not by the proxy, nor by the hub, nor with what was refused: whoever reads logs is nobody's user."""
    assert not [line[:300] for line in logged.splitlines() if secret(kind) in line]


FORGING = {
    "a line break": (f"/hub/%0a{FORGED}".replace(" ", "%20"),),
    "both": (f"/hub/%0d%0a{FORGED}".replace(" ", "%20"),),
    "encoded otherwise": (f"/hub/%E2%80%A8{FORGED}".replace(" ", "%20"),),
    "in a header": ("/hub/x", f"User-Agent: x\x0b\x0c{FORGED}"),
    "a terminal's": ("/hub/%1b%5b2J",),
}


@pytest.mark.parametrize("kind", FORGING)
def test_no_line_of_a_log_is_forged(logged: str, kind: str) -> None:
    """By what ends a line, or by what a terminal obeys."""
    assert not [line for line in logged.splitlines() if line.startswith(FORGED[:10]) and "JupyterHub admin" in line], kind
    assert "\x1b[2J" not in logged


def test_nobody_gives_themselves_another_address(logged: str) -> None:
    """The logs have the one that the connection is from; by it, too, requests are counted."""
    assert "203.0.113.9" not in logged
    assert re.search(rf" {topology.address(1)} GET /hub/last-of-all ", logged)


def memory(lab: Lab) -> int:
    """Return the bytes of memory that the hub's process has."""
    text = lab.execute(HUB, "sh", "-c", "grep -h VmRSS /proc/[0-9]*/status | sort -k 2 -n | tail -n 1")
    return int(text.split()[1]) * 1024


def begun(number: int) -> socket.socket:
    """Begin a request, and do not go on: with half of its header by HTTP, and with half of its body by HTTPS."""
    one = connected() if number % 5 else connected(HTTP)
    header = f"POST /hub/login HTTP/1.1\r\nHost: {topology.DOMAIN}\r\n"
    one.sendall((header + ("Content-Length: 900000\r\n\r\n" + "x" * 30_000 if number % 5 else "X: ")).encode())
    return one


# Somebody with another address logs in.
LOOK = f"""
import ssl, time, urllib.request
context, began = ssl._create_unverified_context(), time.monotonic()
request = urllib.request.Request("https://{topology.MANAGER.address}/hub/login")
print(urllib.request.urlopen(request, timeout=10, context=context).status, time.monotonic() - began)
"""
PYTHON = ("--network", "host", "--entrypoint", "/opt/venv/bin/python", "registry.lab:5000/notebook:lab", "-c")


@pytest.fixture(scope="module")
def crowd(settled: Lab) -> Iterator[dict[str, float]]:
    """Open a thousand connections from one address that do not go on, and see what others get meanwhile."""
    before, since = memory(settled), time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        held = list(pool.map(begun, range(1000)))
    code, seconds = settled.docker("run", "--rm", *PYTHON, LOOK, node=WORKER).split()
    told = {"other": float(code), "seconds": float(seconds), "same": float(status(asked("/hub/login")))}
    grown = memory(settled) - before

    def is_over(one: socket.socket) -> bool:
        one.settimeout(0.01)
        with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
            try:
                return one.recv(65536) == b""
            except OSError as error:
                return not isinstance(error, TimeoutError)
        return False

    def are_over() -> bool:
        held[:] = [one for one in held if not is_over(one)]
        return not held

    with contextlib.suppress(Exception):
        settled.wait(are_over, 40, "connections stay open")
    yield told | {"grown": grown, "open": len(held), "lasted": time.monotonic() - since}
    for one in held:
        one.close()


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [("other", 200, 200), ("seconds", 0, 3), ("same", 429, 429), ("grown", -(2**30), 20 * 2**20), ("open", 0, 0)],
    ids=["another address is served", "at once", "this one is not", "the hub keeps no body", "nothing stays open"],
)
def test_a_thousand_connections_keep_nobody_out(crowd: dict[str, float], kind: str, least: float, most: float) -> None:
    """Half of a header, or of a body, from one address: other people log in."""
    assert least <= crowd[kind] <= most, crowd


FLOOD = """
import collections, http.client, json, sys, threading
found = collections.Counter()
def ask(address, times):
    one = http.client.HTTPConnection("127.0.0.1", 8002)
    for _ in range(times):
        one.request("GET", "/hub/health", headers={"X-Real-IP": address, "Host": "x"})
        answer = one.getresponse()
        answer.read()
        found[f"{address} {answer.status}"] += 1
        if answer.status == 429: return
# A busy machine sends them so slowly that 1,200 each are within what a network may ask.
threads = [threading.Thread(target=ask, args=(f"2001:db8:1:2::{n}", 5000)) for n in range(4)]
for one in threads: one.start()
for one in threads: one.join()
ask("203.0.113.8", 20)
print(json.dumps(found))
"""


def test_a_flood_of_requests_is_bounded_by_its_network(settled: Lab) -> None:
    """Where one has a network of IPv6 addresses, all of it counts as one; others are answered at once."""
    found = json.loads(settled.execute(PROXY, "python3", "-c", FLOOD))
    assert sum(times for name, times in found.items() if name.endswith(" 429")) > 0
    assert found["203.0.113.8 200"] == 20
    assert not [name for name in found if name.split()[1] not in ("200", "429")]


ENVIRONMENTS = "for one in /proc/[0-9]*; do tr '\\0' '\\n' < $one/environ 2>/dev/null; done"


def test_the_token_of_the_proxys_api_is_in_no_environment(settled: Lab) -> None:
    """Whoever may list the processes of a node, or read a crash report, has no way to send people elsewhere."""
    token = settled.execute(PROXY, "cat", "/run/secrets/PROXY_TOKEN")
    assert token
    assert token not in settled.on(topology.MANAGER.name, "sh", "-c", ENVIRONMENTS)
    assert settled.execute(PROXY, "sh", "-c", f"grep -rlsF {token} / --exclude-dir=proc --exclude-dir=sys; true").split() == [
        "/run/secrets/PROXY_TOKEN"
    ]


@pytest.mark.parametrize("service", [HUB, PROXY, f"{HUB}-engine", f"{HUB}-renewal", f"{HUB}_firewall"])
def test_a_flood_of_lines_fills_no_disk(settled: Lab, service: str) -> None:
    """Each log is rotated, and each service has an end of memory before the node has."""
    template = json.loads(settled.docker("service", "inspect", service, "--format", "{{json .Spec.TaskTemplate}}"))
    assert template["LogDriver"]["Options"] == {"max-size": "20m", "max-file": "5"}
    assert 0 < template["Resources"]["Limits"]["MemoryBytes"] <= 2**31


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("content-security-policy", "frame-ancestors 'none'"),
        ("content-security-policy", "object-src 'none'"),
        ("content-security-policy", "base-uri 'none'"),
        ("content-security-policy", "form-action 'self'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
    ],
)
@pytest.mark.usefixtures("settled")
def test_the_hubs_pages_are_embedded_and_extended_by_nobody(header: str, value: str) -> None:
    """Somebody's page shows the hub's in a frame, or gets a form of its own into it."""
    lines = [line for line in asked("/hub/login").splitlines() if line.lower().startswith(f"{header}:")]
    assert [line for line in lines if value in line], lines
