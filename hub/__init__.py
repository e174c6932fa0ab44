"""What goes into the hub's image: importable there and in the tests as `hub`."""

from pathlib import Path

FOLDER = Path(__file__).parent
TEMPLATES = FOLDER / "templates"
