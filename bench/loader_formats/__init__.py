"""One data set in the form of each loader: a module a form, with `PACKAGE`, `write` and `read`."""
