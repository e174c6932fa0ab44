"""List what is in the image that this runs in, as a line of JSON: Debian's packages, Python's and npm's."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

LISTED = "${db:Status-Status}\t${source:Package}\t${binary:Package}\t${Version}\t${Architecture}\n"


def main() -> None:
    """Print it."""
    print(json.dumps({"debian": debian(), "pypi": python(), "npm": npm(Path("/opt/proxy/node_modules"))}))


def debian() -> list[dict[str, str]]:
    """Return Debian's packages."""
    done = subprocess.run(["dpkg-query", "--show", f"--showformat={LISTED}"], capture_output=True, text=True, check=True)
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return [
        {"name": name.partition(":")[0], "version": version, "architecture": architecture}
        for status, _, name, version, architecture in rows
        if status == "installed"
    ]


def python() -> list[dict[str, str]]:
    """Return the packages of the Python that runs the image's program, without those that are Debian's."""
    folders = [one for one in sys.path if "/dist-packages" not in one]
    found = {(one.name, one.version) for one in importlib.metadata.distributions(path=folders)}
    return [{"name": name, "version": version} for name, version in sorted(found)]


def npm(folder: Path) -> list[dict[str, str]]:
    """Return the packages below a folder, at whatever depth."""
    files = (file for file in folder.rglob("package.json") if _is_package(file.parent))
    found = {(one["name"], one["version"]) for one in map(_read, files) if {"name", "version"} <= set(one)}
    return [{"name": name, "version": version} for name, version in sorted(found)]


def _is_package(folder: Path) -> bool:
    above = folder.parent
    return above.name == "node_modules" or (above.name.startswith("@") and above.parent.name == "node_modules")


def _read(file: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(file.read_text())
    return found


if __name__ == "__main__":
    main()
