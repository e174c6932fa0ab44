"""What [walls] may say."""

import pytest
from pydantic import ValidationError

from tests.unit.support.fakes import settings


def test_servers_are_kept_apart_unless_somebody_says_otherwise() -> None:
    """As a cluster of Dask over several of them needs."""
    assert (settings().walls.apart, settings(walls={"apart": False}).walls.apart) == (True, False)


def test_walls_stand_unless_they_are_switched_off() -> None:
    """Nobody has to know of them to be safe."""
    assert (settings().walls.enabled, settings(walls={"enabled": False}).walls.enabled) == (True, False)


def test_addresses_and_networks_can_be_denied() -> None:
    """As they are written."""
    assert settings(walls={"deny": ["10.0.0.0/8:5432", "fd00::1"]}).walls.deny == ("10.0.0.0/8:5432", "fd00::1")


def test_what_is_no_address_is_named() -> None:
    """With what would be one."""
    with pytest.raises(ValidationError, match=r"'db\.example\.org' is no address, such as"):
        settings(walls={"deny": ["db.example.org"]})
