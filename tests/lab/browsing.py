"""What the browser tests share: how a person logs in, starts a server and stops it."""

import os
import re
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from lab import topology
from tests.lab.support import REAL, ROOT

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SPAWN_MS = 120_000


def log_in(context: BrowserContext, name: str, at: str = "GitHub") -> Page:
    """Go through the GitHub stand-in as `name`, from the hub's front page, whose button leads there by what it is called."""
    page = context.new_page()
    page.goto(f"{topology.HUB_URL}/hub/home")
    page.get_by_role("button", name=f"Sign in with {at}").or_(page.get_by_role("link", name=f"Sign in with {at}")).click()
    page.get_by_role("button", name=name).click()
    page.wait_for_url(f"{topology.HUB_URL}/**")
    return page


def refused(page: Page) -> None:
    """Make sure that the page says that one may not log in."""
    page.wait_for_url(f"{topology.HUB_URL}/hub/oauth_callback**")
    expect(page.get_by_role("alert")).to_contain_text("not among the people who may use this hub")


def start_server(page: Page, name: str) -> None:
    """Start a user's server from the home page, and wait until JupyterLab is there."""
    page.goto(f"{topology.HUB_URL}/hub/home")
    page.locator("#start").click()
    page.wait_for_url(re.compile("/(hub/spawn|user/)"))  # the choices, or how far the server is
    if page.locator("#spawn_form").count():
        # What the user had last is preselected: it may be the profile without JupyterLab.
        page.locator(f"input[name=profile][value={REAL.lower()}]").check()
        page.get_by_role("button", name="Start").click()
    page.wait_for_url(f"**/user/{name}/lab**", timeout=SPAWN_MS)


def run_cell(page: Page) -> None:
    """Open a notebook from JupyterLab's launcher, run a cell, and see its output."""
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click(timeout=60_000)
    cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    cell.fill("print('six by seven is', 6 * 7)")
    cell.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text("six by seven is 42", timeout=60_000)


def stop_server(page: Page, name: str) -> None:
    """Stop a user's server through the hub, with the page's own login."""
    page.goto(f"{topology.HUB_URL}/hub/home")
    script = """async name => {
        const xsrf = document.cookie.split('; ').find(part => part.startsWith('_xsrf=')).slice(6);
        const options = {method: 'DELETE', headers: {'X-XSRFToken': xsrf}};
        return (await fetch(`/hub/api/users/${name}/server`, options)).status;
    }"""
    assert page.evaluate(script, name) in (202, 204)


def picture(page: Page, name: str) -> None:
    """Keep a screenshot for the docs, where it is asked for: SCREENSHOTS=docs/images pytest …."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(ROOT, folder, f"{name}.png"))
