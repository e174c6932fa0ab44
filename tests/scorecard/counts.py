"""How often each thing is done: SCORECARD=3 does a third of it, where time is short, and the report says the true number."""

import os

PART = float(os.environ.get("SCORECARD", "1"))


def times(number: int) -> int:
    """Return how often something is done of which the scorecard asks for so many."""
    return max(2, round(number / PART))
