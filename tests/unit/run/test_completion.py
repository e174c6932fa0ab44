"""What shells are given to complete `fab`."""

import shutil
import subprocess
from pathlib import Path

import pytest

from swarmhub.run import completion


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the hosts.toml in use."""
    file = tmp_path / "hosts.toml"
    file.write_text('[hosts]\nmanagers = ["m1"]\nworkers = ["w1", "w2"]\n')
    monkeypatch.setenv("SWARMHUB_HOSTS", str(file))
    return file


def test_the_hosts_are_printed(hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, managers first."""
    completion.main()
    assert capsys.readouterr().out.split() == ["m1", "w1", "w2"]


@pytest.mark.parametrize("text", [None, "", "[hosts", "hosts = 1", "[hosts]\nmanagers = 1", "\udcff"])
def test_nothing_is_said_where_there_are_none(hosts: Path, text: str | None, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever presses Tab reads no error."""
    hosts.unlink() if text is None else hosts.write_text(text, errors="surrogateescape")
    completion.main()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", [shell for shell in completion.SHELLS if shutil.which(shell)])
def test_a_script_is_one_that_its_shell_reads(shell: str) -> None:
    """Each shell that is installed here checks its own."""
    done = subprocess.run([shell, "-n"], input=completion.script(shell), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def completed(*words: str) -> list[str]:
    """Return what bash offers after these words; its `fab` says what it is asked."""
    script = f"""
        fab() {{ [ "$1 $2 $3" = "--complete -- fab" ] && echo deploy doctor "asked-${{@: -1}}"; }}
        {completion.script("bash")}
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _fab_complete
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("fab", "-H", ""), ["m1", "w1", "w2"]),
        (("fab", "-H", "w"), ["w1", "w2"]),
        (("fab", "-H", "m1,w"), ["m1,w1", "m1,w2"]),
        (("fab", "--hosts", "=", "m"), ["m1"]),
        (("fab", "--hosts", "="), ["m1", "w1", "w2"]),
        (("fab", "logs", "--engine", "--node", "m"), ["m1"]),
        (("fab", "do"), ["doctor"]),
        (("fab", "-H", "m1", "d"), ["deploy", "doctor"]),
        (("fab", "asked"), ["asked-asked"]),
    ],
)
def test_bash_offers_hosts_where_a_host_stands_and_else_what_invoke_says(
    hosts: Path, words: tuple[str, ...], offered: list[str]
) -> None:
    """After a comma the hosts before it stay; Invoke is given the words up to the one that is typed."""
    assert completed(*words) == offered
