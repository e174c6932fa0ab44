"""The documentation: its examples load, no setting is without one, and its links lead somewhere."""

import re
import tomllib
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

import fabfile
from swarmhub.settings import load
from swarmhub.settings.schema.certs import Certs
from swarmhub.settings.schema.firewall import Firewall
from swarmhub.settings.schema.grammar import Table
from swarmhub.settings.schema.model import Settings
from swarmhub.settings.schema.notebook import Culling, Folder, Home, Limits, Notebook, Override, Profile
from swarmhub.settings.schema.page import Page
from swarmhub.settings.schema.people.access import Access
from tests.lab import examples
from tests.unit.support.fakes import NOTEBOOK, settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PROJECTS = sorted((ROOT / "docs" / "examples").glob("*/hosts.toml"))
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [example for page in PAGES for example in BLOCK.findall(page.read_text())]
TABLES: dict[str, type[Table]] = {
    "access": Access,
    "certs": Certs,
    "page": Page,
    "notebook": Notebook,
    "profiles": Profile,
    "overrides": Override,
    "home": Home,
    "folders": Folder,
    "culling": Culling,
    "limits": Limits,
    "firewall": Firewall,
}
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
# Settings name pages in comments, and messages do in their remedies.
NAMED = re.compile(r"\bdocs/[\w-]+\.md\b")
SOURCES = [path for room in ("swarmhub", "tasks", "hub", "lab") for path in sorted((ROOT / room).rglob("*.py"))]
WRITTEN = [*PAGES, *ROOT.glob("*.md"), *SOURCES]
COMMAND = re.compile(r"\bfab (?:-H [^\s`]+ )?([a-z][a-z.-]*[a-z])((?: [^`|()\";,?]*)?)")
OPTION = re.compile(r"--[a-z-]+")
FABRICS_OWN = {"--debug", "--help", "--list"}
TEST = re.compile(r"`(test_\w+(?:\.py)?)`")
FILE = re.compile(r"`((?:swarmhub|hub|tasks|tests|bench|supply)/[\w./-]+)`")
# What a profile or an override may set besides is what [notebook] shows.
OWN = {"profiles": {"name", "description", "groups"}, "overrides": {"users", "groups", "profiles"}}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_loads(example: str) -> None:
    """Each TOML block of docs/, put into the tests' hosts.toml, is a cluster's settings."""
    tables = tomllib.loads(example)
    tables["notebook"] = {"image": NOTEBOOK} | tables.get("notebook", {})
    assert isinstance(settings(**tables), Settings)


@pytest.mark.parametrize("name", [path.parent.name for path in PROJECTS])
def test_a_project_of_the_examples_loads(name: str, tmp_path: Path) -> None:
    """Each project of docs/examples has settings, a userlist with an admin, and files that only its operator has."""
    hosts, _ = examples.make(name, tmp_path)
    loaded = load(hosts)
    assert any(line.endswith(" admin") for line in loaded.hub.userlist.read_text().splitlines())
    assert f"({name}/hosts.toml)" in (ROOT / "docs" / "examples" / "README.md").read_text()


def shown(table: str) -> set[str]:
    """Return the keys of a table that the examples show."""
    found: set[str] = set()
    for example in EXAMPLES:
        value: Any = tomllib.loads(example).get(table, {})
        for row in value if isinstance(value, list) else [value]:
            found |= set(row)
    return found


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_has_an_example(table: str) -> None:
    """Each key of the tables that people notice stands in one."""
    keys = OWN.get(table) or set(TABLES[table].model_fields)
    if table in ("home", "folders"):
        keys -= shown("home") | shown("folders")
    if table == "notebook":
        keys -= shown("profiles")
    assert keys - shown(table) == set()


def anchors(page: Path) -> set[str]:
    """Return what a link can lead to inside a page, as GitHub makes it of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page.read_text())}


@pytest.mark.parametrize("page", [*PAGES, *ROOT.glob("*.md")], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    """A page or a heading that was renamed is found by those who link to it."""
    for file, anchor in LINK.findall(page.read_text()):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {file}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {file}#{anchor}"


def test_a_page_that_a_setting_or_a_message_names_exists() -> None:
    """In the comments of hosts.toml and of the examples, and in the code."""
    texts = [path.read_text() for path in (ROOT / "hosts.toml", *WRITTEN)]
    assert [name for text in texts for name in NAMED.findall(text) if not (ROOT / name).exists()] == []


def options() -> dict[str, set[str]]:
    """Return each task, as it is typed, with its options."""
    # Not by their arguments: Invoke takes the help from a task that is asked for them.
    taken = {name: signature(fabfile.ns[name].body).parameters for name in fabfile.ns.task_names}
    return {name: {f"--{one.replace('_', '-')}" for one in parameters} for name, parameters in taken.items()}


def test_a_command_that_is_named_exists() -> None:
    """A page or a message says no `fab` command that an operator cannot type, and no option that it does not take."""
    known = options()
    wrong = []
    for path in WRITTEN:
        for task, rest in COMMAND.findall(path.read_text()):
            unknown = set(OPTION.findall(rest)) - known.get(task, set()) - FABRICS_OWN
            if task not in known or unknown:
                wrong.append((str(path.relative_to(ROOT)), task, *sorted(unknown)))
    assert wrong == []


def test_a_test_or_a_file_that_a_page_names_exists() -> None:
    """A page that says what holds, or where it is, leads to it."""
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    known = {name for path in tests for name in (path.name, *re.findall(r"def (test_\w+)", path.read_text()))}
    found = {page.name: TEST.findall(page.read_text()) + FILE.findall(page.read_text()) for page in PAGES}
    wrong = [
        (page, name) for page, names in found.items() for name in names if name not in known and not (ROOT / name).exists()
    ]
    assert wrong == []
