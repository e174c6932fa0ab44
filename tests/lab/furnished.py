"""The lab's hosts.toml with what people see and choose from: one for all tests that look at that."""

from pathlib import Path

from tests.lab.support import ROOT, variant

PROFILES = """
[[profiles]]
name = "Exercises"
description = "Python, pandas and matplotlib: enough for every exercise sheet."
cpu_limit = 1
memory_limit = "512M"
environment = {PATH = "/opt/stub/bin:/opt/venv/bin:/usr/bin:/bin"}

[[profiles]]
name = "Projects"
description = "More room and packages for your own project. Please stop it when you are done."
image = "registry.lab:5000/notebook-extra:lab"
cpu_limit = 2
memory_guarantee = "256M"
memory_limit = "1G"
shared_memory = "128M"
processes = 500
environment = {COURSE = "projects"}

[[profiles]]
name = "Simulations"
description = "For staff: more memory than a node has today."
groups = ["staff"]
cpu_limit = 4
memory_guarantee = "900G"
memory_limit = "900G"

[groups]
staff = ["ada"]

[limits]
named_servers = 1

"""
ANNOUNCEMENT = (
    "Friday 18:00 to 19:00: new graphics cards & a restart. Please save before. More: https://status.physics.example.org"
)
PAGE = f"""[page]
name = "Physics notebooks"
about = \"\"\"
Jupyter notebooks for the courses of the physics department.
Sign in with the GitHub account that you enrolled with. Help: https://physics.example.org/help
\"\"\"
logo = "logo.svg"
announcement = "{ANNOUNCEMENT}"

[notebook]"""
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" fill="none" stroke="#1c93ad" stroke-width="6">
  <ellipse cx="60" cy="60" rx="54" ry="20"/>
  <ellipse cx="60" cy="60" rx="54" ry="20" transform="rotate(60 60 60)"/>
  <ellipse cx="60" cy="60" rx="54" ry="20" transform="rotate(120 60 60)"/>
  <circle cx="60" cy="60" r="9" fill="#f37524" stroke="none"/>
</svg>
"""


def make(folder: Path) -> Path:
    """Write it into a folder."""
    (folder / "logo.svg").write_text(LOGO)
    own = (ROOT / "lab" / "hosts.toml").read_text().partition("[[profiles]]")[2].partition("[github]")[0]
    return variant(folder, (f"[[profiles]]{own}", PROFILES), ("[notebook]", PAGE))
