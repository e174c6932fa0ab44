"""The schema of `hosts.toml`: its tables, their values, and what one value demands of another."""
