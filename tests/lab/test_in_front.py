"""A reverse proxy in front that takes TLS: nginx on the manager, and a proxy of swarmhub that believes it and nobody else.

The proxy is a service of its own beside the deployed one, without routes: what it leads to is the hub. About fifteen seconds.
"""

import json
from collections.abc import Iterator

import pytest

from lab import topology
from tests.lab.support import HUB, PROXY, Lab

NAME, FRONT = "lab-behind", "lab-front"
INSIDE, OUTSIDE = 8090, 8453
MANAGER = topology.MANAGER
URL = "https://hub.example.org:8453"
CONFIG = f"""
pid /tmp/front.pid; daemon off; events {{ }}
http {{
  access_log off;
  map $http_upgrade $up {{ default upgrade; '' close; }}
  server {{
    listen {OUTSIDE} ssl;
    ssl_certificate /etc/letsencrypt/live/{topology.DOMAIN}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{topology.DOMAIN}/privkey.pem;
    location / {{
      proxy_pass http://{MANAGER.address}:{INSIDE};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $up;
    }}
  }}
}}
"""
# What somebody says of themselves who wants to be another.
FORGED = ("-H", "X-Forwarded-For: 9.9.9.9", "-H", "X-Real-IP: 9.9.9.9", "-H", "Forwarded: for=9.9.9.9")


@pytest.fixture(scope="module")
def behind(settled: Lab) -> Iterator[Lab]:
    """Start a proxy that is told of one in front, and that one."""
    spec = json.loads(settled.docker("service", "inspect", PROXY))[0]["Spec"]["TaskTemplate"]
    container = spec["ContainerSpec"]
    told = dict(line.split("=", 1) for line in container["Env"])
    told |= {"BEHIND": f"{MANAGER.address}/32", "SPEAKS": "http", "HSTS": "1", "PUBLIC_URL": URL}
    secret = next(one["SecretName"] for one in container["Secrets"])
    words = [word for name, value in told.items() for word in ("--env", f"{name}={value}")]
    words += ["--secret", f"source={secret},target=PROXY_TOKEN", "--network", "jupyter", "--network", "jupyter-proxy"]
    words += ["--publish", f"mode=host,published={INSIDE},target=80", "--endpoint-mode", "dnsrr"]
    words += ["--constraint", "node.role==manager", "--no-resolve-image", "--quiet"]
    settled.on(MANAGER.name, "sh", "-c", f"cat > /tmp/front.conf <<'END'\n{CONFIG}\nEND")
    mounts = ("-v", "/tmp/front.conf:/front.conf:ro", "-v", "/etc/letsencrypt:/etc/letsencrypt:ro")
    try:
        settled.docker("service", "create", "--name", NAME, *words, container["Image"])
        settled.docker(
            *("run", "-d", "--name", FRONT, "--network", "host", *mounts, container["Image"], "nginx", "-c", "/front.conf")
        )
        settled.wait(lambda: asked(settled, "/hub/health") == "200", 30, "the proxy in front does not answer")
        yield settled
    finally:
        settled.on(MANAGER.name, "sh", "-c", f"docker rm -f {FRONT}; docker service rm {NAME}; true")


def asked(
    lab: Lab, path: str, *more: str, url: str = f"https://{MANAGER.address}:{OUTSIDE}", show: str = "%{http_code}"
) -> str:
    """Return what is shown of an answer; the hub's container asks, whose address is the manager's to nobody."""
    curl = ("curl", "-sk", "-o", "/dev/null", "-w", show, "--max-time", "5", "-H", "Host: hub.example.org:8453")
    return lab.execute(HUB, "sh", "-c", '"$@" || true', "sh", *curl, *more, f"{url}{path}")


def seen(lab: Lab, path: str) -> list[str]:
    """Return the clients that the log of the proxy behind names for a path."""
    lines = lab.docker("service", "logs", "--raw", NAME).splitlines()
    return [line.split()[1] for line in lines if f" {path} " in line]


def test_clients_are_those_whom_the_one_in_front_names(behind: Lab) -> None:
    """Whatever they say of themselves."""
    assert asked(behind, "/hub/login", *FORGED) == "200"
    behind.wait(lambda: seen(behind, "/hub/login"), 10, "the log has no such line")
    (client,) = seen(behind, "/hub/login")
    assert client not in ("9.9.9.9", MANAGER.address)


def test_nobody_else_is_let_in(behind: Lab) -> None:
    """Nor believed."""
    plain = f"http://{MANAGER.address}:{INSIDE}"
    assert asked(behind, "/hub/signup", *FORGED, "-H", "X-Forwarded-Proto: https", url=plain) == "403"
    behind.wait(lambda: seen(behind, "/hub/signup"), 10, "the log has no such line")
    assert "9.9.9.9" not in seen(behind, "/hub/signup")


def test_people_are_served_as_by_https(behind: Lab) -> None:
    """Cookies are secure, redirects lead to the public address, and browsers are told to stay with HTTPS."""
    found = asked(behind, "/hub/oauth_login?next=", "-D", "-", show="%{redirect_url}").lower()
    cookies = [line for line in found.splitlines() if line.startswith("set-cookie: oauthenticator")]
    assert cookies
    assert all("secure" in line for line in cookies), cookies
    assert "strict-transport-security: max-age=31536000" in found


def test_a_websocket_gets_through(behind: Lab) -> None:
    """As far as the hub, which knows none and says so: what is asked for an upgrade comes as that."""
    upgrade = ("-H", "Upgrade: websocket", "-H", "Connection: Upgrade", "-H", "Sec-WebSocket-Version: 13")
    assert asked(behind, "/user/nobody/socket", *upgrade, "--http1.1") in ("302", "404", "424")
