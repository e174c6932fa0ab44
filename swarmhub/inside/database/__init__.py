"""The hub's database, a file of SQLite or on a PostgreSQL server: copied, put back, moved, tried."""
