"""The fixtures of sources, which the layouts of InfiMed share."""

from source_fixtures import all_records, picture, records_of, root, scratch

__all__ = ["all_records", "picture", "records_of", "root", "scratch"]
