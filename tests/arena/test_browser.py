"""The site in a real browser: a first visit to a first submission, on a desktop and a phone."""

import re

import pytest

from ..report.browser import chromium, needs_chromium, overflow
from .images import a_zip

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


class Visitor:
    """Somebody with a browser, and everything it complains about."""

    def __init__(self, context, address):
        self.page, self.address, self.complaints = context.new_page(), address, []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)

    def _note(self, request):
        if not request.url.startswith((self.address, "data:")):
            self.complaints.append(f"asked for {request.url}")

    def check(self):
        self.page.wait_for_load_state()
        assert self.complaints == []
        assert overflow(self.page) <= 0, self.page.url
        assert self.page.locator("h1").count() == 1
        assert self.page.locator("main").count() == 1

    def go(self, where):
        self.page.goto(self.address + where)
        self.check()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()
        self.check()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_a_newcomer_signs_up_makes_a_team_and_sends_a_submission(
    browser, arena_url, tmp_path, width, scheme
):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    try:
        visitor = Visitor(context, arena_url)
        page = visitor.page
        visitor.go("/")
        page.get_by_role("link", name="Dogs", exact=True).click()
        page.get_by_role("link", name="Take part").click()
        page.get_by_role("link", name="Make an account").click()
        visitor.check()
        page.get_by_label("Your name").fill("Ada")
        page.get_by_label("Email").fill(f"ada{width}@example.org")
        page.get_by_label("Password", exact=True).fill("analytical-engine-9")
        page.get_by_label("Password (again)").fill("analytical-engine-9")
        visitor.press("Sign up")
        assert page.url == f"{arena_url}/c/dogs/team/"
        page.get_by_label("Name of the team").fill(f"Engines {width}")
        visitor.press("Create the team")
        visitor.go("/c/dogs/submissions/new/")
        page.get_by_label("Zip file").set_input_files(a_zip(tmp_path / "dogs.zip"))
        page.get_by_role("button", name="Send", exact=True).click()
        page.wait_for_url(re.compile(r"/submissions/[0-9a-f-]{36}/$"))
        visitor.check()
        assert page.get_by_role("status").first.inner_text().startswith("Received")
        for where in ("submissions/", "finals/", "leaderboard/", "team/", ""):
            visitor.go(f"/c/dogs/{where}")
        visitor.go("/account/")
        visitor.press("Sign out")
    finally:
        context.close()


def test_the_page_can_be_reached_past_the_navigation_by_keyboard(browser, arena_url):
    page = browser.new_page()
    try:
        page.goto(arena_url + "/c/dogs/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
        page.keyboard.press("Enter")
        assert page.url.endswith("#main")
    finally:
        page.close()
