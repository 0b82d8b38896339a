"""What an audit accuses of without a yardstick: terminal, JSON, tables, page and document agree."""

import csv
import json
import re

import numpy as np
import pytest

import genmem
from genmem.cli.console import print_audit
from genmem.report.audit.page import write_audit
from genmem.report.common.verdict import which_are_copies
from genmem.report.dossier.write import write_dossier
from genmem.results import Verdict

NO_COPIES = "No copies are claimed"
NOBODY = "accuses nobody."
EXACT_ONLY = (
    "Exact copies need",
    "Only the exact copies",
    "images are certain",
    "Every copy that is not exact",
)
ONE_BY_ONE = "copies cannot be told one by one"


def scenes(rng, count, frames=5, d=16):
    """Frames of scenes: float32 [count · frames, d]."""
    return np.repeat(rng.normal(size=(count, d)), frames, axis=0).astype(np.float32) + (
        0.15 * rng.normal(size=(count * frames, d)).astype(np.float32)
    )


def audit_of(*, frames=5, near=0, exact=0, shift=0.0):
    """An audit of 200 images, of which the first are copies; held-out images are shifted."""
    rng = np.random.default_rng(0)
    train, test = scenes(rng, 600 // frames, frames), scenes(rng, 200 // frames, frames)
    generated = rng.normal(size=(200, 16)).astype(np.float32)
    copies = near + exact
    generated[:copies] = train[:: frames if frames > 1 else 2][:copies]
    generated[:near] += 0.004 * rng.normal(size=(near, 16))
    return genmem.audit(generated=generated, train=train, test=test + np.float32(shift))


def plain(page):
    """The words of a page, without its scripts."""
    page = re.sub("<(script|style).*?</\\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", page).split())


def written(audit, folder, capsys):
    """What terminal, page and document say, and `audit.json`."""
    print_audit(audit)
    write_audit(audit, folder)
    texts = {
        "terminal": " ".join(capsys.readouterr().out.split()),
        "page": plain((folder / "audit.html").read_text()),
        "document": plain(write_dossier(folder).read_text()),
    }
    return texts, json.loads((folder / "audit.json").read_text())


def test_copies_found_with_left_out_training_images_are_an_estimated_share_everywhere(
    tmp_path, capsys
):
    with audit_of(near=60) as audit:
        texts, numbers = written(audit, tmp_path / "audit", capsys)
    assert audit.yardstick.failing == ("series",)
    assert audit.flagged.any()
    assert audit.verdict.basis == ("left-out",)
    assert numbers["verdict"]["label"] == "copying"
    assert numbers["verdict"]["basis"] == ["left-out"]
    assert not numbers["verdict"]["comparable"]
    assert numbers["accusing"] is False
    for name in ("images.csv", "copied.csv"):
        with (tmp_path / "audit" / name).open(newline="") as file:
            assert {row["accusing"] for row in csv.DictReader(file)} == {"false"}
    for text in texts.values():
        assert "than these are to each other" in text
        assert "Which images are " + ONE_BY_ONE in text
        assert "p and q of single images are not available" in text
        for other in (NO_COPIES, NOBODY, *EXACT_ONLY, "how close is too close"):
            assert other not in text, other
    assert "Copies: of 200 generated images, more than chance explains" in texts["document"]
    assert "no closer to a training image than training images of one series" in texts["document"]


def test_exact_copies_without_a_yardstick_are_the_only_certain_ones_everywhere(tmp_path, capsys):
    with audit_of(frames=1, exact=40, shift=1.0) as audit:
        texts, numbers = written(audit, tmp_path / "audit", capsys)
    assert audit.yardstick.failing == ("two_sample",)
    assert audit.flagged.any()
    assert numbers["accusing"] is False
    assert numbers["verdict"]["label"] == "copying"
    assert numbers["verdict"]["basis"] == ["exact"]
    for text in texts.values():
        assert "40 of 200 generated images are exact copies" in text
        assert "Exact copies need neither" in text
        assert "Only the exact copies are certain." in text
        for other in (NO_COPIES, ONE_BY_ONE, "of single images are not available"):
            assert other not in text, other
    assert "Every copy that is not exact" in texts["document"]


@pytest.mark.parametrize(
    ("label", "basis", "words"),
    [
        ("no-yardstick", (), "No copies are claimed."),
        ("suspicious", (), "No copies are claimed."),
        ("copying", ("exact",), "Only the exact copies are certain."),
        ("copying", ("left-out",), f"Which images are {ONE_BY_ONE}"),
        (
            "copying",
            ("exact", "left-out"),
            f"Apart from the exact ones, which images are {ONE_BY_ONE}",
        ),
    ],
)
def test_single_images_are_spoken_of_by_what_the_verdict_rests_on(label, basis, words):
    verdict = Verdict(label=label, sentence="Why.", comparable=False, basis=basis)
    assert which_are_copies(verdict).startswith(words)
