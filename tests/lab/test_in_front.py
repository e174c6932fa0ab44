"""A reverse proxy in front: nginx on the manager, and proxies of swarmhub that believe it and nobody else.

These are services of their own beside the deployed one, one for each way of asking; what they lead to is the hub. About
twenty-five seconds.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import topology
from tests.lab.support import HUB, PROXY, Lab

MANAGER = topology.MANAGER
FRONT = "lab-front"
# By what the one in front speaks: the name of the service, the port by which it is asked, and the one in front's own.
PLAIN, TLS, PASSED_ON = ("lab-behind", 8090, 8453), ("lab-behind-tls", 8091, 8454), ("lab-behind-passed-on", 8092, 0)
INSIDE = {"http": 80, "https": 443, "proxy-protocol": 443}
HOST = "hub.example.org:8453"
SERVER = """
  server {{
    listen {outside} ssl;
    ssl_certificate /etc/letsencrypt/live/{domain}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{domain}/privkey.pem;
    location / {{
      proxy_pass {scheme}://{address}:{inside};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $up;
    }}
  }}
"""
CONFIG = """
pid /tmp/front.pid; daemon off; events {{ }}
http {{
  access_log off;
  map $http_upgrade $up {{ default upgrade; '' close; }}
  {servers}
}}
"""
# What somebody says of themselves who wants to be another.
FORGED = ("-H", "X-Forwarded-For: 9.9.9.9", "-H", "X-Real-IP: 9.9.9.9", "-H", "Forwarded: for=9.9.9.9")
# In the hub's container, in the place of a notebook: it gives back what it is told, by way of all proxies.
ECHO = f"""
import asyncio, json, sys
from tornado import httpclient, web, websocket
class Echo(websocket.WebSocketHandler):
    def check_origin(self, _): return True
    def on_message(self, message): self.write_message(message)
async def main(api, outside):
    web.Application([("/user/nobody/echo", Echo)]).listen(9009)
    token, client = open("/run/secrets/PROXY_TOKEN").read(), httpclient.AsyncHTTPClient()
    told = dict(method="POST", headers=dict(Authorization="token " + token), body=json.dumps(dict(target="http://{HUB}:9009")))
    await client.fetch("http://" + api + ":8001/api/routes/user/nobody", **told)
    wanted = httpclient.HTTPRequest(
        "wss://{MANAGER.address}:" + outside + "/user/nobody/echo", validate_cert=False, headers=dict(Host="{HOST}")
    )
    socket = await asyncio.wait_for(websocket.websocket_connect(wanted), 20)
    for said in "one", "x" * 2**17:
        socket.write_message(said)
        print(await asyncio.wait_for(socket.read_message(), 20) == said)
asyncio.run(main(*sys.argv[1:]))
"""
# In the container of the one in front, which passes a connection on as it is, and says first whose it is.
PASS_ON = f"""
import socket, ssl
anybody = ssl.create_default_context()
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
plain = socket.create_connection(("{MANAGER.address}", {PASSED_ON[1]}), 10)
plain.sendall(b"PROXY TCP4 198.51.100.7 {MANAGER.address} 40000 443\\r\\n")
secure = anybody.wrap_socket(plain, server_hostname="{topology.DOMAIN}")
head = "GET /hub/login HTTP/1.1\\r\\nHost: {HOST}\\r\\nX-Forwarded-For: 9.9.9.9\\r\\nConnection: close\\r\\n\\r\\n"
secure.sendall(head.encode())
print(secure.recv(12).decode())
"""


@pytest.fixture(scope="module")
def behind(settled: Lab) -> Iterator[Lab]:
    """Start a proxy for each way of asking that is told of one in front, and that one."""
    proxies = {"http": PLAIN, "https": TLS, "proxy-protocol": PASSED_ON}
    container = json.loads(settled.docker("service", "inspect", PROXY))[0]["Spec"]["TaskTemplate"]["ContainerSpec"]
    servers = "".join(
        SERVER.format(scheme=speaks, inside=inside, outside=outside, domain=topology.DOMAIN, address=MANAGER.address)
        for speaks, (_, inside, outside) in proxies.items()
        if outside
    )
    settled.on(MANAGER.name, "sh", "-c", f"cat > /tmp/front.conf <<'END'\n{CONFIG.format(servers=servers)}\nEND")
    mounts = ("-v", "/tmp/front.conf:/front.conf:ro", "-v", "/etc/letsencrypt:/etc/letsencrypt:ro")
    try:
        for speaks, (name, inside, _) in proxies.items():
            settled.docker("service", "create", "--name", name, *_words(container, speaks, inside), container["Image"])
        settled.docker(
            *("run", "-d", "--name", FRONT, "--network", "host", *mounts, container["Image"], "nginx", "-c", "/front.conf")
        )
        for _, _, outside in (PLAIN, TLS):
            settled.wait(lambda: asked(settled, "/hub/health", at=outside) == "200", 30, "the proxy in front does not answer")  # noqa: B023
        yield settled
    finally:
        names = " ".join(name for name, _, _ in proxies.values())
        settled.on(MANAGER.name, "sh", "-c", f"docker rm -f {FRONT}; docker service rm {names}; true")


def _words(container: dict[str, Any], speaks: str, port: int) -> list[str]:
    """Return the options of a proxy's service."""
    told = dict(line.split("=", 1) for line in container["Env"])
    told |= {"BEHIND": f"{MANAGER.address}/32", "SPEAKS": speaks, "HSTS": "1", "PUBLIC_URL": f"https://{HOST}"}
    (secret,) = container["Secrets"]
    return [
        *(word for name, value in told.items() for word in ("--env", f"{name}={value}")),
        *(
            "--secret",
            f"source={secret['SecretName']},target=PROXY_TOKEN",
            "--network",
            "jupyter",
            "--network",
            "jupyter-proxy",
        ),
        *("--mount", "type=bind,source=/etc/letsencrypt,target=/etc/letsencrypt,readonly"),
        *("--publish", f"mode=host,published={port},target={INSIDE[speaks]}", "--endpoint-mode", "dnsrr"),
        *("--constraint", "node.role==manager", "--no-resolve-image", "--quiet"),
    ]


def asked(lab: Lab, path: str, *more: str, at: int = PLAIN[2], scheme: str = "https", show: str = "%{http_code}") -> str:
    """Return what is shown of an answer; the hub's container asks, whose address is the manager's to nobody."""
    curl = ("curl", "-sk", "-o", "/dev/null", "-w", show, "--max-time", "5", "-H", f"Host: {HOST}")
    url = f"{scheme}://{MANAGER.address}:{at}{path}"
    return lab.execute(HUB, "sh", "-c", '"$@" || true', "sh", *curl, *more, url)


def clients(lab: Lab, path: str, of: str = PLAIN[0]) -> list[str]:
    """Return the clients that the log of a proxy behind names for a path, as soon as it names one."""
    found: list[str] = []

    def are_there() -> bool:
        lines = lab.log_of(of).splitlines()
        found[:] = [line.split()[1] for line in lines if f" {path} " in line]
        return bool(found)

    lab.wait(are_there, 10, "the log has no such line")
    return found


@pytest.mark.parametrize(("of", "at"), [(PLAIN[0], PLAIN[2]), (TLS[0], TLS[2])], ids=["http", "https"])
def test_clients_are_those_whom_the_one_in_front_names(behind: Lab, of: str, at: int) -> None:
    """Whatever they say of themselves."""
    assert asked(behind, "/hub/login", *FORGED, at=at) == "200"
    (client,) = clients(behind, "/hub/login", of)
    assert client not in ("9.9.9.9", MANAGER.address)


def test_clients_are_those_whom_the_proxy_protocol_names(behind: Lab) -> None:
    """Whatever they say of themselves; and a connection without it is none."""
    said = behind.docker("exec", FRONT, "python3", "-c", PASS_ON)
    assert said == "HTTP/1.1 200"
    assert clients(behind, "/hub/login", PASSED_ON[0]) == ["198.51.100.7"]
    assert asked(behind, "/hub/login", at=PASSED_ON[1]) == "000"


def test_nobody_else_is_let_in(behind: Lab) -> None:
    """Nor believed."""
    assert asked(behind, "/hub/signup", *FORGED, "-H", "X-Forwarded-Proto: https", at=PLAIN[1], scheme="http") == "403"
    assert "9.9.9.9" not in clients(behind, "/hub/signup")


def test_nobody_else_is_believed_by_tls(behind: Lab) -> None:
    """People may still come directly, and are who they are."""
    assert asked(behind, "/hub/signup", *FORGED, at=TLS[1]) in ("200", "404")
    assert "9.9.9.9" not in clients(behind, "/hub/signup", TLS[0])


def test_people_are_served_as_by_https(behind: Lab) -> None:
    """Cookies are secure, redirects lead to the public address, and browsers are told to stay with HTTPS."""
    found = asked(behind, "/hub/oauth_login?next=", "-D", "-", show="%{redirect_url}").lower()
    cookies = [line for line in found.splitlines() if line.startswith("set-cookie: oauthenticator")]
    assert cookies
    assert all("secure" in line for line in cookies), cookies
    assert "strict-transport-security: max-age=31536000" in found


@pytest.mark.parametrize(("of", "at"), [(PLAIN[0], PLAIN[2]), (TLS[0], TLS[2])], ids=["http", "https"])
def test_a_notebooks_websocket_gets_through(behind: Lab, of: str, at: int) -> None:
    """By way of the one in front, nginx, JupyterHub's proxy and back; a long message, too."""
    form = '{{ index .NetworkSettings.Networks "jupyter-proxy" "IPAddress" }}'
    address = behind.docker("inspect", behind.container(of), "--format", form)
    assert behind.execute(HUB, "python3", "-c", ECHO, address, str(at)).split() == ["True", "True"]
