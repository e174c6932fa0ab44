"""What people read on JupyterHub's pages: before they log in, and when a server did not start."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jupyterhub._data import DATA_FILES_PATH
from traitlets.config import Config

from hub import TEMPLATES
from hub.config.page import configure
from hub.config.people.providers import REFUSED
from hub.spawner.profiles import NotOffered

STOCK = f"{DATA_FILES_PATH}/templates"
WORDS = "No node has <64 GB> of memory."
ESCAPED = "No node has &lt;64 GB&gt; of memory."


def page(name: str, **variables: Any) -> str:
    """Return a page as JupyterHub makes it: our templates before its own."""
    loader = ChoiceLoader([PrefixLoader({"templates": FileSystemLoader(STOCK)}), FileSystemLoader([TEMPLATES, STOCK])])
    template = Environment(loader=loader, autoescape=True).get_template(name)
    return template.render(base_url="/hub/", static_url=lambda path, **_: path, no_spawner_check=True, **variables)


def not_running(**variables: Any) -> str:
    """Return the page that the pending page leads to, and every later visit."""
    return page("not_running.html", spawn_url="/hub/spawn/ada/", server_name="", **variables)


def test_the_reason_of_a_failed_start_is_on_the_page_with_a_way_back() -> None:
    """The reason stands there as text, below it the way to another try and the way home."""
    shown = not_running(failed=True, failed_message=WORDS, exception=NotOffered(WORDS, status_code=400))
    assert ESCAPED in shown
    assert 'href="/hub/spawn/ada/"' in shown
    assert 'href="/hub/home"' in shown


def test_a_start_that_the_home_may_have_broken_has_a_way_in() -> None:
    """A link to a start without the packages and settings in the home; not where something else kept it from starting."""
    assert "start-bare" not in not_running(failed=True, failed_message=WORDS, exception=NotOffered(WORDS, status_code=400))
    broken = NotOffered(WORDS, status_code=400)
    broken.bare = "opt-bare=1&opt-profile=small"
    shown = not_running(failed=True, failed_message=WORDS, exception=broken)
    assert 'href="/hub/spawn/ada/?opt-bare=1&amp;opt-profile=small"' in shown


@pytest.mark.parametrize(
    ("exception", "words"),
    [(SimpleNamespace(reason="timeout"), "It did not answer in time."), (ValueError("x"), "The hub&#39;s log has the cause.")],
)
def test_a_failure_without_words_of_its_own_is_not_left_without_any(exception: Any, words: str) -> None:
    """JupyterHub's own time-outs and errors carry no message for people; where nothing failed its page stays as it is."""
    assert words in not_running(failed=True, failed_message=None, exception=exception)
    assert "is not running" in not_running()


def test_a_start_that_fails_at_once_looks_the_same() -> None:
    """Within the first second JupyterHub answers with its error page; there too the words come first, and no status."""
    shown = page("error.html", status_code=403, message=WORDS, exception=NotOffered(WORDS, status_code=403))
    assert ESCAPED in shown
    assert "403" not in shown


def test_who_may_not_log_in_reads_so_once_and_can_try_as_somebody_else() -> None:
    """The provider goes on taking them for who they were: that is said, too."""
    refused = {"message": REFUSED, "page_refused": (REFUSED,), "exception": ValueError(REFUSED)}
    shown = page("error.html", status_code=403, login_url="/hub/login", login_service="GitHub", **refused)
    assert (shown.count(REFUSED), "403" in shown) == (1, False)
    assert 'href="/hub/login"' in shown
    assert "To be somebody else to GitHub, log out there first." in shown


@pytest.mark.parametrize("more", [{}, {"exception": None}, {"exception": ValueError("x")}], ids=["proxy", "none", "other"])
def test_other_errors_have_the_stock_page(more: dict[str, Any]) -> None:
    """JupyterHub shows its error page with an exception and without one."""
    assert "503 : Service Unavailable" in page("error.html", status_code=503, status_message="Service Unavailable", **more)


def test_the_pending_page_leaves_a_failure_to_the_page_for_it() -> None:
    """The stock page marks a failure by its bar's colour; seeing that, ours loads the page of a failed start."""
    shown = page("spawn_pending.html", spawner=SimpleNamespace(name=""), progress_url="/progress", user=None)
    assert "progressBar.addClass('bg-danger')" in shown
    assert 'classList.contains("bg-danger") && location.reload()' in shown


@pytest.mark.parametrize(("name", "count"), [("", 0), ("lab", 1)])
def test_a_named_server_has_no_button_that_stops_another(name: str, count: int) -> None:
    """The stock button on the pending page stops the user's unnamed server, whichever is starting."""
    shown = page("spawn_pending.html", spawner=SimpleNamespace(name=name), progress_url="/progress", user=None)
    assert "api.stop_server(user, {" in shown
    assert shown.count('getElementById("stop-server-btn").remove()') == count


def login(**variables: Any) -> str:
    """Return the login page, with the button of a service."""
    given = {"login_service": "GitHub", "authenticator_login_url": "/hub/oauth_login"}
    return page("login.html", **given, user=None, **variables)


def told(**changed: str) -> dict[str, Any]:
    """Return what the templates are handed by the settings of a page."""
    c = Config()
    texts = {"name": "Physics", "about": "For physicists.", "announcement": ""} | changed
    configure(c, texts, Path("/no-logo"), Path("/no-data"))
    # As JupyterHub does for each page.
    return {name: one(None) if callable(one) else one for name, one in c.JupyterHub.template_vars.items()}


def test_the_login_page_says_what_this_is_above_the_button() -> None:
    """The name as the one heading, what it is, and then JupyterHub's own button; the title has the name too."""
    shown = login(**told())
    assert re.findall("<h[1-6]>.*</h[1-6]>", shown.partition('class="modal')[0]) == ["<h1>Physics</h1>"]
    assert shown.index("<h1>Physics</h1>") < shown.index("For physicists.") < shown.index("Sign in with GitHub")
    assert "<title>Physics</title>" in re.sub(r">\s+|\s+<", lambda space: space[0].strip(), shown)


def test_what_looks_like_html_is_text_on_the_page() -> None:
    """In the name, in the sentence below it and in the announcement, wherever they stand."""
    script = "<script>alert(1)</script>"
    shown = login(**told(name=script, about=script, announcement=script))
    assert script not in shown
    assert shown.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 5  # title, beside the logo, heading, below it, announcement


@pytest.mark.parametrize("name", ["login.html", "home.html", "spawn.html", "spawn_pending.html", "error.html"])
def test_the_announcement_is_on_every_page(name: str) -> None:
    """Once, with its link; nothing to say takes no room."""
    more = {"spawner": SimpleNamespace(name=""), "default_server": SimpleNamespace(active=False), "login_service": "GitHub"}
    shown = page(name, user=None, **more, **told(announcement="See https://status.example.org."))
    link = '<a href="https://status.example.org">https://status.example.org</a>'
    assert len(re.findall(f'<div class="[^"]*announcement[^"]*">See {link}.</div>', shown)) == 1
    assert not re.findall('<div class="[^"]*announcement', page(name, user=None, **more, **told()))


def test_the_home_page_says_when_a_server_stops() -> None:
    """With a button to keep it, where that is possible now."""
    more = {"default_server": SimpleNamespace(active=True), **told()}
    stops = [{"name": "", "minutes": 5, "keep": True}, {"name": "lab<", "minutes": 1, "keep": False}]
    shown = " ".join(page("home.html", user=None, **more | {"page_stops": stops}).split())
    assert "Your server stops in about 5 minutes, if nobody uses it. <button" in shown
    assert "Your server lab&lt; stops in about 1 minute, if nobody uses it. </p>" in shown
    assert "stops in about" not in page("home.html", user=None, **more)


def test_the_logo_is_read_out_as_the_name() -> None:
    """Beside its name the picture is decoration; alone, and where conf.d has other variables, it is JupyterHub's own."""
    assert re.findall('alt="[^"]*"', login(**told())) == ['alt=""']
    for nameless in (login(**told(name="")), login()):
        assert re.findall('alt="[^"]*"', nameless) == ['alt="JupyterHub logo"']
        assert ("<h1>JupyterHub</h1>" in nameless, "Sign in with GitHub" in nameless) == (True, True)


def test_a_logo_of_ones_own_is_large_on_the_login_page() -> None:
    """Once beside the name on top, once above the heading; JupyterHub's own is only on top."""
    assert login(**told() | {"page_has_logo": True}).count('src="/hub/logo"') == 2
    assert login(**told()).count('src="/hub/logo"') == 1
