"""The audit's page in a real browser, with as many rows as it ever has."""

import io
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from genmem.auditing.local import LocalEvidence, Region
from genmem.auditing.results import most_suspicious_first
from genmem.auditing.review import read_marks, review_flags
from genmem.formatting import share
from genmem.report.audit.page import AUDIT, write_audit

from ..browser import needs_chromium, overflow, visited
from .example import FullPictures, LargePictures, build_audit

pytestmark = needs_chromium

ROWS = 10_000


@pytest.fixture(scope="module")
def audit():
    return build_audit(ROWS, train=50_000, k=10)


@pytest.fixture(scope="module")
def path(audit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    write_audit(audit, folder)
    return folder / AUDIT.page


@pytest.fixture
def page(browser, path):
    with visited(browser, path) as (page, complaints):
        yield page
        assert complaints == []


@pytest.fixture(scope="module")
def by_p(audit):
    return most_suspicious_first(audit)


def column(page, name):
    return page.locator(f"#rows .row .{name}").all_inner_texts()


def names(page):
    """Generated ids on screen, from top to bottom."""
    lines = page.evaluate(
        "[...document.querySelectorAll('#rows .row')]"
        ".sort((a, b) => a.dataset.place - b.dataset.place)"
        ".map((line) => line.querySelector('.generated .path').title)"
    )
    return lines[:10]


def ids(audit, rows):
    return [audit.generated_ids[row] for row in rows]


def active(page):
    """The place of the active row, which must be on screen and announced as such."""
    line = page.locator(".row[aria-selected=true]")
    expect(line).to_have_count(1)
    expect(line).to_be_in_viewport()
    expect(page.locator("#grid")).to_have_attribute(
        "aria-activedescendant", line.get_attribute("id") or ""
    )
    return int(line.get_attribute("aria-rowindex") or 0) - 2


def test_of_ten_thousand_rows_only_those_on_screen_are_painted(browser, path):
    with visited(browser, path) as (page, complaints):
        page.wait_for_function(
            "() => { const all = [...document.querySelectorAll('#rows img')];"
            " return all.length && all.every((image) => image.naturalWidth); }"
        )
        assert 0 < page.locator("#rows .row").count() < 40
        assert complaints == []


def test_the_most_suspicious_rows_stand_on_top(page, audit, by_p):
    assert names(page) == ids(audit, by_p[:10])
    expect(page.locator("#count")).to_have_text("10,000 images")
    expect(page.locator("#grid")).to_have_attribute("aria-rowcount", "10001")
    first = page.locator("#row-0")
    space, train, change, _ = audit.nearest(int(by_p[0]))
    expect(first.locator(".nearest .path")).to_have_attribute("title", audit.train_ids[train])
    words = [change.phrase, f"in {space.name}"]
    assert first.locator(".phrase").inner_text() == ", ".join(word for word in words if word)
    expect(first.locator(".flag")).to_have_text("flagged")


def test_every_column_sorts_both_ways(page, audit):
    distances = np.array([audit.nearest(row)[3] for row in range(ROWS)])
    ratios = np.stack([space.ratio for space in audit.spaces])[audit.space, np.arange(ROWS)]
    by_p = most_suspicious_first(audit)
    for name, keys in (
        ("distance", distances),
        ("ratio", ratios.round(6)),
        ("generated", np.arange(ROWS)),
        ("q", audit.q_values),
    ):
        header = page.locator(f"[role=columnheader].{name}")
        button = header.get_by_role("button")
        order = by_p[np.argsort(keys[by_p], kind="stable")]
        button.click()
        expect(header).to_have_attribute("aria-sort", "ascending")
        assert names(page) == ids(audit, order[:10])
        button.click()
        expect(header).to_have_attribute("aria-sort", "descending")
        assert names(page) == ids(audit, order[::-1][:10])
    expect(page.locator("[role=columnheader][aria-sort=descending]")).to_have_count(1)
    for name in ("nearest", "class", "flag"):
        page.locator(f"[role=columnheader].{name} button").click()
        shown = column(page, name)
        if name == "flag":
            assert set(shown) == {"flagged"}
        elif name == "class":
            assert set(shown) == {"airplane"}
        else:
            assert shown[0].startswith("airplane/")


def test_filters_narrow_the_rows_and_say_how_many_are_left(page, audit):
    count = page.locator("#count")
    flagged = int(audit.flagged.sum())
    page.get_by_label("Flagged only").check()
    expect(count).to_have_text(f"{flagged:,} of 10,000 images")
    page.get_by_role("button", name="Clear filters").click()
    expect(count).to_have_text("10,000 images")

    page.get_by_label("q at most").fill("0.05")
    expect(count).to_have_text(f"{flagged:,} of 10,000 images")
    page.locator("#space").select_option("pixels")
    both = int((audit.flagged & (audit.space == 1)).sum())
    expect(count).to_have_text(f"{both:,} of 10,000 images")
    page.get_by_role("button", name="Clear filters").click()

    page.locator("#class").select_option("dog")
    nearest = [audit.nearest(row) for row in range(ROWS)]
    dogs = sum(audit.classes[one[1]] == "dog" for one in nearest)
    expect(count).to_have_text(f"{dogs:,} of 10,000 images")
    page.get_by_label("Distance at least").fill("0.2")
    page.get_by_label("Distance at most").fill("0.3")
    between = sum(audit.classes[one[1]] == "dog" and 0.2 <= one[3] <= 0.3 for one in nearest)
    expect(count).to_have_text(f"{between:,} of 10,000 images")
    page.get_by_role("button", name="Clear filters").click()

    page.get_by_label("Name").fill("SAMPLES/00123")
    expect(count).to_have_text("10 of 10,000 images")
    page.get_by_label("Name").fill("no such image")
    expect(count).to_have_text("0 of 10,000 images")
    expect(page.locator("#none")).to_be_visible()
    page.locator("#grid").press("Enter")
    expect(page.locator("#pair")).not_to_be_visible()


def test_the_whole_table_is_reached_by_keyboard(page):
    page.locator("#grid").focus()
    assert active(page) == 0
    for key, expected in (
        ("ArrowDown", 1),
        ("ArrowDown", 2),
        ("ArrowUp", 1),
        ("Home", 0),
        ("ArrowUp", 0),
        ("End", ROWS - 1),
        ("ArrowDown", ROWS - 1),
    ):
        page.keyboard.press(key)
        assert active(page) == expected
    page.keyboard.press("PageUp")
    assert ROWS - 30 < active(page) < ROWS - 3
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    assert 2 < active(page) < 30
    # Headers and filters come before the rows in the order of Tab.
    page.locator("#find").focus()
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    for name in ("class", "space", "q", "from", "to", "flagged", "clear", "grid"):
        assert name in reached
    assert reached.count("BUTTON") >= 8


def test_a_row_that_was_scrolled_away_stays_the_active_one(page):
    page.locator("#grid").focus()
    page.keyboard.press("ArrowDown")
    page.evaluate("grid.scrollTop = 300000")
    expect(page.locator("#rows .row").nth(5)).to_have_attribute("data-place", re.compile("4..."))
    expect(page.locator("#row-1")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    assert active(page) == 2


def test_a_pair_opens_large_with_its_difference_and_neighbors(page, audit, by_p):
    dialog = page.locator("#pair")
    place = next(
        place
        for place, row in enumerate(by_p)
        if audit.nearest(int(row))[2].mirrored and audit.flagged[row]
    )
    row = int(by_p[place])
    space, train, _, _ = audit.nearest(row)
    page.locator("#find").fill(audit.generated_ids[row])
    page.locator("#row-0").click()
    expect(dialog).to_be_visible()
    expect(page.locator("#pair-title")).to_have_text(
        f"{audit.generated_ids[row]} is matched with {audit.train_ids[train]}"
    )
    expect(page.locator("#pair-facts")).to_contain_text(f"flipped, in {space.name}")
    expect(page.locator("#view-train-caption")).to_have_text("Training image, flipped")
    expect(page.locator("#view-train img")).to_have_css("transform", "matrix(-1, 0, 0, 1, 0, 0)")
    expect(page.locator("#view-original img")).to_have_css("transform", "none")
    for name in ("generated", "train", "original"):
        expect(page.locator(f"#view-{name} img")).to_have_css("image-rendering", "pixelated")
    difference = page.locator("#view-difference")
    expect(difference.locator("img")).to_have_count(2)
    expect(difference.locator(".layer")).to_have_css("mix-blend-mode", "difference")
    expect(difference).to_have_css("filter", "brightness(4)")
    page.get_by_role("button", name="×16").click()
    expect(difference).to_have_css("filter", "brightness(16)")
    tables = page.locator("#pair-spaces section")
    expect(tables).to_have_count(2)
    for number, one in enumerate(audit.spaces):
        listed = tables.nth(number).locator("li bdi").all_inner_texts()
        assert listed == [audit.train_ids[image] for image in one.train[row]]


def test_the_difference_of_a_copy_is_dark_and_that_of_an_honest_image_is_not(page, audit, by_p):
    """Seen, not computed: the brightness of a screenshot, once the pictures are painted."""

    def brightness():
        page.evaluate(
            "Promise.all([...document.querySelectorAll('#view-difference img')]"
            ".map((image) => image.decode()))"
        )
        shot = page.locator("#view-difference").screenshot()
        return float(np.asarray(Image.open(io.BytesIO(shot)).convert("L")).mean())

    def becomes(told):
        deadline = time.monotonic() + 10
        while not told(seen := brightness()):
            assert time.monotonic() < deadline, seen
            page.wait_for_timeout(50)

    page.locator("#grid").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#pair-generated")).to_have_text(audit.generated_ids[by_p[0]])
    becomes(lambda seen: seen < 40)
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("#pair-generated")).to_have_text(audit.generated_ids[by_p[-1]])
    becomes(lambda seen: seen > 40)


def test_arrows_walk_through_the_pairs_in_the_current_order(page, audit, by_p):
    page.locator("[data-sort=generated]").click()
    page.locator("#grid").focus()
    page.keyboard.press("Enter")
    place = page.locator("#pair-place")
    title = page.locator("#pair-generated")
    expect(place).to_have_text("1 of 10,000")
    expect(page.locator("#previous")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text(audit.generated_ids[0])
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Next pair").click()
    expect(place).to_have_text("3 of 10,000")
    expect(title).to_have_text(audit.generated_ids[2])
    expect(page.locator("#pair-status")).to_have_text(
        re.compile(r"^Pair 3 of 10,000: samples/000002.png")
    )
    page.keyboard.press("Escape")
    expect(page.locator("#pair")).not_to_be_visible()
    assert page.evaluate("document.activeElement.id") == "grid"
    assert active(page) == 2


def test_a_copied_training_image_leads_to_its_copies(page):
    card = page.locator("#copied .cards li").first
    name = card.locator(".name").inner_text()
    card.get_by_role("button").click()
    assert page.locator("#find").input_value() == name
    for line in page.locator("#rows .row").all():
        expect(line.locator(".nearest .path")).to_have_attribute("title", name)
        expect(line.locator(".flag")).to_have_text("flagged")
    assert page.evaluate("document.activeElement.id") == "grid"


@pytest.mark.parametrize("width", [400, 800, 1280])
def test_nothing_sticks_out_at_the_side(browser, path, width):
    with visited(browser, path, width=width, height=850) as (page, complaints):
        assert overflow(page) <= 0
        page.locator("#grid").focus()
        page.keyboard.press("ArrowDown")
        assert active(page) == 1
        for name in ("generated", "distance", "q", "flag"):
            box = page.locator(f"#row-1 .{name}").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        page.keyboard.press("Enter")
        assert overflow(page) <= 0
        inside = "(box) => box.scrollWidth - box.clientWidth"
        assert page.locator("#pair .content").evaluate(inside) <= 0
        page.keyboard.press("Escape")
        page.set_viewport_size({"width": 1280 if width < 1280 else 400, "height": 850})
        page.keyboard.press("ArrowDown")
        page.evaluate("grid.scrollIntoView({ behavior: 'instant' })")
        # Rows are laid out anew, one below the other, though their height is another now.
        page.wait_for_function(
            "() => { const [one, next] = ['#row-1', '#row-2']"
            ".map((id) => document.querySelector(id)?.getBoundingClientRect());"
            "return one && next && Math.abs(next.top - one.bottom) < 1; }"
        )
        assert active(page) == 2
        assert complaints == []


def test_large_pictures_keep_their_shape(browser, tmp_path):
    write_audit(build_audit(20, train=100, copies=0.5, pictures=LargePictures), tmp_path)
    with visited(browser, tmp_path / AUDIT.page) as (page, complaints):
        page.locator("#grid").press("Enter")
        image = page.locator("#view-generated img")
        expect(image).to_have_css("image-rendering", "auto")
        box = image.bounding_box()
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(240 / 180, abs=0.01)
        assert complaints == []


def test_a_pair_shows_the_full_pictures_and_links_to_them(browser, tmp_path):
    write_audit(build_audit(20, train=100, copies=0.5, pictures=FullPictures), tmp_path)
    with visited(browser, tmp_path / AUDIT.page) as (page, complaints):
        thumbnail = page.locator("#grid img").first
        assert thumbnail.evaluate("image => image.decode().then(() => image.naturalWidth)") == 240
        page.locator("#grid").press("Enter")
        for figure, role in (("#view-generated", "generated"), ("#view-train", "train")):
            link = page.locator(f"{figure} a")
            path = link.get_attribute("href")
            assert path is not None
            assert path.startswith(f"pictures/{role}/full/")
            assert (tmp_path / path).is_file()
            image = link.locator("img")
            assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 480
        assert complaints == []


def test_features_have_a_page_without_pictures(browser, tmp_path):
    audit = build_audit(30, classes=False, test=False, names=("features",), pictures=None)
    write_audit(replace(audit, copied_fraction=None), tmp_path)
    with visited(browser, tmp_path / AUDIT.page) as (page, complaints):
        page.locator("#grid").press("Enter")
        expect(page.locator("#pair-spaces section")).to_have_count(1)
        assert page.locator("img").count() == 0
        assert complaints == []


def test_ids_that_look_like_markup_are_shown_as_they_are(browser, tmp_path):
    evil = '</script><img src=x onerror=alert(1)>"\n\udcff'
    audit = build_audit(12, train=60, copies=0.5)
    audit = replace(
        audit,
        generated_ids=[f"{evil}{row}" for row in range(12)],
        train_ids=[f"{evil}{row}" for row in range(60)],
        classes=[evil] * 60,
    )
    write_audit(audit, tmp_path)
    with visited(browser, tmp_path / AUDIT.page) as (page, complaints):
        page.locator("#grid").press("Enter")
        expect(page.locator("#pair-title")).to_contain_text("</script><img src=x onerror=alert(1)>")
        assert page.locator("img[src=x]").count() == 0
        assert complaints == []


def test_no_flag_and_an_empty_reverse_table_read_sensibly(browser, tmp_path):
    audit = build_audit(30, copies=0.0, level=1e-9)
    write_audit(replace(audit, duplicates=()), tmp_path)
    with visited(browser, tmp_path / AUDIT.page) as (page, complaints):
        expect(page.locator(".verdict .sentence")).to_contain_text("None of the 30 generated")
        assert page.locator("#copied").count() == 0
        page.get_by_label("Flagged only").check()
        expect(page.locator("#none")).to_be_visible()
        assert complaints == []


def test_marks_are_given_by_key_or_button_and_survive_a_reload(page, audit, by_p):
    page.locator("#grid").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    expect(page.locator("[data-mark=copy]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Not a copy").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    page.keyboard.press("3")  # taken away again
    page.keyboard.press("Escape")
    flagged = int(audit.flagged.sum())
    told = f"Marked: 2 of {flagged} flagged (1 copy, 1 not, 0 unsure)"
    expect(page.locator("#review")).to_contain_text(told)
    page.reload()
    expect(page.locator("#review")).to_contain_text(told)
    expect(page.locator("#row-0 .marked")).to_have_text("a copy")
    expect(page.locator("#row-1 .marked")).to_have_text("not a copy")
    expect(page.locator("#row-2 .marked")).to_have_text("")
    page.locator("#mark").select_option("not-a-copy")
    expect(page.locator("#count")).to_have_text("1 of 10,000 images")
    assert names(page) == ids(audit, by_p[1:2])


def test_exported_marks_are_read_by_the_command_and_give_the_same_interval(page, audit, tmp_path):
    page.locator("#grid").focus()
    page.keyboard.press("Enter")
    for key in "1131321":
        page.keyboard.press(key)
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export marks").click()
    path = tmp_path / "marks.json"
    download.value.save_as(path)
    marks = read_marks(path, digest=audit.digest())
    assert list(marks.values()).count("copy") == 4
    review = review_flags(marks, np.flatnonzero(audit.flagged).tolist())
    low, high = share(review.low), share(review.high)
    expect(page.locator("#review")).to_contain_text(f"(95 % interval: {low} to {high})")
    expect(page.locator("#review")).to_contain_text(f"false flags: {share(review.rate)} (")

    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.locator("#review")).to_have_text("None of the flagged pairs is marked.")
    page.locator("#import-file").set_input_files(path)
    expect(page.locator("#marks-status")).to_have_text("Imported 7 marks.")
    expect(page.locator("#review")).to_contain_text("Marked: 7 of")
    path.write_text(path.read_text().replace(audit.digest(), "other"))
    page.locator("#import-file").set_input_files(path)
    expect(page.locator("#marks-status")).to_have_text("These marks belong to another audit.")


def test_an_address_opens_its_pair(browser, path, audit, by_p):
    with visited(browser, path) as (page, complaints):
        row = int(by_p[7])
        page.goto(f"{path.as_uri()}#pair={row + 1}")
        page.reload()
        expect(page.locator("#pair-generated")).to_have_text(audit.generated_ids[row])
        page.keyboard.press("ArrowRight")
        assert page.evaluate("location.hash") == f"#pair={by_p[8] + 1}"
        page.keyboard.press("Escape")
        assert page.evaluate("location.hash") == ""
        page.evaluate("location.hash = '#pair=999999'")
        expect(page.locator("#pair")).not_to_be_visible()
        assert complaints == []


def test_the_nearest_images_are_listed_with_their_pictures(page):
    page.locator("#grid").press("Enter")
    lists = page.locator("#pair-spaces ol")
    expect(lists.first.locator("li:nth-child(-n+5) img")).to_have_count(5)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#pair-spaces img')].every((i) => i.naturalWidth)"
    )


def test_the_print_view_holds_the_flagged_pairs(page, audit):
    page.emulate_media(media="print")
    pairs = page.locator(".printed article")
    expect(pairs).to_have_count(min(100, int(audit.flagged.sum())))
    expect(pairs.first).to_be_visible()
    expect(pairs.first.locator("img")).to_have_count(2)
    expect(page.locator("#grid")).not_to_be_visible()


def test_the_shared_region_is_outlined_in_both_pictures(browser, tmp_path):
    audit = build_audit(20, train=100, copies=0.5, families=(), pictures=LargePictures)
    square = np.array([[60.0, 45], [180, 45], [180, 135], [60, 135]])
    region = Region(
        generated=square,
        train=square / 2,
        transform=np.array([[0.5, 0, 0], [0, 0.5, 0]]),
        mirrored=False,
        sizes=((240, 180), (240, 180)),
        share=(0.25, 0.06),
    )
    nearest = [audit.nearest(row)[1] for row in range(20)]
    local = LocalEvidence(
        statistic=np.ones(20),
        honest=np.ones(3),
        train=np.array(nearest),
        inliers=np.full(20, 30),
        honest_inliers=np.zeros(3, np.int64),
        regions=[region] * 20,
    )
    write_audit(replace(audit, local=local), tmp_path)
    with visited(browser, tmp_path / AUDIT.page) as (page, complaints):
        page.locator("#grid").press("Enter")
        for name, corner in (("generated", "0.25,0.25"), ("train", "0.125,0.125")):
            drawn = page.locator(f"#view-{name} polygon.over")
            points = drawn.get_attribute("points")
            assert points is not None
            assert points.startswith(corner)
        assert complaints == []
