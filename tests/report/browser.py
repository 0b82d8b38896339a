"""A real browser for the tests that look at pages: Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="needs Chromium (Debian: chromium)"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    assert CHROMIUM is not None, "CI installs Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visited(
    browser: Browser, path: Path, *, width: int = 1280, height: int = 900, script: str = ""
) -> Iterator[tuple[Page, list[str]]]:
    """A page opened from the file system, and everything it complains about.

    Complaints are console messages, errors, requests that failed and requests to the network.
    A request that a reload or the end of the visit cuts off has not failed.

    Args:
        browser: from `chromium`.
        path: the HTML file.
        width, height: of the window, in CSS pixels.
        script: JavaScript that runs before the page's own.
    """
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":
            complaints.append(f"failed: {request.url}: {request.failure}")

    page.on("requestfailed", failed)

    def note(request: Request) -> None:
        if not request.url.startswith(("file:", "data:")):
            complaints.append(f"asked for {request.url}")

    page.on("request", note)
    if script:
        page.add_init_script(script)
    page.goto(path.as_uri())
    try:
        yield page, complaints
    finally:
        context.close()


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    # A locator waits for the element: a page that has just been asked for has none yet.
    return page.locator("html").evaluate("(html) => html.scrollWidth - window.innerWidth")
