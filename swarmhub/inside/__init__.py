"""What runs inside a container on a node: sent there as a file, it imports nothing of swarmhub that is not sent with it."""

from pathlib import Path

SCRIPTS = Path(__file__).parent
