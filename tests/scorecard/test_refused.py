"""What is refused before anybody is asked: files with a fault."""

import re
import time
from pathlib import Path

from lab import topology
from tests.lab.support import ROOT, Lab, Settings
from tests.report import Row
from tests.scorecard import cut, malformed
from tests.scorecard.counts import times

SECONDS = 1


def test_malformed_files(lab: Lab, settings: Settings, tmp_path: Path, seen: Row) -> None:
    """5. Malformed `hosts.toml` and userlists, made from good ones by one fault each."""
    with cut.proxied([node.ssh_port for node in topology.NODES], tmp_path) as proxy:
        good = settings(ssh=proxy.config).read_text()
        userlist = (ROOT / "lab" / "userlist").read_text()
        files = [(text, userlist, line, "hosts.toml") for text, line in malformed.hosts(good)]
        files = files[:: max(1, len(files) // times(150))]
        wrong = [*malformed.userlists(userlist)]
        named = re.sub(r'userlist = ".*"', f'userlist = "{tmp_path / "users"}"', good)
        files += [(named, text, line, "users") for text, line in wrong[:: max(1, len(wrong) // times(50))]]
        seconds, accepted = [], []
        for text, users, line, name in files:
            (tmp_path / "hosts.toml").write_text(text)
            (tmp_path / "users").write_text(users)
            began = time.monotonic()
            done = lab.fab("plan", hosts=tmp_path / "hosts.toml")
            seconds.append(time.monotonic() - began)
            place = rf"^\S*{name}:{line or r'[0-9]+'}: "
            if (done.code, bool(re.search(place, done.err, re.MULTILINE)), "Traceback" in done.text) != (2, True, False):
                accepted.append((text if name == "hosts.toml" else users, done.text))
        assert accepted == []
        assert proxy.asked == 0
    seen(f"{len(files)} files, each refused with FILE:LINE, at most {max(seconds):.2f} s; no connection to any host")
    assert max(seconds) < SECONDS
