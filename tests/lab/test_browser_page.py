"""What people see first: who they are with, what this is, and what they have to know; in headless Chromium."""

import pytest
from playwright.sync_api import BrowserContext, Page, ViewportSize, expect

from lab import topology
from tests.lab.browsing import log_in, picture
from tests.lab.furnished import ANNOUNCEMENT
from tests.lab.support import Lab

LOGIN = f"{topology.HUB_URL}/hub/login"
PHONE: ViewportSize = {"width": 375, "height": 740}
# How WCAG measures contrast: between the colour of a text and the nearest one behind it.
CONTRAST = """text => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = colour => numbers(colour).slice(0, 3)
        .map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const colour = element => getComputedStyle(element).backgroundColor;
    let behind = text;
    while (numbers(colour(behind))[3] === 0) behind = behind.parentElement;
    const [low, high] = [getComputedStyle(text).color, colour(behind)].map(luminance).sort((one, other) => one - other);
    return (high + 0.05) / (low + 0.05);
}"""


def login_page(context: BrowserContext) -> Page:
    """Return the login page."""
    page = context.new_page()
    page.goto(LOGIN)
    return page


def is_as_wide_as_its_window(page: Page) -> bool:
    """Tell whether nothing of a page is to its right."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_the_login_page_says_where_one_is(furnished: Lab, context: BrowserContext) -> None:
    """The name in the title and as the heading, the logo as a picture, and the texts with their links."""
    page = login_page(context)
    expect(page).to_have_title("Physics notebooks")
    expect(page.get_by_role("heading", level=1)).to_have_text("Physics notebooks")
    expect(page.get_by_role("link", name="https://physics.example.org/help")).to_be_visible()
    expect(page.locator(".announcement")).to_have_text(ANNOUNCEMENT)
    page.wait_for_function("[...document.images].length === 2 && [...document.images].every(image => image.naturalWidth > 0)")
    picture(page, "login")


def test_the_announcement_is_where_people_are(furnished: Lab, context: BrowserContext) -> None:
    """On the home page and above the choices, and the name leads home."""
    page = log_in(context, "grace")
    for path in ("home", "spawn"):
        page.goto(f"{topology.HUB_URL}/hub/{path}")
        expect(page.locator(".announcement")).to_have_text(ANNOUNCEMENT)
        expect(page.get_by_role("link", name="Physics notebooks")).to_be_visible()
    picture(page, "announcement")


def test_a_phone_shows_all_of_it(furnished: Lab, context: BrowserContext) -> None:
    """Nothing is wider than the window, before and after the login."""
    page = login_page(context)
    page.set_viewport_size(PHONE)
    assert is_as_wide_as_its_window(page)
    expect(page.get_by_role("button", name="Sign in with GitHub")).to_be_in_viewport()
    picture(page, "login-phone")
    page = log_in(context, "grace")
    page.set_viewport_size(PHONE)
    page.goto(f"{topology.HUB_URL}/hub/spawn")
    assert is_as_wide_as_its_window(page)
    picture(page, "announcement-phone")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_the_contrast_that_people_need(furnished: Lab, context: BrowserContext, scheme: str) -> None:
    """At least 4.5 to 1, what WCAG asks for (AA), on a light and on a dark screen."""
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
    page.goto(LOGIN)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
    parts = ("h1", "#about p", "#about a", ".announcement", ".announcement a", "#login-main [role=button]")
    assert {part: ratio for part in parts if (ratio := page.locator(part).evaluate(CONTRAST)) < 4.5} == {}
