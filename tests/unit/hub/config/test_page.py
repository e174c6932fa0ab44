"""What people see first, as JupyterHub is told it."""

from pathlib import Path
from typing import Any

import pytest
from jupyterhub.app import JupyterHub
from traitlets.config import Config

from hub.config import page
from hub.config.people.login import ANOTHER
from hub.config.people.providers import REFUSED

PAGE = {"name": "Physics", "about": "For <physicists>.", "announcement": "Closed on Friday."}


def configured(folder: Path, **changed: str) -> Any:
    """Return what JupyterHub is told."""
    c = Config()
    page.configure(c, PAGE | changed, folder, folder)
    return c.JupyterHub


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("Fish & \"chips\" & 'peas'", "Fish &amp; &#34;chips&#34; &amp; &#39;peas&#39;"),
        ("one\ntwo", "one<br>two"),
        ("", ""),
        ("See https://a.org/x?b=1&c=2.", 'See <a href="https://a.org/x?b=1&amp;c=2">https://a.org/x?b=1&amp;c=2</a>.'),
        ("(https://a.org/B_(c))", '(<a href="https://a.org/B_(c)">https://a.org/B_(c)</a>)'),
        (
            "https://a.org\nhttps://b.org!",
            '<a href="https://a.org">https://a.org</a><br><a href="https://b.org">https://b.org</a>!',
        ),
        ('https://a.org"onclick="x', '<a href="https://a.org">https://a.org</a>&#34;onclick=&#34;x'),
        ("https://a.org<b>", '<a href="https://a.org">https://a.org</a>&lt;b&gt;'),
        ("https:// and a.org and javascript:alert(1)", "https:// and a.org and javascript:alert(1)"),
    ],
)
def test_a_text_is_a_text(text: str, shown: str) -> None:
    """Whatever looks like HTML is shown as it was written; only https addresses and the ends of lines mean something."""
    assert page.html(text) == shown


def test_the_texts_reach_the_templates_as_html(tmp_path: Path) -> None:
    """JupyterHub's own templates take the announcement for HTML: it is escaped before; the name is escaped by ours."""
    found = configured(tmp_path, announcement="<b>Now</b>", name="<i>").template_vars
    # JupyterHub asks what can be called for each page.
    assert {name: one(None) if callable(one) else one for name, one in found.items()} == {
        "announcement": "&lt;b&gt;Now&lt;/b&gt;",
        "page_stops": [],
        "page_name": "<i>",
        "page_about": "For &lt;physicists&gt;.",
        "page_has_logo": False,
        "page_refused": (REFUSED, ANOTHER),
    }


@pytest.mark.parametrize("kind", ["svg", "png", "jpg"])
def test_the_logo_is_the_one_that_the_image_holds(tmp_path: Path, kind: str) -> None:
    """Of whichever kind; its ending is what browsers are told; an image whose folder is empty leaves JupyterHub's own."""
    (tmp_path / ".keep").write_bytes(b"")
    assert JupyterHub(config=Config(JupyterHub=configured(tmp_path))).logo_file.endswith("jupyterhub-80.png")
    (tmp_path / f"logo.{kind}").write_bytes(b"")
    c = configured(tmp_path)
    assert (c.logo_file, c.template_vars["page_has_logo"]) == (str(tmp_path / f"logo.{kind}"), True)
