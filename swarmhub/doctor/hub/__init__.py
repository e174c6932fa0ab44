"""What can be wrong with what the hub needs: its certificate, its images, the firewall."""
