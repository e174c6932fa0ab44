"""The proxy's container: what nginx and JupyterHub's proxy are told, and when both end."""

import asyncio
import os
from pathlib import Path

import pytest

from hub.config import separate_proxy
from hub.proxy import main as proxy

ENVIRON = {
    "SSL_KEY": "/tls/privkey.pem",
    "SSL_CERT": "/tls/fullchain.pem",
    "ACME_FOLDER": "/tls",
    "PUBLIC_URL": "https://hub.example.org:8443",
    "HSTS": "0",
    "SUBDOMAINS": "0",
    "HUB_URL": "http://jupyterhub:8081",
    "PROXY_SUBNET": "127.0.0.0/8",
    "CLIENTS": "0",
    "FORMS": "",
    "BASE_URL": "/",
    "BEHIND": "",
    "SPEAKS": "https",
}


@pytest.mark.parametrize("tls", [True, False])
def test_plain_http_leads_to_the_public_address(tls: bool) -> None:
    """But for what a certificate authority asks, also of the proxy that is to have its first certificate."""
    text = proxy.config(ENVIRON, tls=tls)
    assert "map $host $public { hostnames; default hub.example.org;  }" in text
    assert ("return 301 https://$public:8443$request_uri;" in text, "ssl" in text) == (True, tls)
    assert "location ^~ /.well-known/acme-challenge/ { root /tls; }" in text
    assert "{{" not in text


def test_plain_http_of_a_users_domain_leads_to_the_same_domain() -> None:
    """With subdomains; any other name that somebody asks for leads to the hub."""
    text = proxy.config(ENVIRON | {"SUBDOMAINS": "1"}, tls=True)
    assert "map $host $public { hostnames; default hub.example.org; *.hub.example.org $host; }" in text
    told = [proxy.routes(ENVIRON | {"SUBDOMAINS": given}, "10.0.9.4") for given in "01"]
    assert ["--host-routing" in words for words in told] == [False, True]


@pytest.mark.parametrize(("below", "count"), [("/", 0), ("/jupyter/", 1)])
def test_the_domain_alone_leads_to_the_path_that_the_hub_is_below(below: str, count: int) -> None:
    """Who knows the domain would be told that there is nothing."""
    text = proxy.config(ENVIRON | {"BASE_URL": below}, tls=True)
    assert text.count("location = / { return 302 https://$public:8443/jupyter/; }") == count


@pytest.mark.parametrize(("given", "is_told"), [("0", False), ("1", True)])
def test_browsers_are_told_to_come_by_https_only_if_that_is_meant(given: str, is_told: bool) -> None:
    """A staging certificate must be passable."""
    assert ("Strict-Transport-Security" in proxy.config(ENVIRON | {"HSTS": given}, tls=True)) == is_told


def test_the_api_listens_on_the_inner_network_only() -> None:
    """What people ask comes from nginx alone; no token is on a command line."""
    words = proxy.routes(ENVIRON, "10.0.9.4")
    assert {"--api-ip=10.0.9.4", "--ip=127.0.0.1", "--no-x-forward"} <= set(words)
    assert not [word for word in words if "token" in word]


def test_the_hub_is_reached_before_it_has_told_the_routes() -> None:
    """A proxy that has just started knows the way to it, with its limits, and to nobody's server; so do errors' pages."""
    words, way = proxy.routes(ENVIRON, "10.0.9.4"), separate_proxy.DOOR
    assert {f"--default-target={way}", f"--error-target={way}/hub/error"} <= set(words)
    text = proxy.config(ENVIRON, tls=False)
    assert (f"listen {way.removeprefix('http://')};" in text, f"set $hub {ENVIRON['HUB_URL']};" in text) == (True, True)


ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth2	00000000	010012AC	0003	0	0	0	00000000	0	0	0
eth0	0009000A	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""


@pytest.mark.parametrize(("are_told", "nobodys"), [(True, '"172.18.0.1" "";'), (False, '"~." "";')])
def test_an_address_that_stands_for_many_clients_is_none(are_told: bool, nobodys: str) -> None:
    """That of Docker's userland proxy, and all that come by the routing mesh: what is bounded for each would be for all."""
    assert proxy.unknown(are_told, ROUTES) == nobodys


def test_a_form_leads_to_the_hub_and_where_else_it_is_told() -> None:
    """Nothing else than scripts, connections, forms is for the pages' policy to say: an operator's own pages have pictures."""
    policy = "script-src 'self' 'unsafe-inline'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
    told = [proxy.config(ENVIRON | {"FORMS": forms}, tls=True) for forms in ("", "https://*.hub.example.org")]
    assert [f'"{policy}"' in told[0], f'"{policy} https://*.hub.example.org"' in told[1]] == [True, True]


def test_a_network_that_the_container_is_not_on_is_an_error() -> None:
    """Rather than an API for everybody."""
    assert proxy.address_in("127.0.0.0/8") == "127.0.0.1"
    with pytest.raises(OSError, match=r"no address in 203\.0\.113\.0/24|unreachable"):
        proxy.address_in("203.0.113.0/24")


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    """Of either of the two."""
    chain, key = tmp_path / "chain", tmp_path / "key"
    seen = set()
    for one, two in (("a", "b"), ("a", "c"), ("d", "c")):
        chain.write_text(one)
        key.write_text(two)
        seen.add(proxy.fingerprint({"SSL_CERT": str(chain), "SSL_KEY": str(key)}))
    assert len(seen - {None}) == 3


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put scripts in the place of nginx and JupyterHub's proxy, and files in that of secret and certificate."""
    for name in ("chain", "key", "token"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(proxy, "TOKEN", tmp_path / "token")
    monkeypatch.setattr(proxy, "CONFIG", tmp_path / "nginx.conf")
    monkeypatch.setattr(proxy, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(proxy, "AS", {})  # only root becomes somebody else
    return tmp_path


def script(folder: Path, name: str, text: str) -> None:
    """Write a program."""
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def run(folder: Path) -> int:
    """Run both to the end."""
    environ = {
        **os.environ,
        **ENVIRON,
        "SSL_CERT": str(folder / "chain"),
        "SSL_KEY": str(folder / "key"),
        "PATH": f"{folder}:{os.environ['PATH']}",
    }
    with pytest.MonkeyPatch.context() as patch:  # nginx has the environment of the container
        patch.setenv("PATH", environ["PATH"])
        patch.setenv("FOLDER", str(folder))
        return asyncio.run(asyncio.wait_for(proxy.main(environ), 10))


@pytest.mark.parametrize("ends", ["nginx", "node"])
def test_if_one_ends_the_container_ends(programs: Path, ends: str) -> None:
    """Swarm starts it anew: half of it would look well and be of no use."""
    for name in ("nginx", "node"):
        script(programs, name, "exit 3" if name == ends else "exec sleep 60")
    assert run(programs) == 3


def test_the_first_certificate_is_given_to_nginx(programs: Path) -> None:
    """It reads its configuration again, which has TLS now."""
    (programs / "chain").unlink()
    seen = 'trap \'cp "$FOLDER/nginx.conf" "$FOLDER/seen"; exit 5\' HUP'
    looking = 'cp "$FOLDER/nginx.conf" "$FOLDER/first"\necho new > "$FOLDER/chain"\nwhile :; do sleep 0.05; done'
    script(programs, "nginx", f"{seen}\n{looking}")
    script(programs, "node", "exec sleep 60")
    assert run(programs) == 5
    assert ["ssl_certificate" in (programs / name).read_text() for name in ("first", "seen")] == [False, True]


def test_a_new_certificate_is_given_to_nginx(programs: Path) -> None:
    """By the signal that makes it read its files again, and drop nobody."""
    reloaded = 'trap \'echo yes > "$FOLDER/reloaded"; exit 5\' HUP\necho new > "$FOLDER/chain"\nwhile :; do sleep 0.05; done'
    script(programs, "nginx", f"sleep 0.2\n{reloaded}")
    script(programs, "node", "exec sleep 60")
    assert run(programs) == 5
    assert (programs / "reloaded").read_text() == "yes\n"


def test_the_token_is_read_and_in_no_environment(programs: Path) -> None:
    """Root, and whoever runs as the proxy's user, may read the environment of a program."""
    script(programs, "nginx", "exec sleep 60")
    script(programs, "node", 'cd "${0%/*}"; cat > read; env > environment; exit 4')
    assert run(programs) == 4
    assert ((programs / "read").read_text(), "=token\n" in (programs / "environment").read_text()) == ("token", False)


def test_of_nobody_but_the_one_in_front_a_clients_address_is_believed() -> None:
    """Not of Docker's gateway either, by which anybody comes with IPv6, whatever network is trusted."""
    alone, wide = (proxy.front(behind, "X-Forwarded-For", ROUTES) for behind in (["10.1.2.3/32"], ["172.18.0.0/30"]))
    assert "set_real_ip_from 10.1.2.3/32;\n    real_ip_header X-Forwarded-For;\n    real_ip_recursive on;" in alone
    assert "172.18.0.1" not in wide
    assert "set_real_ip_from 172.18.0.2/31;" in wide
    assert "set_real_ip_from" not in proxy.front([], "X-Forwarded-For", ROUTES)
