"""The audit as a folder: what is in it, whose folder it is, and what happens in between."""

import json
import re
from dataclasses import replace

import pytest
from filelock import FileLock

from genmem.errors import UsageError
from genmem.io import result_folder as writing
from genmem.io.result_folder import check_result_folder
from genmem.report.audit.images import PAIRS, page_rows
from genmem.report.audit.page import AUDIT, write_audit

from .example import LargePictures, build_audit

FILES = [
    *("audit.html", "audit.json", "copied.csv", "copied.parquet", "duplicates.csv"),
    *("images.csv", "images.parquet", "pairs.json", "pictures"),
]


@pytest.fixture(scope="module")
def audit():
    return build_audit(40, train=200)


def check_folder(folder):
    check_result_folder(folder, AUDIT)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def content_of(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_folder_is_made_with_tables_numbers_pictures_and_page(audit, tmp_path):
    write_audit(audit, tmp_path / "deep" / "out")
    assert names_in(tmp_path / "deep" / "out") == FILES
    document = json.loads((tmp_path / "deep" / "out" / "audit.json").read_text())
    assert document == json.loads(json.dumps(audit.to_dict()))
    assert document["kind"] == "genmem audit"


def test_the_pictures_are_those_on_the_page_byte_for_byte(audit, tmp_path):
    write_audit(audit, tmp_path)
    assert audit.thumbnails is not None
    pictures = tmp_path / "pictures"
    assert len(names_in(pictures / "generated")) == 40
    assert (pictures / "generated" / "000007.png").read_bytes() == audit.thumbnails.generated(7)
    train = audit.nearest(7)[1]
    assert (pictures / "train" / f"{train:06d}.png").read_bytes() == audit.thumbnails.train(train)
    for kind in audit.duplicates:
        first = pictures / ("test" if kind.between.startswith("test") else "train")
        for row in kind.first[:PAIRS]:
            assert (first / f"{row:06d}.png").exists()
        for row in kind.second[:PAIRS]:
            assert (pictures / "train" / f"{row:06d}.png").exists()


def test_webp_pictures_keep_their_suffix_and_missing_ones_are_left_out(tmp_path):
    audit = build_audit(5, train=50, pictures=LargePictures)
    assert audit.thumbnails is not None
    known = audit.thumbnails.generated
    audit.thumbnails.generated = lambda row, size=None: None if row == 3 else known(row, size)
    write_audit(audit, tmp_path)
    assert names_in(tmp_path / "pictures" / "generated") == [
        f"00000{row}.webp" for row in (0, 1, 2, 4)
    ]


def test_features_have_no_pictures(tmp_path):
    write_audit(build_audit(10, pictures=None), tmp_path)
    assert names_in(tmp_path) == [name for name in FILES if name != "pictures"]


def test_the_most_suspicious_rows_are_on_the_page(monkeypatch):
    audit = build_audit(100, pictures=None)
    assert sorted(page_rows(audit)) == list(range(100))
    monkeypatch.setattr("genmem.report.audit.images.ROWS", 10)
    rows = page_rows(audit)
    assert audit.p_values[rows].tolist() == sorted(audit.p_values)[:10]


def test_a_later_audit_replaces_an_earlier_one_and_nothing_else(audit, tmp_path):
    write_audit(build_audit(60, train=300, seed=1), tmp_path / "out")
    (tmp_path / "out" / "my notes.txt").write_text("mine")
    write_audit(audit, tmp_path / "out")
    write_audit(audit, tmp_path / "fresh")
    assert (tmp_path / "out" / "my notes.txt").read_text() == "mine"
    (tmp_path / "out" / "my notes.txt").unlink()
    assert content_of(tmp_path / "out") == content_of(tmp_path / "fresh")


def test_the_same_audit_gives_the_same_bytes(audit, tmp_path):
    for name in ("one", "other"):
        write_audit(audit, tmp_path / name)
    assert content_of(tmp_path / "one") == content_of(tmp_path / "other")


@pytest.mark.parametrize(
    "files", [{"holiday.jpg": b""}, {"audit.json": b'{"kind": "tax"}'}, {"audit.json": b"\xff"}]
)
def test_a_folder_with_other_files_is_refused_and_unchanged(audit, tmp_path, files):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for attempt in (check_folder, lambda folder: write_audit(audit, folder)):
        with pytest.raises(UsageError, match=rf"expected an empty folder .*found {min(files)}"):
            attempt(tmp_path)
    assert names_in(tmp_path) == sorted(files)


def test_hidden_files_do_not_make_a_folder_foreign(audit, tmp_path):
    (tmp_path / ".DS_Store").touch()
    check_folder(tmp_path)
    assert names_in(tmp_path) == [".DS_Store"]


def test_a_file_is_refused(audit, tmp_path):
    (tmp_path / "out").touch()
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        for attempt in (check_folder, lambda folder: write_audit(audit, folder)):
            with pytest.raises(UsageError, match="is a file; name another folder"):
                attempt(folder)


def test_an_error_leaves_the_earlier_audit_unchanged(audit, tmp_path):
    write_audit(audit, tmp_path)
    before = content_of(tmp_path)
    broken = build_audit(30, train=150, seed=2)

    def fails(row):
        raise RuntimeError

    assert broken.thumbnails is not None
    broken.thumbnails.train = fails
    with pytest.raises(RuntimeError):
        write_audit(broken, tmp_path)
    assert content_of(tmp_path) == before
    with pytest.raises(RuntimeError):
        write_audit(broken, tmp_path / "new")
    assert names_in(tmp_path / "new") == []


def test_an_earlier_audit_that_cannot_be_moved_away_stays_whole(audit, tmp_path, monkeypatch):
    write_audit(audit, tmp_path)
    before = content_of(tmp_path)
    rename = writing.Path.rename

    def rename_no_folder(path, target):
        if path.is_dir():
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(writing.Path, "rename", rename_no_folder)
    with pytest.raises(UsageError, match="no space left"):
        write_audit(build_audit(20, train=100, seed=3), tmp_path)
    assert content_of(tmp_path) == before


def test_a_page_is_never_beside_the_pictures_of_another_audit(audit, tmp_path, monkeypatch):
    """Wherever the moving stops, there is no page, and the folder is still known as an audit's."""
    write_audit(build_audit(20, train=100, seed=3), tmp_path)
    replace_file = writing.Path.replace

    def stops_at(last):
        moves = iter(range(last))

        def move(path, target):
            if next(moves) == last - 1:
                raise OSError(28, "No space left on device")
            return replace_file(path, target)

        return move

    for last in range(1, len(FILES) + 1):
        with monkeypatch.context() as patched:
            patched.setattr(writing.Path, "replace", stops_at(last))
            with pytest.raises(UsageError, match="no space left"):
                write_audit(audit, tmp_path)
        assert not (tmp_path / "audit.html").exists()
        assert not [name for name in names_in(tmp_path) if name.startswith(".")]
        check_folder(tmp_path)
    write_audit(audit, tmp_path)
    assert names_in(tmp_path) == FILES


def test_nothing_in_the_folder_names_a_place_on_this_machine(audit, tmp_path):
    write_audit(audit, tmp_path)
    for name in ("audit.html", "audit.json", "images.csv"):
        assert str(tmp_path) not in (tmp_path / name).read_text()


def test_ids_that_are_not_utf8_can_be_written(audit, tmp_path):
    ids = ["a\udcff</script>"] * 40
    write_audit(replace(audit, generated_ids=ids, notes=("\udcff",)), tmp_path)
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert len(re.findall("</script>", page)) == 3
    json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))


def test_leftovers_of_a_killed_process_are_removed_unless_in_use(audit, tmp_path):
    for name in ("dead", "alive"):
        (tmp_path / f".genmem-audit-{name}" / "new").mkdir(parents=True)
    with FileLock(tmp_path / ".genmem-audit-alive" / "lock"):
        write_audit(audit, tmp_path)
    assert names_in(tmp_path) == [".genmem-audit-alive", *FILES]


def test_a_link_that_leads_nowhere_and_an_empty_name_are_refused(audit, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for folder in (tmp_path / "link", tmp_path / "link" / "deeper"):
        with pytest.raises(UsageError, match="a broken link"):
            check_folder(folder)
    with pytest.raises(UsageError, match="got an empty text"):
        check_folder("")
