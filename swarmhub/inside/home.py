"""Count what is in people's homes, make or remove one; prints one line of JSON."""

import json
import os
import shutil
import stat
import sys
from typing import NoReturn


def main(action: str, *folders: str) -> None:
    """Do one of: `count` what is in folders, `make` or `remove` a folder. One that is not there is null."""
    if action == "make":
        os.mkdir(folders[0], 0o700)
    if action == "remove":
        shutil.rmtree(folders[0])
    print(json.dumps({folder: _count(folder) if os.path.isdir(folder) else None for folder in folders}))


def _count(folder: str) -> dict[str, float]:
    """Count as a tar holds it: no sockets, and of several hard links to one file one has its bytes; tell the last change, too.

    That is when something was last written, whatever time its owner has given it.
    """
    files = size = 0
    seen = set()
    changed = os.lstat(folder).st_ctime
    for above, folders, names in os.walk(folder, onerror=_fail):
        for name in (*folders, *names):
            found = os.lstat(os.path.join(above, name))
            changed = max(changed, found.st_ctime)
            if stat.S_ISSOCK(found.st_mode):
                continue
            files += 1
            if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
                size += found.st_size
            if found.st_nlink > 1:
                seen.add((found.st_dev, found.st_ino))
    return {"files": files, "bytes": size, "changed": changed}


def _fail(error: OSError) -> NoReturn:
    raise error


if __name__ == "__main__":
    main(*sys.argv[1:])
