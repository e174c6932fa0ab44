"""Backups with restic: what is saved and where, what is there, and how it is put back."""
