"""What the fields of a record mean, one file a layout."""
