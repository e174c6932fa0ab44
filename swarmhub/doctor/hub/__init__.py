"""What can be wrong with what the hub needs: its certificate, its database, its backups, the firewall."""
