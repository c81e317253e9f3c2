"""The fixtures of sources, for the containers and layouts of medical data sets."""

from source_fixtures import all_records, picture, records_of, root, scratch

__all__ = ["all_records", "picture", "records_of", "root", "scratch"]
