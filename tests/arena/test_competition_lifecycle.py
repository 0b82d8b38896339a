"""A competition's whole life in a real browser: from signing up to the export of its data."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from ..report.browser import chromium, needs_chromium, overflow
from .live_server import genmem, make, serving

pytestmark = needs_chromium

COUNT, SIDE, TRAIN = 20, 8, 60
PASSWORD = "analytical-engine-9"
RULES = f"""
title: Dogs
slug: dogs
rules: Be **fair**.
opens_at: 2026-01-01T00:00Z
merge_until: 2026-01-02T00:00Z
closes_at: 2099-01-01T00:00Z
image_count: {COUNT}
image_width: {SIDE}
image_height: {SIDE}
public: {{backbone: pixels, train: data/train, tau: 0.000001}}
private: {{backbone: pixels, train: data/train, tau: 0.000001}}
"""


def pictures(count: int, seed: int) -> list[bytes]:
    """Smooth colored blots, no two alike."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
        buffer = io.BytesIO()
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, format="PNG")
        found.append(buffer.getvalue())
    return found


def zipped(path: Path, images: list[bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, content in enumerate(images):
            archive.writestr(f"{number:04d}.png", content)
    return path


class Person:
    """Somebody with a browser of their own, and everything it complains about."""

    def __init__(self, browser, address, *, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.page, self.address, self.complaints = context.new_page(), address, []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def check(self):
        assert self.complaints == []
        assert overflow(self.page) <= 0, self.page.url
        found = Axe().run(self.page).response["violations"]
        serious = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], self.page.url

    def go(self, where):
        self.page.goto(self.address + where)
        self.check()
        return self.page

    def press(self, name):
        """Press a button that leads to another page."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name).click()
        self.check()

    def sign_up(self, name, where="/"):
        page = self.go(f"/accounts/signup/?next={where}")
        page.get_by_label("Your name").fill(name)
        page.get_by_label("Email").fill(f"{name.lower()}@example.org")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password (again)").fill(PASSWORD)
        self.press("Sign up")

    def sign_in(self, email, password):
        page = self.go("/accounts/login/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password", exact=True).fill(password)
        self.press("Sign in")

    def make_team(self, name):
        page = self.go("/c/dogs/team/")
        page.get_by_label("Name of the team").fill(name)
        self.press("Create the team")

    def send(self, path):
        """Send a zip and watch until it is scored."""
        page = self.go("/c/dogs/submissions/new/")
        page.get_by_label("Zip file").set_input_files(path)
        page.get_by_role("button", name="Send", exact=True).click()
        page.wait_for_url(re.compile(r"/submissions/[0-9a-f-]{36}/$"), timeout=60_000)
        scored = re.compile(r"^\s*Scored\s*$")  # and not "Being scored"
        page.locator("[role=status]", has_text=scored).wait_for(timeout=240_000)
        self.check()

    def label(self, file_name, label, reason=""):
        page = self.go("/c/dogs/moderation/")
        page.get_by_role("link", name=file_name).first.click()
        page.get_by_role("radio", name=re.compile(f"^{label}")).check()
        page.get_by_label("Reason", exact=True).fill(reason)
        self.press(re.compile("^Save$"))


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A served arena with a worker; its address, and the organizer's password."""
    folder = tmp_path_factory.mktemp("life") / "A"
    assert make(folder, RULES, {f"{n}.png": one for n, one in enumerate(TRAINED)}).returncode == 0
    made = genmem("organizer", folder, "olga@example.org")
    password = re.search(r"only now: (\S+)", made.stdout)
    assert password
    with serving(folder, worker=True) as address:
        yield address, password[1]


TRAINED = pictures(TRAIN, seed=0)


def test_a_competition_from_the_first_sign_up_to_its_export(browser, life, tmp_path):
    address, password = life
    ada, bob = Person(browser, address), Person(browser, address, width=400, scheme="dark")
    honest = zipped(tmp_path / "honest.zip", pictures(COUNT, seed=1))
    copied = zipped(tmp_path / "copied.zip", TRAINED[:COUNT])

    # Two teams sign up and send; the copied training images win.
    for person, name, path in ((ada, "Ada", honest), (bob, "Bob", copied)):
        person.sign_up(name)
        person.make_team(f"Team {name}")
        person.send(path)
        page = person.go("/c/dogs/finals/")
        page.get_by_role("checkbox").first.check()
        person.press(re.compile("^Save$"))
    assert ranked(ada.go("/c/dogs/leaderboard/")) == ["Team Ada", "Team Bob"]

    # Reviewers get their role, the organizer closes.
    eva, kim = Person(browser, address), Person(browser, address)
    eva.sign_up("Eva")
    kim.sign_up("Kim")
    olga = Person(browser, address, scheme="dark")
    olga.sign_in("olga@example.org", password)
    for email in ("eva@example.org", "kim@example.org"):
        page = olga.go("/c/dogs/setup/roles/")
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Role", exact=True).select_option("reviewer")
        olga.press("Give")
    page = olga.go("/c/dogs/setup/")
    now = datetime.now(UTC)
    page.get_by_label("Closes", exact=True).fill(now.strftime("%Y-%m-%dT%H:%M:%S"))
    olga.press("Save")
    assert "Closed" in olga.go("/c/dogs/").inner_text("main")

    # τ is so low that it catches nothing but exact copies; move it up, and apply.
    page = olga.go("/c/dogs/moderation/distances/private/")
    page.get_by_label("τ", exact=True).fill("0.5")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_text("0 of 2 teams move").wait_for()
    page.get_by_label("Reason", exact=True).fill("Every copy should be penalized.")
    olga.press(re.compile("^Apply τ"))
    assert "Every copy should be penalized." in olga.go("/c/dogs/moderation/log/").content()

    # Two reviewers agree, the organizer disqualifies, the team answers, the desk replies.
    for person in (eva, kim):
        person.label("copied.zip", "Other", "Each image is a training image.")
        person.label("honest.zip", "Legitimate")
    page = olga.go("/c/dogs/moderation/")
    page.get_by_role("link", name="copied.zip").first.click()
    page.get_by_label("Reason (shown to the team)").fill("Copies of training images.")
    olga.press("Disqualify")
    page = bob.go("/c/dogs/submissions/")
    page.get_by_role("link", name="copied.zip").click()
    assert "Copies of training images." in page.inner_text("main")
    assert "Each image is a training image." not in page.content()
    page.get_by_label("What the organizers should know").fill("We drew them ourselves.")
    bob.press("Send answer")
    page = olga.go("/c/dogs/moderation/decisions/")
    assert "We drew them ourselves." in page.inner_text("main")

    # The private board is opened: without the disqualified team.
    assert bob.page.goto(f"{address}/c/dogs/leaderboard/private/").status == 403
    bob.complaints.clear()  # the browser itself notes the 403
    olga.go("/c/dogs/setup/")
    olga.press("Open it to everybody")
    board = bob.go("/c/dogs/leaderboard/private/")
    assert ranked(board) == ["Team Ada"]

    # And the data are exported.
    page = olga.go("/c/dogs/export/")
    olga.press("Start export")
    link = page.get_by_role("link", name=re.compile("^Export of"))
    link.wait_for(timeout=60_000)
    with page.expect_download() as download:
        link.click()
    with zipfile.ZipFile(download.value.path()) as released:
        assert {Path(name).name for name in released.namelist()} >= {
            "submissions.parquet",
            "scores.parquet",
            "labels.parquet",
            "results.csv",
            "DATASHEET.md",
        }


def ranked(page) -> list[str]:
    """The teams on a board, best first."""
    names = page.locator("main table tbody tr th").all_inner_texts()
    return [name.splitlines()[0].strip() for name in names]
