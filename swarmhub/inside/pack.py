"""Pack this Python, and what of its library a program uses, into a tar: an image of it needs nothing else.

The program's folder and module are the first arguments, the tar is the last one. Its bytes depend on nothing else.
"""

import glob
import importlib
import os
import re
import socket
import sys
import tarfile
from pathlib import Path

# What is asked for when it is used first: by -m, by sockets, by text.
LATER = ("runpy", "encodings.idna", "encodings.ascii", "encodings.latin_1", "encodings.utf_8")
PYTHON = "python"


def loaded() -> set[str]:
    """Return the shared libraries that are loaded, and the program itself."""
    files = set(re.findall(r"(/\S+\.so[.\d]*)$", Path("/proc/self/maps").read_text(), re.MULTILINE))
    return {os.path.realpath(file) for file in (*files, sys.executable)}


def modules(folder: str) -> set[str]:
    """Return the files of the library's modules in use: not those of the program."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {file for file in files if file and not file.startswith((folder, __file__))}


def links(libraries: set[str]) -> dict[str, str]:
    """Return the names by which libraries and their loader are asked for."""
    beside = [one for folder in {os.path.dirname(file) for file in libraries} for one in glob.glob(f"{folder}/*.so*")]
    names = [one for one in (*beside, *glob.glob("/lib*/ld-linux*.so*")) if os.path.realpath(one) in libraries]
    return {one: os.path.realpath(one) for one in names if os.path.realpath(one) != one}


def write(file: str, libraries: set[str], library: set[str]) -> None:
    """Write the tar."""
    names = {**links(libraries), f"/{PYTHON}": os.path.realpath(sys.executable)}
    with tarfile.open(file, "w") as tar:
        for name, to in sorted(names.items()):
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            tar.addfile(entry)
        for name in sorted(libraries | library):
            content = Path(name)
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = content.stat().st_size, 0o755
            with content.open("rb") as data:
                tar.addfile(entry, data)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    for needed in (*LATER, *sys.argv[2:-1]):
        importlib.import_module(needed)
    # What resolves names is loaded when it is asked first.
    socket.getaddrinfo("localhost", 1)
    write(sys.argv[-1], loaded(), modules(sys.argv[1]))
