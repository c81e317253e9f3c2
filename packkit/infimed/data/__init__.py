"""The data sets of the paper: a catalog, the layouts they are published in, a filter by score."""
