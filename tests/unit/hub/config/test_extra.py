"""Options beyond ours: tables of hosts.toml, and files of conf.d."""

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from hub.config import extra


@pytest.mark.parametrize(
    ("ours", "value", "joined"),
    [
        (None, [1], [1]),
        ([1], [2], [1, 2]),
        ({"ada"}, ["grace"], {"ada", "grace"}),
        ({"A": "1", "B": "1"}, {"B": "2"}, {"A": "1", "B": "2"}),
        (30, 60, 60),
        ("/lab", "/tree", "/tree"),
    ],
)
def test_lists_and_tables_join_ours_and_all_else_replaces_it(tmp_path: Path, ours: Any, value: Any, joined: Any) -> None:
    """A service of one's own stands beside the culler; a number is the operator's."""
    c = Config()
    if ours is not None:
        c.Some.option = ours
    extra.apply(c, {"Some": {"option": value}}, tmp_path)
    assert c.Some.option == joined
    # JupyterHub takes the first page of a name.
    c.JupyterHub.template_paths = ["/ours"]
    extra.apply(c, {"JupyterHub": {"template_paths": ["/theirs"]}}, tmp_path)
    assert c.JupyterHub.template_paths == ["/theirs", "/ours"]


def test_a_secret_is_what_its_file_holds(tmp_path: Path) -> None:
    """However deep in a value its name stands."""
    (tmp_path / "TOKEN").write_text("hush")
    c = Config()
    value = [{"name": "report", "api_token": {"secret": "TOKEN"}}]
    extra.apply(c, {"JupyterHub": {"services": value}, "Some": {"key": {"secret": "TOKEN"}}}, tmp_path)
    assert (c.JupyterHub.services, c.Some.key) == ([{"name": "report", "api_token": "hush"}], "hush")


def test_the_files_of_conf_d_are_run_by_name(tmp_path: Path) -> None:
    """The later one has the last word, and what is no Python is left alone."""
    (tmp_path / "20-b.py").write_text("c = get_config()\nc.Some.option += 'b'\n")
    (tmp_path / "10-a.py").write_text("c.Some.option = 'a'\n")
    (tmp_path / "README.md").write_text("no Python")
    c = Config()
    extra.load(c, tmp_path)
    assert c.Some.option == "ab"


def test_a_hook_of_conf_d_finds_what_its_file_has(tmp_path: Path) -> None:
    """It is called long after the file was run."""
    (tmp_path / "hook.py").write_text("import os\nNAME = 'x'\ndef hook():\n    return os.sep + NAME\nc.Some.hook = hook\n")
    c = Config()
    extra.load(c, tmp_path)
    assert c.Some.hook() == "/x"


def test_what_only_hosts_toml_decides_is_refused() -> None:
    """However it is set; a value that stays as it is, is no matter."""
    c = Config()
    c.JupyterHub.bind_url = "http://:8000"
    with extra.guarded(c.JupyterHub):
        c.JupyterHub.bind_url = "http://:8000"
    with (
        pytest.raises(ValueError, match=r"JupyterHub.base_url is swarmhub's own: use hub.base_url"),
        extra.guarded(c.JupyterHub),
    ):
        c["JupyterHub"]["base_url"] = "/x/"


def test_lists_and_tables_of_ours_stay_whatever_is_set() -> None:
    """A service of one's own does not end the culler."""
    c = Config()
    c.JupyterHub.services, c.JupyterHub.template_vars = [{"name": "idle-culler"}], {"page_name": "ours"}
    with extra.guarded(c.JupyterHub):
        c.JupyterHub.services = [{"name": "report"}]
        c.JupyterHub.template_vars = {"announcement": "theirs"}
    assert c.JupyterHub.services == [{"name": "report"}, {"name": "idle-culler"}]
    assert c.JupyterHub.template_vars == {"page_name": "ours", "announcement": "theirs"}
