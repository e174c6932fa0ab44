"""What has been done to the cluster, who is changing it now, and the way back."""
