"""The compiled core of packkit: planners and kernels, free of any I/O."""
