"""What the images are made of: known weaknesses in what is pinned, and a bill of materials of what is built."""
