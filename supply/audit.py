"""Ask the advisory services for known weaknesses in all that is pinned.

    make audit

The exit code is 0 where nothing is known, 1 where something is that docs/security.md does not accept, and 3 where a service
has not answered for a file: such a file counts as not audited, never as passed.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON = (
    "requirements.lock",
    "requirements-dev.lock",
    "hub/requirements.lock",
    "hub/requirements-build.lock",
    "supply/requirements.lock",
)
# The operator's own: fab lock-hub writes it.
OWN = [name for name in ("packages.lock",) if (ROOT / name).exists()]
NPM = "hub/package-lock.json"
PAGE, HEADING = ROOT / "docs" / "security.md", "## Accepted findings"
PIP_AUDIT = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--timeout", "15", "--format", "json")
SECONDS = 300
FOUND, UNANSWERED = 1, 3


@dataclass(frozen=True)
class Finding:
    """A known weakness: its names, the package with its version, the file that pins it, and what is said on it."""

    names: tuple[str, ...]
    package: str
    file: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What a service says of a file. `unanswered` says why there is none; then nothing is known."""

    file: str
    packages: int = 0
    findings: tuple[Finding, ...] = ()
    unanswered: str = ""


def main() -> int:
    """Ask, say what is known in a line each, and return the exit code."""
    answers = [*map(ask_python, [*PYTHON, *OWN]), ask_npm()]
    accepted = read_accepted(PAGE.read_text(), datetime.now(UTC).date())
    print("\n".join(map(_plain, told(answers, accepted))))
    return code(answers, accepted)


def ask_python(file: str) -> Answer:
    """Ask for the Python packages that a lock file pins."""
    command = [str(Path(sys.executable).with_name("pip-audit")), *PIP_AUDIT, "-r", file]
    return read_python(file, *_said(command, ROOT))


def ask_npm() -> Answer:
    """Ask for the packages of npm's lock file."""
    return read_npm(NPM, *_said(["npm", "audit", "--json", "--package-lock-only"], ROOT / Path(NPM).parent))


def read_python(file: str, out: str, err: str) -> Answer:
    """Read what pip-audit printed; a package that it has skipped is one that no service has answered for."""
    try:
        packages = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Answer(file, unanswered=_last(err or out))
    if skipped := [one["name"] for one in packages if "vulns" not in one]:
        return Answer(file, len(packages), unanswered=f"nothing is said of {_few(skipped)}")
    found = (_python(file, one, each) for one in packages for each in one["vulns"])
    return Answer(file, len(packages), tuple(found))


def _python(file: str, package: Mapping[str, Any], known: Mapping[str, Any]) -> Finding:
    fixed = ", ".join(known.get("fix_versions") or []) or "no version yet"
    names = (known["id"], *(known.get("aliases") or []))
    return Finding(names, f"{package['name']} {package['version']}", file, f"fixed in {fixed}")


def read_npm(file: str, out: str, err: str) -> Answer:
    """Read what `npm audit` printed."""
    try:
        answer = json.loads(out)
        known, total = answer["vulnerabilities"], answer["metadata"]["dependencies"]["total"]
    except (ValueError, KeyError, TypeError):
        return Answer(file, unanswered=_last(err or out))
    # Of one that has its weakness from another only the other's name is said.
    found = {
        (name, str(each["url"])): Finding((each["url"].rpartition("/")[2],), f"{name} {each['range']}", file, each["title"])
        for name, one in known.items()
        for each in one["via"]
        if isinstance(each, dict)
    }
    return Answer(file, total, tuple(found.values()))


def read_accepted(page: str, today: date) -> frozenset[str]:
    """Return the names of the findings that the table of docs/security.md accepts until a day that has not passed."""
    _, _, below = page.partition(HEADING)
    rows = re.findall(r"^\| *([\w-]+) *\|[^|]*\| *(\d{4}-\d\d-\d\d) *\| *\S[^|]*\|$", below.partition("\n## ")[0], re.MULTILINE)
    return frozenset(name for name, until in rows if date.fromisoformat(until) >= today)


def told(answers: Iterable[Answer], accepted: frozenset[str]) -> list[str]:
    """Return a line for each finding, for each file that is fine, and one for all that nobody has answered for."""
    lines, silent = [], []
    for answer in answers:
        for one in answer.findings:
            what = "accepted" if accepted & {*one.names} else "known"
            lines.append(f"{what:<11}{one.names[0]} in {one.package} ({one.file}): {one.text}")
        if answer.unanswered:
            silent.append(f"{answer.file} ({answer.unanswered})")
        elif not answer.findings:
            lines.append(f"{'fine':<11}{answer.file}: {answer.packages} packages")
    return [*lines, *([f"not audited, no advisory service has answered: {'; '.join(silent)}"] if silent else [])]


def code(answers: Iterable[Answer], accepted: frozenset[str]) -> int:
    """Return the exit code."""
    answers = list(answers)
    if any(not accepted & {*one.names} for answer in answers for one in answer.findings):
        return FOUND
    return UNANSWERED if any(answer.unanswered for answer in answers) else 0


def _said(command: list[str], folder: Path) -> tuple[str, str]:
    try:
        environ = {**os.environ, "NO_COLOR": "1"}
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False, errors="replace"
        )
    except FileNotFoundError:
        return "", f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return "", f"no answer within {SECONDS} s"
    return done.stdout, done.stderr


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and "complete log of this run" not in line]
    return lines[-1][:200] if lines else "it says nothing"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _plain(line: str) -> str:
    """Return a line without what a terminal would act on: services say what they like."""
    return "".join(one if one.isprintable() else "?" for one in line)


if __name__ == "__main__":
    sys.exit(main())
