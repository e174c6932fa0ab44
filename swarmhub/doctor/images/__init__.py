"""What can be wrong with the images: their age, what nodes hold, tags that have moved, versions that do not fit."""
