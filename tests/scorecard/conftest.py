"""The lab, with the report that a run of the scorecard leaves in the docs."""

import os

import pytest

from tests.lab.conftest import (
    browser,
    context,
    deployed,
    first_deploy,
    first_history,
    first_listing,
    first_plan,
    group_hosts,
    lab,
    settings,
    settled,
    used,
)
from tests.report import Report

__all__ = [
    "browser",
    "context",
    "deployed",
    "first_deploy",
    "first_history",
    "first_listing",
    "first_plan",
    "group_hosts",
    "lab",
    "settings",
    "settled",
    "used",
]


def pytest_configure(config: pytest.Config) -> None:
    """Begin a report."""
    config.pluginmanager.register(Report("make scorecard", os.environ.get("SCORECARD_REPORT")))
