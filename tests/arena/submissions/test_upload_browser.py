"""Sending a submission in a real browser: progress, pause, a broken connection, a reload."""

import hashlib
import itertools
import random

import pytest

from ...report.browser import chromium, needs_chromium
from ..images import a_zip

pytestmark = needs_chromium
_number = itertools.count()


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def big(tmp_path):
    return a_zip(tmp_path / "dogs.zip", **{"notes.txt": random.Random(3).randbytes(6_000_000)})


@pytest.fixture(params=["with script"])
def page(request, browser, arena_url):
    """A signed-in member of a new team, about to submit."""
    context = browser.new_context(java_script_enabled=request.param == "with script")
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda message: page.complaints.append(message.text))
    name = f"sender{next(_number)}"
    page.goto(f"{arena_url}/accounts/signup/?next=/c/dogs/team/")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Email").fill(f"{name}@example.org")
    page.get_by_label("Password", exact=True).fill("analytical-engine-9")
    page.get_by_label("Password (again)").fill("analytical-engine-9")
    page.get_by_role("button", name="Sign up", exact=True).click()
    page.get_by_label("Name of the team").fill(name)
    page.get_by_role("button", name="Create the team").click()
    page.goto(f"{arena_url}/c/dogs/submissions/new/")
    yield page
    context.close()


def slow(page, bytes_a_second):
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 1,
            "downloadThroughput": -1,
            "uploadThroughput": bytes_a_second,
        },
    )


def until(page, condition):
    """`wait_for_function` asks for eval, which the site forbids."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def choose_and_send(page, file):
    page.get_by_label("Zip file").set_input_files(file)
    page.get_by_role("button", name="Send", exact=True).click()


def received(page, file):
    page.wait_for_url("**/submissions/*-*/", timeout=60_000)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert page.get_by_text(digest).count() == 1


def test_a_file_is_sent_with_its_hash_and_its_progress_shown(page, big):
    slow(page, 4_000_000)
    choose_and_send(page, big)
    until(page, "document.querySelector('[data-numbers]').textContent.includes('left')")
    digest = hashlib.sha256(big.read_bytes()).hexdigest()
    assert page.locator("[data-hash]").inner_text() == f"SHA-256 {digest}"
    received(page, big)
    assert page.complaints == []


def test_a_broken_connection_is_taken_up_by_itself(page, big):
    cuts = iter(range(2))

    def carry(route):
        if route.request.method in ("PATCH", "HEAD") and next(cuts, None) is not None:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/uploads/**", carry)
    choose_and_send(page, big)
    page.get_by_text("The connection broke; trying again in 1 s").wait_for()
    received(page, big)


def test_paused_and_loaded_again_it_goes_on_where_it_stopped(page, big):
    offsets = []
    page.on(
        "request",
        lambda asked: (
            offsets.append(int(asked.headers["upload-offset"])) if asked.method == "PATCH" else None
        ),
    )
    slow(page, 1_000_000)
    choose_and_send(page, big)
    until(page, "document.querySelector('[data-bar]').value > 0.3")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused").wait_for()
    assert page.get_by_role("button", name="Continue").is_visible()
    page.reload()
    assert "Not yet sent in full: dogs.zip" in page.locator("#unfinished").inner_text()
    choose_and_send(page, big)
    received(page, big)
    assert offsets[0] == 0
    assert offsets[-1] > 500_000


def test_paused_and_continued_it_arrives(page, big):
    slow(page, 2_000_000)
    choose_and_send(page, big)
    until(page, "document.querySelector('[data-bar]').value > 0.2")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Continue").click()
    received(page, big)


def test_what_is_discarded_is_forgotten_here_and_there(page, big):
    slow(page, 1_000_000)
    choose_and_send(page, big)
    until(page, "document.querySelector('[data-bar]').value > 0.1")
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as told:
        page.get_by_role("button", name="Discard").click()
    assert told.value.status == 204
    page.get_by_role("button", name="Send", exact=True).wait_for()
    page.reload()
    assert page.locator("#unfinished").is_hidden()


def test_what_the_server_refuses_is_said_and_the_form_is_free_again(page, big):
    page.get_by_label("SHA-256").fill("0" * 64)
    choose_and_send(page, big)
    page.get_by_role("alert").filter(has_text="arrived damaged").wait_for()
    assert page.get_by_role("button", name="Send", exact=True).is_enabled()
    page.get_by_label("SHA-256").fill("")
    page.get_by_role("button", name="Send", exact=True).click()
    received(page, big)


@pytest.mark.parametrize("page", ["without script"], indirect=True)
def test_without_a_script_the_form_sends_it(page, big):
    choose_and_send(page, big)
    received(page, big)
