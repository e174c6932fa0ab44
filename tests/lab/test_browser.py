"""What people see: log in, run a notebook, be refused, be let in; in headless Chromium."""

import re
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, expect

from lab import topology
from tests.lab.browsing import log_in, picture, refused, run_cell, start_server, stop_server
from tests.lab.support import HUB, Lab, Settings
from tests.lab.test_plan import edited


def test_a_hub_without_settings_says_what_it_is(deployed: Lab, context: BrowserContext) -> None:
    """A sentence with the domain, and JupyterHub's own logo on top."""
    page = context.new_page()
    page.goto(f"{topology.HUB_URL}/hub/login")
    expect(page.get_by_role("heading", level=1)).to_have_text("JupyterHub")
    expect(page.get_by_text(f"Jupyter notebooks on {topology.DOMAIN}, in your browser. Sign in to start.")).to_be_visible()
    expect(page.get_by_role("img", name="JupyterHub logo")).to_be_visible()
    expect(page.locator(".announcement")).to_have_count(0)


def test_listed_user_runs_a_cell_on_a_worker(deployed: Lab, context: BrowserContext) -> None:
    """A listed user logs in, starts a server on a worker, runs a cell in JupyterLab and sees its output."""
    page = log_in(context, "grace")
    start_server(page, "grace")
    run_cell(page)
    node = deployed.docker("service", "ps", f"{HUB}-grace", "--format", "{{.Node}}")
    assert node in {worker.name for worker in topology.WORKERS}
    stop_server(page, "grace")


def test_server_can_be_started_again_at_once(deployed: Lab, context: BrowserContext) -> None:
    """A server that is stopped and started again answers: the hub does not go on asking the old one's address."""
    page = log_in(context, "grace")
    for _ in range(2):
        start_server(page, "grace")
        stop_server(page, "grace")


def test_unlisted_user_is_refused(deployed: Lab, context: BrowserContext) -> None:
    """A user who is not listed gets through GitHub and no further."""
    page = log_in(context, "mallory")
    refused(page)
    picture(page, "refused")
    page.get_by_role("button", name="Log in as somebody else").click()
    expect(page.get_by_text("Sign in with GitHub").first).to_be_visible()


def test_who_types_the_plain_address_lands_at_the_login_by_https(deployed: Lab, context: BrowserContext) -> None:
    """As people do, who leave the scheme out."""
    page = context.new_page()
    page.goto(f"http://{topology.DOMAIN}:{topology.MANAGER.ports[80]}/")
    expect(page.get_by_text("Sign in with GitHub").first).to_be_visible()
    assert page.url.startswith(f"{topology.HUB_URL}/hub/login")


def test_admin_adds_a_user_who_then_gets_in(deployed: Lab, browser: Browser, context: BrowserContext) -> None:
    """A user added in the admin console, as the document promises, can log in."""
    refused(log_in(context, "linus"))
    with browser.new_context(ignore_https_errors=True) as of_admin:
        console = log_in(of_admin, "ada")
        console.goto(f"{topology.HUB_URL}/hub/admin")
        console.get_by_role("button", name="Add Users").or_(console.get_by_role("link", name="Add Users")).first.click()
        console.locator("#user-textarea, textarea").first.fill("linus")
        console.locator("#submit").click()
        expect(console.get_by_text("linus").first).to_be_visible()
        try:
            let_in = log_in(context, "linus")
            expect(let_in.locator("#start")).to_be_visible()
        finally:
            console.evaluate("""async () => {
                const xsrf = document.cookie.split('; ').find(part => part.startsWith('_xsrf=')).slice(6);
                await fetch('/hub/api/users/linus', {method: 'DELETE', headers: {'X-XSRFToken': xsrf}});
            }""")


def test_hub_restart_leaves_notebooks_usable(
    deployed: Lab, browser: Browser, context: BrowserContext, settings: Settings, tmp_path: Path
) -> None:
    """An edited userlist replaces the hub; the server that ran before goes on, and a new login reaches it."""
    page = log_in(context, "grace")
    start_server(page, "grace")
    task = deployed.docker("service", "ps", f"{HUB}-grace", "--format", "{{.ID}} {{.CurrentState}}").split()[:2]
    assert deployed.fab("deploy", hosts=edited(settings, tmp_path)).code == 0
    assert deployed.docker("service", "ps", f"{HUB}-grace", "--format", "{{.ID}} {{.CurrentState}}").split()[:2] == task
    with browser.new_context(ignore_https_errors=True) as elsewhere:
        other = log_in(elsewhere, "grace")
        other.wait_for_url("**/hub/home")
        other.goto(f"{topology.HUB_URL}/user/grace/lab")
        expect(other).to_have_title(re.compile("JupyterLab"), timeout=30_000)
    stop_server(page, "grace")
