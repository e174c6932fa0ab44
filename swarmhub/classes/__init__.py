"""Before and after a class: who comes, whether the nodes have room, and saving the files when it is over."""
