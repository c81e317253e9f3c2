"""How records lie in files, one file a kind."""
