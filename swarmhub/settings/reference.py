"""Write docs/settings.md and docs/hosts.schema.json from the schema: make docs."""

import json
from pathlib import Path
from typing import Any

from swarmhub.settings.schema.model import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEAD = """# Settings

All that `hosts.toml` may say. Generated from `swarmhub/settings/schema/model.py` by `make docs`; do not edit.
Paths count from the folder of `hosts.toml`. For completion and checks in an editor: `docs/hosts.schema.json`.
`fab check` names every mistake with its line, before anything is connected to.
"""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `hosts.toml`, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "hosts.toml", **Settings.model_json_schema()}


def page() -> str:
    """Return the reference page."""
    whole = schema()
    parts = [HEAD]
    for name, table in whole["properties"].items():
        is_list = table.get("type") == "array"
        reference = (table["items"] if is_list else table).get("$ref", "")
        head = f"[[{name}]]" if is_list else f"[{name}]"
        if not reference:  # its keys are anybody's
            parts.append(f"\n## {head}\n\n{table['description']}\n")
            continue
        definition = whole["$defs"][reference.rpartition("/")[2]]
        parts.append(f"\n## {head}\n\n{_one_line(definition['description'])}\n\n")
        parts.append("| key | value | default | |\n|---|---|---|---|\n")
        required = definition.get("required", [])
        parts += [_row(key, value, key in required) for key, value in definition["properties"].items()]
    return "".join(parts)


def _row(key: str, value: dict[str, Any], is_required: bool) -> str:
    default = "**required**" if is_required else _code(value.get("default"))
    return f"| `{key}` | {_kind(value)} | {default} | {value.get('description', '')} |\n"


def _kind(value: dict[str, Any]) -> str:
    options = [one for one in value.get("anyOf", [value]) if one.get("type") != "null"]
    one = options[0]
    if "enum" in one:
        return " or ".join(_code(choice) for choice in one["enum"])
    names = {"boolean": "true or false", "integer": "number", "number": "number", "array": "list of strings", "object": "table"}
    return names.get(one["type"], "string")


def _code(value: Any) -> str:
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value)}`"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    """Write both files."""
    DOCS.mkdir(exist_ok=True)
    (DOCS / "settings.md").write_text(page())
    (DOCS / "hosts.schema.json").write_text(json.dumps(schema(), indent=2) + "\n")


if __name__ == "__main__":
    main()
