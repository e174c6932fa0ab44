"""Unpack a program from a file with the texts of its modules, and run one of them: a service has it in one Swarm config.

Arguments: the module, the file, and what the module gets. The modules come below the container's root.
"""

import json
import runpy
import sys
from pathlib import Path

ROOT = Path("/")


def unpack(file: Path, root: Path = ROOT) -> None:
    """Write the modules below a folder."""
    for name, text in json.loads(file.read_text()).items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


if __name__ == "__main__":
    unpack(Path(sys.argv[2]))
    sys.path.insert(0, str(ROOT))
    module, sys.argv = sys.argv[1], sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
