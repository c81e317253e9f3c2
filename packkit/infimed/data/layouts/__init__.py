"""What the fields of published medical data sets mean, one layout a module."""
