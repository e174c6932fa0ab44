"""Open the hub's database on a PostgreSQL server once, and say in a line what keeps it from that; sent to a container."""

from pathlib import Path

from swarmhub.inside.database import postgresql

# It has a password.
GIVEN = Path("/swarmhub-database-url")


def main() -> None:
    """Read the URL, remove its file, and open the database."""
    url = GIVEN.read_text().strip()
    GIVEN.unlink()
    postgresql.reach(url)


if __name__ == "__main__":
    main()
