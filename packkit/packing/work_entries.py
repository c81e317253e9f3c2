"""What a run leaves in its work folder, and the removal of that alone."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from packkit.base.errors import OutputExistsError
from packkit.base.files import sync_folder
from packkit.shards.set_files import RUN, WORK

PLAN = "plan.json"
"""Name of the list of shards that a run writes."""

RESULTS = ("measured", "shards", "staged")
"""Names of the folders of results, which come after the record of their job and go before it."""

_FOLDERS = (*RESULTS, "incoming")
_FILES = (RUN, PLAN, f"{RUN}.tmp", f"{PLAN}.tmp", "lock")


def check_entries(out: Path) -> None:
    """Checks that the work folder of an output folder holds only what a run can have left.

    Raises:
        OutputExistsError: The folder holds something else, or a link, which could lead anywhere.
    """
    work = out / WORK
    if work.is_symlink():
        raise OutputExistsError(out, f"holds {WORK}, a link; nothing was removed")
    if work.is_dir():
        for entry in sorted(os.scandir(work), key=lambda entry: entry.name):
            if not _is_of_a_run(entry, work):
                detail = f"holds {WORK}/{entry.name}, which no run leaves; nothing was removed"
                raise OutputExistsError(out, detail)


def remove_work(out: Path) -> None:
    """Removes the work folder of an output folder, where there is one.

    Raises:
        OSError: The work folder holds what no run leaves.
    """
    work = out / WORK
    remove_folders(work, *_FOLDERS)
    for name in _FILES:
        (work / name).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        work.rmdir()
        sync_folder(out)


def remove_folders(work: Path, *names: str) -> None:
    """Removes folders of a work folder, where they are there.

    Args:
        work: Path of the work folder.
        names: Names of the folders.
    """
    for name in names:
        with suppress(FileNotFoundError):
            shutil.rmtree(work / name)


def _is_of_a_run(entry: os.DirEntry[str], work: Path) -> bool:
    if entry.name in _FILES:
        return entry.is_file(follow_symlinks=False)
    if entry.name not in _FOLDERS or not entry.is_dir(follow_symlinks=False):
        return False
    paths = list(Path(entry.path).rglob("*"))
    if any(path.is_symlink() for path in paths):
        return False
    return entry.name not in RESULTS or not paths or (work / RUN).is_file()
