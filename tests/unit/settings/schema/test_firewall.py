"""What [firewall] may say."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from swarmhub.errors import SettingsError
from swarmhub.settings import load
from tests.unit.support.fakes import settings


def test_servers_are_kept_apart_unless_somebody_says_otherwise() -> None:
    """As a cluster of Dask over several of them needs."""
    assert (settings().firewall.isolate_servers, settings(firewall={"isolate_servers": False}).firewall.isolate_servers) == (
        True,
        False,
    )


def test_the_firewall_is_on_unless_it_is_switched_off() -> None:
    """Nobody has to know of them to be safe."""
    assert (settings().firewall.enabled, settings(firewall={"enabled": False}).firewall.enabled) == (True, False)


def test_addresses_and_networks_can_be_denied() -> None:
    """As they are written."""
    assert settings(firewall={"deny": ["10.0.0.0/8:5432", "fd00::1"]}).firewall.deny == ("10.0.0.0/8:5432", "fd00::1")


def test_what_is_no_address_is_named() -> None:
    """With what would be one."""
    with pytest.raises(ValidationError, match=r"'db\.example\.org' is no address, such as"):
        settings(firewall={"deny": ["db.example.org"]})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[walls]\nenabled = true", "walls: is now called [firewall], and its key apart is firewall.isolate_servers"),
        ("[firewall]\napart = false", "firewall.apart: is now called firewall.isolate_servers"),
    ],
)
def test_a_former_name_is_told_the_present_one(tmp_path: Path, table: str, said: str) -> None:
    """So that a hosts.toml from before is corrected without a search."""
    file = tmp_path / "hosts.toml"
    file.write_text(f'[hosts]\nmanagers = ["one"]\n[hub]\ndomain = "hub.example.org"\n{table}\n')
    with pytest.raises(SettingsError) as raised:
        load(file)
    assert said in str(raised.value)
