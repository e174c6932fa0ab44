"""What is in an image."""

import json
from pathlib import Path

from supply import inside


def package(folder: Path, name: str, version: str = "1.0") -> None:
    """Leave a package's file in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps({"name": name, "version": version}))


def test_npms_packages_are_found_at_every_depth(tmp_path: Path) -> None:
    """With their scopes; a file of that name inside a package is none."""
    modules = tmp_path / "node_modules"
    package(modules / "a", "a")
    package(modules / "a" / "node_modules" / "b", "b", "2.0")
    package(modules / "@scope" / "c", "@scope/c")
    package(modules / "a" / "lib" / "esm", "esm")
    (modules / "a" / "node_modules" / "d").mkdir()
    (modules / "a" / "node_modules" / "d" / "package.json").write_text("{}")
    found = [(one["name"], one["version"]) for one in inside.npm(modules)]
    assert found == [("@scope/c", "1.0"), ("a", "1.0"), ("b", "2.0")]


def test_pythons_packages_are_those_of_the_interpreter() -> None:
    """By name and version."""
    assert "pytest" in {one["name"] for one in inside.python()}
