"""The examples of the documentation: they load, and no setting is without one."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from swarmhub.settings.schema.access import Access
from swarmhub.settings.schema.certs import Certs
from swarmhub.settings.schema.firewall import Firewall
from swarmhub.settings.schema.grammar import Table
from swarmhub.settings.schema.model import Settings
from swarmhub.settings.schema.notebook import Culling, Folder, Home, Limits, Notebook, Override, Profile
from swarmhub.settings.schema.page import Page
from tests.unit.support.fakes import NOTEBOOK, settings

PAGES = sorted((Path(__file__).resolve().parents[2] / "docs").glob("*.md"))
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
# What a profile or an override may set besides is what [notebook] shows.
OWN = {"profiles": {"name", "description", "groups"}, "overrides": {"users", "groups", "profiles"}}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_loads(example: str) -> None:
    """Each TOML block of docs/, put into the document's hosts.toml, is a cluster's settings."""
    tables = tomllib.loads(example)
    tables["notebook"] = {"image": NOTEBOOK} | tables.get("notebook", {})
    assert isinstance(settings(**tables), Settings)


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
