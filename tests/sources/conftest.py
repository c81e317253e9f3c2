"""The fixtures of sources, which the layouts of InfiMed share."""

from source_fixtures import all_records, picture, read, records_of, root, scratch
from tar_files import scan_tar
from written_sources import opened

__all__ = ["all_records", "opened", "picture", "read", "records_of", "root", "scan_tar", "scratch"]
