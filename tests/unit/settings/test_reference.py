"""The reference page and the JSON Schema, made of the schema itself."""

import json
from pathlib import Path

import pytest

from swarmhub.settings import reference
from swarmhub.settings.schema.model import Settings
from swarmhub.settings.schema.notebook import Folder, Override, Profile

LISTS = {"profiles": Profile, "overrides": Override, "folders": Folder}
FREE = ("groups", "jupyterhub")


@pytest.mark.parametrize("table", [name for name in Settings.model_fields if name not in FREE])
def test_every_setting_is_on_the_page(table: str) -> None:
    """Each table of hosts.toml has a section, and each of its keys a row."""
    head = f"[[{table}]]" if table in LISTS else f"[{table}]"
    section = reference.page().partition(f"\n## {head}\n")[2].partition("\n## ")[0]
    model = LISTS.get(table, Settings.model_fields[table].annotation)
    rows = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert rows == list(getattr(model, "model_fields"))  # noqa: B009 - its type is not known here


@pytest.mark.parametrize("table", FREE)
def test_a_table_with_keys_of_ones_own_says_what_they_are(table: str) -> None:
    """It has a section with a sentence instead of rows."""
    section = reference.page().partition(f"\n## [{table}]\n")[2].partition("\n## ")[0]
    assert section.strip() == Settings.model_fields[table].description


@pytest.mark.parametrize(
    "row",
    [
        "| `port` | number | `443` | The port published on the manager. |",
        "| `managers` | list of strings | **required** | Swarm managers. The hub runs on the first one. |",
        "| `sudo` | true or false | `false` |",
        '| `publish` | `"ingress"` or `"host"` | `"host"` |',
        "| `options` | table |  | Its driver's options. |",
        "| `subnet` | string |  | Its addresses: a /24 has room for some 250 servers. Default: Docker chooses a /24. |",
    ],
)
def test_a_row_says_kind_default_and_meaning(row: str) -> None:
    """What may stand there is said as TOML has it, with the default, or that there is none."""
    assert row in reference.page()


def test_the_schema_is_for_editors() -> None:
    """An editor refuses unknown keys, and knows which tables there have to be."""
    schema = reference.schema()
    assert (set(schema["required"]), schema["additionalProperties"]) == ({"hosts", "hub", "notebook"}, False)


def test_both_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make docs` writes the page and the schema, in a folder that may not be there yet."""
    monkeypatch.setattr(reference, "DOCS", tmp_path / "docs")
    reference.main()
    assert (tmp_path / "docs" / "settings.md").read_text() == reference.page()
    assert json.loads((tmp_path / "docs" / "hosts.schema.json").read_text()) == reference.schema()


def test_the_committed_files_are_those_of_the_schema() -> None:
    """Who changes a setting runs `make docs`: the page and the schema in docs/ are up to date."""
    assert (reference.DOCS / "settings.md").read_text() == reference.page()
    assert json.loads((reference.DOCS / "hosts.schema.json").read_text()) == reference.schema()
