"""Which files a drill may open."""

import json
from pathlib import Path

from swarmhub.inside.backup import places, witnesses
from tests.unit.inside.backup.container import Container


def test_each_home_has_a_witness(container: Container) -> None:
    """A file with something in it; links lead elsewhere, and are none."""
    ada, grace, linus = (places.HOMES / name for name in ("ada", "grace", "linus"))
    for home in (ada, grace):
        home.mkdir(parents=True)
    (ada / "a").symlink_to("/etc/passwd")
    (ada / "b").touch()
    (ada / "c").write_text("something")
    (grace / "only").symlink_to(ada / "c")
    linus.symlink_to(ada)
    witnesses.write(places.HOMES)
    found = json.loads((places.STAGE / "manifest.json").read_text())["witnesses"]
    assert [(one["home"], Path(one["path"]).name, one["size"]) for one in found] == [("ada", "c", 9)]
