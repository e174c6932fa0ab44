"""Each user's servers on a domain of their own, in headless Chromium, and back to one domain for all."""

import http.client
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from lab import topology
from tests.lab.browsing import log_in, run_cell, start_server, stop_server
from tests.lab.support import HUB, REAL, ROOT, Done, Lab, variant
from tests.unit.support.authority import Authority

MANAGER = topology.MANAGER.name
DOMAIN, PORT = topology.DOMAIN, topology.MANAGER.ports[443]
ADA = f"https://ada.{DOMAIN}:{PORT}/user/ada"
SUBDOMAINS = ("[hub]\n", "[hub]\nsubdomains = true\n")
OF_CERTBOT = (ROOT / "lab" / "hosts.toml").read_text().partition("[certs]\n")[2]
# As a page of one's server would ask the hub in its visitor's name.
ASK = "async url => { try { return (await fetch(url, {credentials: 'include'})).status; } catch { return 'refused'; } }"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lab's hosts.toml with subdomains, and with a certificate that covers them."""
    folder, authority = tmp_path_factory.mktemp("subdomains"), Authority.make("Operator's CA")
    chain, key = authority.issue(DOMAIN, f"*.{DOMAIN}", start=datetime.now(UTC) - timedelta(hours=1))
    files = {"certificate": chain, "key": key, "ca": authority.pem}
    for name, content in files.items():
        (folder / f"{name}.pem").write_text(content)
    own = "".join(f'{name} = "{folder / name}.pem"\n' for name in files)
    return variant(folder, (OF_CERTBOT, own), SUBDOMAINS)


@pytest.fixture(scope="module")
def planned(settled: Lab, hosts: Path) -> Done:
    """Plan while Grace's server runs."""
    settled.start_server("grace")
    return settled.fab("plan", hosts=hosts)


@pytest.fixture(scope="module")
def unasked(settled: Lab, planned: Done, hosts: Path) -> Done:
    """Deploy without a terminal, and without --yes."""
    return settled.fab("deploy", hosts=hosts)


@pytest.fixture(scope="module")
def apart(settled: Lab, unasked: Done, hosts: Path) -> Iterator[Lab]:
    """Deploy with subdomains, from one domain for all."""
    done = settled.fab("deploy", "--yes", hosts=hosts)
    assert done.code == 0, done.text
    yield settled
    settled.stop_server("ada")
    settled.forget_homes()
    settled.on(MANAGER, "rm", "-rf", "/etc/letsencrypt/own")


def servers(lab: Lab) -> str:
    """Return the services of people's servers."""
    return lab.docker("service", "ls", "--quiet", "--filter", "label=swarmhub.notebooks")


def test_no_certificate_by_http_will_do(lab: Lab, tmp_path: Path) -> None:
    """That is told before the first connection."""
    done = lab.fab("deploy", hosts=variant(tmp_path, SUBDOMAINS))
    assert done.code == 2
    assert "hub.subdomains: needs a certificate for *.DOMAIN, which no authority gives by HTTP" in done.err


def test_the_plan_says_whose_servers_stop(planned: Done) -> None:
    """They would send people to log in where nobody can."""
    assert planned.code == 0, planned.text
    assert "notebooks stop: 1 (grace)" in planned.out


def test_without_a_terminal_they_are_not_stopped_unasked(settled: Lab, unasked: Done) -> None:
    """The last line says what it would cost and what to do, and her server goes on."""
    assert unasked.code == 2, unasked.text
    assert "notebooks stop: 1 (grace). Nothing was changed" in unasked.err
    assert "To go on: --yes" in unasked.err
    assert servers(settled)


def test_they_are_stopped_by_the_hub_that_comes(apart: Lab) -> None:
    """And their users can start another one."""
    apart.wait(lambda: not servers(apart), 30, "Grace's server does not stop")


def test_a_user_works_on_a_domain_of_her_own(apart: Lab, context: BrowserContext) -> None:
    """Login and start lead there, code runs, and neither she nor a page of hers reaches the hub or others from there."""
    page = log_in(context, "ada")
    start_server(page, "ada")
    assert page.url.startswith(f"{ADA}/lab")
    run_cell(page)
    assert page.evaluate(ASK, f"{ADA}/api/status") != "refused"
    assert page.evaluate(ASK, f"{topology.HUB_URL}/hub/home") == "refused"
    login = next(one for one in context.cookies() if "hub-login" in one["name"])
    assert (login["name"].startswith("__Host-"), login["domain"]) == (True, DOMAIN)
    stop_server(page, "ada")
    apart.wait(lambda: not servers(apart), 60, "Ada's server does not stop")


def test_somebody_elses_server_refuses(apart: Lab, context: BrowserContext) -> None:
    """With a login that is good for the hub."""
    apart.start_server("ada", profile=REAL)
    page = log_in(context, "grace")
    page.goto(f"{ADA}/lab")
    expect(page.locator("body")).to_contain_text("403")


def test_a_server_that_does_not_run_is_offered_by_the_hub(apart: Lab, context: BrowserContext) -> None:
    """Whose address is asked for leads to the hub's own domain, where one is logged in."""
    page = log_in(context, "ada")
    stop_server(page, "ada")
    apart.wait(lambda: not servers(apart), 60, "Ada's server does not stop")
    page.goto(f"{ADA}/lab")
    page.wait_for_url(re.compile(rf"https://{re.escape(DOMAIN)}:{PORT}/hub/.*user/ada/lab"))


def test_the_operators_proof_works_there(apart: Lab, hosts: Path) -> None:
    """A kernel's websocket and files, each at the user's own domain, over verified TLS."""
    done = apart.fab("-H", topology.WORKERS[0].name, "smoke", hosts=hosts)
    assert done.code == 0, done.text
    assert "1 of 1 nodes start servers, run code and keep files" in done.out


@pytest.mark.usefixtures("apart")
def test_plain_http_leads_to_the_domain_that_was_asked_for() -> None:
    """Or to the hub's, where that is none of the hub's."""
    led = {host: led_to(host) for host in (DOMAIN, f"ada.{DOMAIN}", "elsewhere.localhost")}
    assert led == {
        DOMAIN: f"{topology.HUB_URL}/user/ada/lab?x=1",
        f"ada.{DOMAIN}": f"{ADA}/lab?x=1",
        "elsewhere.localhost": f"{topology.HUB_URL}/user/ada/lab?x=1",
    }


def led_to(host: str) -> str | None:
    """Return where plain HTTP leads for a host."""
    connection = http.client.HTTPConnection("127.0.0.1", topology.MANAGER.ports[80], timeout=10)
    connection.request("GET", "/user/ada/lab?x=1", headers={"Host": host})
    return connection.getresponse().getheader("Location")


def test_one_domain_for_all_comes_back(apart: Lab, context: BrowserContext) -> None:
    """By an ordinary deploy; a page on that domain does reach the hub."""
    done = apart.fab("deploy", "--yes")
    assert done.code == 0, done.text
    assert "SUBDOMAIN_HOST" not in apart.docker("service", "inspect", HUB, "--format", "{{json .Spec}}")
    page = log_in(context, "ada")
    start_server(page, "ada")
    assert page.url.startswith(f"{topology.HUB_URL}/user/ada/lab")
    assert page.evaluate(ASK, f"{topology.HUB_URL}/hub/home") == 200
    stop_server(page, "ada")
