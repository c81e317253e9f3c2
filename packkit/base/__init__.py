"""What every part of packkit rests on: errors, files, seeded orders, checked TOML, engines."""
