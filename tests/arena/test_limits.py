"""What a stranger can send costs bounded time and memory; docs/arena.md states the bounds."""

import io
import json
import re
import time as clock_time
import tracemalloc
import uuid
import zipfile
from pathlib import Path

import pytest

from .images import COUNT, SIDE, png

pytestmark = pytest.mark.usefixtures("database")

DOCS = Path(__file__).parents[2] / "docs" / "arena.md"


def table():
    """The table "Limits" of docs/arena.md: what is sent → its bound."""
    text = DOCS.read_text(encoding="utf-8").partition("## Limits")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    return {name.strip(): bound.strip() for name, bound in rows[2:]}


def test_the_table_in_the_docs_states_the_limits_of_the_code():
    from django.conf import settings

    from genmem.arena.api import auth, schemas
    from genmem.arena.competitions.forms import MAX_RULES
    from genmem.arena.moderation.decisions import MAX_TEXT
    from genmem.arena.sandbox.program import Limits
    from genmem.arena.sandbox.usage import MAX_DEPTH
    from genmem.arena.scoring import code_archive, packages
    from genmem.arena.submissions import tus, uploads, zip_index

    expected = {
        "Body of any other request": [settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20],
        "Fields of a form": [settings.DATA_UPLOAD_MAX_NUMBER_FIELDS],
        "Unfinished uploads": [uploads.OPEN_AT_ONCE, uploads.KEPT_FOR.days],
        "Chunk with a checksum": [tus.MAX_CHECKED_BYTES // 2**20],
        "List of files of a zip": [1, 1024],
        "Name of a file in a zip": [zip_index.MAX_NAME],
        "One image in a zip, unpacked": [16, 64],
        "Zip of code, unpacked": [code_archive.MAX_FILES, code_archive.MAX_BYTES // 2**30],
        "`submission.toml`": [code_archive.MAX_MANIFEST_BYTES // 2**10],
        "`requirements.lock`": [packages.MAX_LOCK_BYTES // 2**20, packages.MAX_PACKAGES],
        "Output of code": [Limits().disk_bytes // 2**30, Limits().files, MAX_DEPTH],
        "Log of a run": [Limits().log_bytes // 2**20],
        "REST API": [auth.PER_TOKEN, auth.PER_ADDRESS, auth.WRONG_TOKENS],
        "Choice of finals": [schemas.MAX_FINALS],
        "Rebuttals, reasons, answers": [MAX_TEXT],
        "Rules (Markdown)": [MAX_RULES],
        "Names of teams, people and tokens": [60],
    }
    stated = table()
    for name, numbers in expected.items():
        in_docs = [int(word.replace(",", "")) for word in re.findall(r"\d[\d,]*", stated[name])]
        assert in_docs[: len(numbers)] == numbers, name


def images_zip(path, names, content=None):
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, png(number) if content is None else content)
    return path


def check(path):
    from genmem.arena.submissions.validate import validate
    from genmem.arena.submissions.zip_index import limits_for

    limits = limits_for(count=COUNT, width=SIDE, height=SIDE, zip_bytes=10**8)
    return validate(path, count=COUNT, width=SIDE, height=SIDE, formats=["png"], limits=limits)


def test_a_name_that_would_widen_every_name_of_a_submission_is_refused(tmp_path):
    """One name of 65,000 characters among 10,000 made an array of 2.6 GB."""
    from genmem.arena.submissions.validate import InvalidImages

    names = [f"{number}.png" for number in range(COUNT)]
    fits = images_zip(tmp_path / "fits.zip", [*names[1:], "a" * 251 + ".png"])
    assert len(check(fits).names) == COUNT
    for long in ("a" * 252 + ".png", "a/" * 20_000 + "a.png"):
        path = images_zip(tmp_path / "long.zip", [*names[1:], long])
        with pytest.raises(InvalidImages, match="1 of 4 files is invalid") as refused:
            check(path)
        assert "at most 255 are allowed" in refused.value.text
        assert len(refused.value.text) < 1_000


def test_an_image_that_announces_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    from genmem.arena.submissions.validate import InvalidImages

    huge = bytearray(png())
    huge[16:24] = (60_000).to_bytes(4, "big") * 2  # IHDR
    path = images_zip(tmp_path / "huge.zip", [f"{n}.png" for n in range(COUNT)], bytes(huge))
    tracemalloc.start()
    started = clock_time.process_time()
    with pytest.raises(InvalidImages):
        check(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 2**20
    assert clock_time.process_time() - started < 5


@pytest.mark.parametrize(
    "content",
    [b"#" * (2**16 + 1), b"command = " + b"[" * 30_000, b"x" * 60_000 + b" = 1"],
    ids=["large", "nested", "long key"],
)
def test_a_manifest_of_code_is_small_flat_and_refused_in_a_short_line(tmp_path, content):
    from genmem.arena.scoring.code_archive import read_command
    from genmem.arena.scoring.errors import SubmissionError

    (tmp_path / "submission.toml").write_bytes(content)
    with pytest.raises(SubmissionError, match=r"submission\.toml: ") as refused:
        read_command(tmp_path)
    assert len(str(refused.value)) < 400


def test_no_form_but_that_of_submissions_stores_files(arena):
    """Django would write a file of any size to disk for a stranger, before any view runs."""
    from django.conf import settings
    from django.test import Client
    from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

    folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
    before = {path.name for path in folder.iterdir()}
    stored = []

    class Body(io.BytesIO):
        def read(self, *size):
            stored.extend({path.name for path in folder.iterdir()} - before)
            return super().read(*size)

    file = io.BytesIO(b"x" * 5_000_000)
    file.name = "large.bin"
    content = encode_multipart(BOUNDARY, {"login": "a@b.c", "file": file})
    body = Body(content)
    response = Client(enforce_csrf_checks=True).generic(
        "POST", "/accounts/login/", data=content, content_type=MULTIPART_CONTENT,
        **{"wsgi.input": body, "CONTENT_LENGTH": str(len(content))},
    )  # fmt: skip
    assert response.status_code in (400, 403)
    assert stored == []
    assert body.tell() < len(content)  # the rest was not read


def test_the_api_refuses_bodies_and_choices_that_are_too_large(arena):
    from django.test import Client

    from genmem.arena.accounts.tokens import create_token
    from genmem.arena.api.schemas import MAX_FINALS

    from .factories import a_competition, a_team, captain

    team = a_team(a_competition())
    headers = {"Authorization": f"Bearer {create_token(captain(team), 'laptop')[1]}"}

    def choose(body):
        return Client().put(
            "/api/competitions/dogs/finals", body, content_type="application/json",
            headers=headers,
        )  # fmt: skip

    many = json.dumps({"submissions": [str(uuid.uuid4())] * (MAX_FINALS + 1)})
    assert choose(many).status_code == 422
    large = json.dumps({"submissions": [], "more": "x" * 2**21})
    assert choose(large).status_code in (400, 413)
    nested = '{"submissions": ' + "[" * 100_000
    assert choose(nested).status_code in (400, 422)


def test_names_are_short():
    from genmem.arena.accounts.forms import NameForm, TokenForm
    from genmem.arena.teams.forms import MergeForm, TeamForm

    for form in (TeamForm, MergeForm, TokenForm):
        assert not form({"name": "x" * 61}).is_valid()
        assert form({"name": "x" * 60}).is_valid()
    assert not NameForm({"display_name": "x" * 61}).is_valid()


def test_rules_are_rendered_in_bounded_time():
    from genmem.arena.competitions.forms import MAX_RULES, CompetitionForm
    from genmem.arena.core.markdown import safe_html

    assert "rules" in CompetitionForm({"rules": "x" * (MAX_RULES + 1)}).errors
    for piece in ("[", "*a ", "> ", "`a", "![a](", "- \n", "|a|b|\n|-|-|\n", "<a", "&"):
        started = clock_time.process_time()
        safe_html((piece * MAX_RULES)[:MAX_RULES])
        assert clock_time.process_time() - started < 20, piece


@pytest.mark.parametrize("text", ["1" + " " * 100_000 + "!", "9" * 400, "1.2.3", "1" * 10**6])
def test_sizes_and_times_are_parsed_in_linear_time(text):
    from genmem.arena.core.formatting import bytes_from, seconds_from

    started = clock_time.process_time()
    for parse in (bytes_from, seconds_from):
        with pytest.raises(ValueError):
            parse(text)
    assert clock_time.process_time() - started < 2


@pytest.mark.parametrize("page", ["-1", "0", "x", "9" * 5_000, "1e9", "½", "٣"])
def test_any_page_of_a_leaderboard_is_shown_or_refused(page):
    from django.test import Client

    from .factories import a_competition

    a_competition()
    assert Client().get("/c/dogs/leaderboard/", {"page": page}).status_code in (200, 404)
