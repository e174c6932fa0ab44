"""The proxy's container: what nginx and JupyterHub's proxy are told, and when both end."""

import asyncio
import os
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(("given", "is_told"), [("0", False), ("1", True)])
def test_browsers_are_told_to_come_by_https_only_if_that_is_meant(given: str, is_told: bool) -> None:
    """A staging certificate must be passable."""
    assert ("Strict-Transport-Security" in proxy.config(ENVIRON | {"HSTS": given}, tls=True)) == is_told


def test_the_api_listens_on_the_inner_network_only() -> None:
    """What people ask comes from nginx alone; no token is on a command line: it is in the one program's environment."""
    words = proxy.routes(ENVIRON, "10.0.9.4")
    assert {"--api-ip=10.0.9.4", "--ip=127.0.0.1", "--no-x-forward"} <= set(words)
    assert not [word for word in words if "token" in word]


def test_the_hub_is_reached_before_it_has_told_the_routes() -> None:
    """A proxy that has just started knows the way to it, and to nobody's server."""
    assert f"--default-target={ENVIRON['HUB_URL']}" in proxy.routes(ENVIRON, "10.0.9.4")


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


@pytest.mark.parametrize("ends", ["nginx", "configurable-http-proxy"])
def test_if_one_ends_the_container_ends(programs: Path, ends: str) -> None:
    """Swarm starts it anew: half of it would look well and be of no use."""
    for name in ("nginx", "configurable-http-proxy"):
        script(programs, name, "exit 3" if name == ends else "exec sleep 60")
    assert run(programs) == 3


def test_the_first_certificate_is_given_to_nginx(programs: Path) -> None:
    """It reads its configuration again, which has TLS now."""
    (programs / "chain").unlink()
    seen = 'trap \'cp "$FOLDER/nginx.conf" "$FOLDER/seen"; exit 5\' HUP'
    looking = 'cp "$FOLDER/nginx.conf" "$FOLDER/first"\necho new > "$FOLDER/chain"\nwhile :; do sleep 0.05; done'
    script(programs, "nginx", f"{seen}\n{looking}")
    script(programs, "configurable-http-proxy", "exec sleep 60")
    assert run(programs) == 5
    assert ["ssl_certificate" in (programs / name).read_text() for name in ("first", "seen")] == [False, True]


def test_a_new_certificate_is_given_to_nginx(programs: Path) -> None:
    """By the signal that makes it read its files again, and drop nobody."""
    reloaded = 'trap \'echo yes > "$FOLDER/reloaded"; exit 5\' HUP\necho new > "$FOLDER/chain"\nwhile :; do sleep 0.05; done'
    script(programs, "nginx", f"sleep 0.2\n{reloaded}")
    script(programs, "configurable-http-proxy", '[ "$CONFIGPROXY_AUTH_TOKEN" = token ] && exec sleep 60')
    assert run(programs) == 5
    assert (programs / "reloaded").read_text() == "yes\n"
