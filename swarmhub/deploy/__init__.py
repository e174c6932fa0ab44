"""Each step's plan, from one look at the cluster, in the order of a deploy."""
