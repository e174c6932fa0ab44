"""What is written into settings arrives as it is written, and is nowhere executed."""

import itertools
import json
from pathlib import Path

import pytest

from lab import topology
from tests.lab.support import HUB, Lab, Settings
from tests.report import Row
from tests.scorecard.counts import times

pytestmark = pytest.mark.timeout(1800)
CANARY = "/tmp/scorecard-canary"
RUN = f"touch {CANARY}"
# What shells, Python, TOML, Dockerfiles, Jinja, Go's templates, nginx and JavaScript would take for theirs.
PIECES = (
    *(f"$({RUN})", f"`{RUN}`", f"; {RUN};", f"| {RUN}", f"&& {RUN}", f"' ; {RUN} ; '", f'" ; {RUN} ; "'),
    *("{{.Node.Hostname}}", "{{.Service.Name}}", '{{env "PATH"}}', "{{", "}}", "{{ 7*7 }}", "{% raw %}", "{# #}", "{0}", "{x}"),
    *("${HOME}", "$HOME", "$$", "%(asctime)s", "%s%n", "%PATH%", "~", "*", "?", "[a-z]", "!!", "#", "\\", "\\n", "\\x41"),
    *("'", '"', "'''", '"""', "<script>alert(1)</script>", "</script>"),
    *(
        "-->",
        "]]>",
        "&amp;",
        "é",
        "日本",
        "\u202e",
        " ",
        "  leading",
        "trailing  ",
        "=",
        "a=b",
        "--privileged",
        "-v",
        "/../..",
    ),
    *(f"__import__('os').system('{RUN}')", "\u2028", "$request_uri", "; return 200;", "}; server {"),
)
# A value is one line.
REFUSED = (f"\n{RUN}\n", f"\nRUN {RUN}\n", f"\nENTRYPOINT {RUN}\n", "\t", "\x00", "\x1b[2J")
READ = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('CARD_')}))"


def test_metacharacters(deployed: Lab, settings: Settings, seen: Row) -> None:
    """6. Metacharacters of shells, Python, TOML, Dockerfiles and templates: in servers' variables, and in the pages' texts."""
    for value in REFUSED:
        refused = deployed.fab(
            "plan", hosts=settings(("[github]", f"[notebook.environment]\nCARD = {json.dumps(value)}\n[github]"))
        )
        assert (refused.code, "is not a line of text" in refused.err) == (2, True), refused.text
    pairs = itertools.chain(((one, "") for one in PIECES), itertools.product(PIECES, PIECES))
    values = {f"CARD_{number}": "".join(pair) for number, pair in enumerate(itertools.islice(pairs, times(1000)))}
    table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    text = "".join(one for one in PIECES if one.isprintable())
    page = f"[page]\nname = {json.dumps(text[:60])}\nannouncement = {json.dumps(text)}\n\n"
    hosts = settings(("[github]", f"[notebook.environment]\n{table}\n{page}[github]"))
    done = deployed.fab("deploy", "--yes", hosts=hosts)
    assert done.code == 0, done.text
    deployed.start_server("ada")
    found = json.loads(deployed.in_server("ada", f'python3 -c "{READ}"'))
    assert {name: found.get(name) for name in values} == values
    deployed.stop_server("ada")
    places = {node.name: deployed.on(node.name, "sh", "-c", f"ls {CANARY} 2>/dev/null || true") for node in topology.NODES}
    places["hub"] = deployed.execute(HUB, "sh", "-c", f"ls {CANARY} 2>/dev/null || true")
    assert {*places.values(), Path(CANARY).exists()} == {"", False}
    seen(f"{len(values)} values arrived byte for byte, {len(REFUSED)} with control characters were refused")
    seen("no canary on this machine, on any node, or in the hub")
