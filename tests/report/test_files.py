import pytest

from genmem.errors import UsageError
from genmem.report.files import check_writable, written_whole


def test_a_file_written_in_full_replaces_the_old_one(tmp_path):
    path = tmp_path / "out.html"
    path.write_text("old")
    with written_whole(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.html"
    path.write_text("old")

    def write_half():
        with written_whole(path) as file:
            file.write(b"half of the ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_permissions_the_umask_gives(tmp_path):
    with written_whole(tmp_path / "a"):
        pass
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_missing_folder_is_named_before_and_while_writing(tmp_path):
    path = tmp_path / "nowhere" / "out.json"
    with pytest.raises(UsageError, match=r"no folder .*nowhere"):
        check_writable(path)
    with pytest.raises(UsageError, match="no such file"), written_whole(path):
        pass


def test_a_folder_and_a_wrong_ending_are_no_output_files(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(UsageError, match=r"ending in \.npy"):
        check_writable(tmp_path / "out.txt", suffixes=(".npy",))


def test_checking_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "out.json")
    assert list(tmp_path.iterdir()) == []
