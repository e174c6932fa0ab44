"""The Python that is packed runs on its own, and is packed the same each time."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from swarmhub.inside import SCRIPTS, pack

ROOT = SCRIPTS.parents[1]


def packed(file: Path) -> bytes:
    """Pack what a transfer's program uses."""
    argv = [sys.executable, "-I", "-S", str(SCRIPTS / "pack.py"), str(ROOT), "swarmhub.inside.relay.__main__", str(file)]
    subprocess.run(argv, check=True)
    return file.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="it runs in containers")
def test_what_is_packed_is_the_same_each_time_and_has_all_that_is_used(tmp_path: Path) -> None:
    """The interpreter, its loader and libraries, and the library's modules; nothing of the program."""
    assert packed(tmp_path / "one.tar") == packed(tmp_path / "two.tar")
    with tarfile.open(tmp_path / "one.tar") as tar:
        names = {Path(entry.name).name: entry for entry in tar}
    assert names[pack.PYTHON].linkname.endswith(names[Path(names[pack.PYTHON].linkname).name].name)
    assert {"os.py", "tarfile.py", "socketserver.py", "runpy.py"} <= {*names}
    assert any(name.startswith("ld-linux") for name in names)
    assert any(name.startswith("libc.so") for name in names)
    assert {"wire.py", "pack.py"} & {*names} == set()
    assert {(entry.mtime, entry.uid) for entry in names.values()} == {(0, 0)}
