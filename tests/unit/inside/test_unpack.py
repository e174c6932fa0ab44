"""A program that a service has in one Swarm config."""

import json
import subprocess
import sys
from pathlib import Path

from swarmhub.inside import SCRIPTS, unpack


def test_modules_come_below_the_root(tmp_path: Path) -> None:
    """With the folders that they need."""
    file = tmp_path / "program.json"
    file.write_text(json.dumps({"a/b/c.py": "x = 1\n"}))
    unpack.unpack(file, tmp_path)
    assert (tmp_path / "a" / "b" / "c.py").read_text() == "x = 1\n"


def test_a_module_runs_with_the_other_arguments(tmp_path: Path) -> None:
    """As if it had been started itself."""
    file, script = tmp_path / "program.json", tmp_path / "unpack.py"
    main = "import sys\nfrom pack.other import X\nprint(X, sys.argv[1:])\n"
    file.write_text(json.dumps({"pack/__main__.py": main, "pack/other.py": "X = 5\n"}))
    script.write_text((SCRIPTS / "unpack.py").read_text().replace('Path("/")', f'Path("{tmp_path}")'))
    done = subprocess.run([sys.executable, script, "pack", file, "one", "two"], capture_output=True, text=True, check=True)
    assert done.stdout == "5 ['one', 'two']\n"
