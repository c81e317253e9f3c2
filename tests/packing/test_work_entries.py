"""Only what a run can have left in a work folder is taken for its own, and no link is followed."""

import pytest

from packkit.base.errors import OutputExistsError
from packkit.packing.workfolder import WorkFolder


@pytest.mark.parametrize("name", ["staged", "shards", "incoming", "staged/inner", "lock"])
def test_a_link_in_the_work_folder_is_refused_and_not_followed(tmp_path, name):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("all of it")
    place = tmp_path / "out" / ".work" / name
    place.parent.mkdir(parents=True)
    place.symlink_to(precious)
    with pytest.raises(OutputExistsError, match=r"which no run leaves; nothing was removed"):
        WorkFolder(tmp_path / "out")
    assert (precious / "thesis.txt").read_text() == "all of it" and place.is_symlink()


@pytest.mark.parametrize("name", ["staged/photo.jpg", "shards/thesis.txt", "measured/a/b"])
def test_results_without_the_record_of_their_job_are_nobody_s(tmp_path, name):
    path = tmp_path / ".work" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"which no run leaves; nothing was removed"):
        WorkFolder(tmp_path)
    assert path.read_text() == "mine"
