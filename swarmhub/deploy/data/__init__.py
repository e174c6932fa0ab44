"""What a deploy has to do with data: the database, backups of it on what there is now, and its way to another manager."""
