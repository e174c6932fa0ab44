"""Time a deploy that has nothing to do, on a deployed lab: python -m bench.noop [RUNS]."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

FAB = Path(sys.executable).with_name("fab")


def main(runs: int) -> None:
    """Run `fab deploy` a number of times and print the wall-clock seconds."""
    environment = {**os.environ, "SWARMHUB_HOSTS": os.environ.get("SWARMHUB_HOSTS", "lab/hosts.toml")}
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        done = subprocess.run([str(FAB), "deploy"], env=environment, capture_output=True, text=True, check=True)
        taken.append(time.perf_counter() - started)
        if "nothing to change" not in done.stdout:
            sys.exit("that deploy changed something: run it again on a deployed lab")
    spread = f"fastest {min(taken):.2f} s, slowest {max(taken):.2f} s"
    print(f"fab deploy, nothing to change, {runs} runs: median {statistics.median(taken):.2f} s, {spread}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
