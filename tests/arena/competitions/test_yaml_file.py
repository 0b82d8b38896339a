"""A competition from YAML: made whole, or refused in one line that names the key."""

from datetime import UTC, datetime

import pytest

from genmem.errors import GenmemError, InputError

pytestmark = pytest.mark.usefixtures("database")

GOOD = """
title: Generative Dogs
slug: puppies
time_zone: Europe/Berlin
rules_file: rules.md
opens_at: 2026-06-01 09:00
merge_until: 2026-06-20
closes_at: 2026-07-01T23:59:59+02:00
image_count: 10_000
image_formats: png
maximum_upload_bytes: 500 MB
accepts_code: true
wall_seconds: 90 min
memory_bytes: 8 GiB
public: {backbone: inception, train: train}
private: {backbone: nasnet, train: train, reference: reference, tau: 0.25, epsilon: 1e-15}
"""


@pytest.fixture
def made(tmp_path):
    """Writes the file, with changes, and makes what it says."""
    from genmem.arena.competitions.yaml_file import create_from_yaml

    for name in ("train", "reference"):
        (tmp_path / name).mkdir()
    (tmp_path / "rules.md").write_text("# Be fair", encoding="utf-8")

    def make(text):
        path = tmp_path / "c.yaml"
        path.write_text(text, encoding="utf-8")
        return create_from_yaml(path)

    return make


def test_a_file_makes_a_competition_with_both_splits(made, tmp_path):
    from genmem.arena.competitions.models import split_in_force

    found = made(GOOD)
    found.refresh_from_db()
    assert (found.title, found.rules, found.image_count) == ("Generative Dogs", "# Be fair", 10_000)
    assert found.opens_at == datetime(2026, 6, 1, 7, tzinfo=UTC)
    assert found.closes_at == datetime(2026, 7, 1, 21, 59, 59, tzinfo=UTC)
    assert found.merge_until == datetime(2026, 6, 19, 22, tzinfo=UTC)
    assert (found.maximum_upload_bytes, found.wall_seconds) == (500_000_000, 5400)
    assert (found.memory_bytes, found.image_formats) == (8 * 2**30, ["png"])
    assert (found.daily_limit, found.final_count) == (5, 2)
    public, private = split_in_force(found, "public"), split_in_force(found, "private")
    assert public is not None
    assert private is not None
    assert (public.tau, public.epsilon, public.train) == (0.1, 1e-15, str(tmp_path / "train"))
    assert (private.backbone, private.tau) == ("nasnet", 0.25)
    assert private.reference == str(tmp_path / "reference")


def test_making_it_is_in_the_log(made):
    from genmem.arena.auditlog.models import LogEntry

    made(GOOD)
    assert list(LogEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "create competition",
        "set public split",
        "set private split",
    ]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("title: Generative Dogs", "", "title: is missing"),
        ("slug: puppies", "slug: two words", "slug: Enter a valid"),
        ("slug: puppies", "slug: [", "expected YAML"),
        ("time_zone: Europe/Berlin", "", "opens_at: has no time zone"),
        ("Europe/Berlin", "Europe/Bärlin", "time_zone: Select a valid choice"),
        ("closes_at", "closes", "there is no key closes; did you mean closes_at"),
        (
            "2026-07-01T23:59:59+02:00",
            "2026-05-01",
            "closes_at: The competition closes",
        ),
        ("2026-07-01T23:59:59+02:00", "soon", "closes_at: Enter a valid date"),
        (
            "merge_until: 2026-06-20",
            "merge_until: 2026-08-20",
            "merge_until: Expected a date",
        ),
        ("500 MB", "500 lots", "maximum_upload_bytes: Expected a size such as"),
        ("90 min", "a while", "wall_seconds: Expected a time such as"),
        ("image_count: 10_000", "image_count: 0", "image_count: Ensure this value"),
        ("image_formats: png", "image_formats: [png, svg]", "image_formats: Select a valid choice"),
        ("rules.md", "rulez.md", "rules_file: rulez.md cannot be read"),
        ("accepts_code: true", "accepts_images: false", "accepts_images: Accept images, code"),
        ("backbone: inception", "backbone: incepton", "public.backbone: Unknown backbone"),
        ("backbone: inception, ", "", "public.backbone: is missing"),
        ("inception, train: train", "inception, train: trian", "public.train: There is no trian"),
        ("reference: reference", "reference: ''", "private.reference: expected a value, got an"),
        ("train: train}", "train: train, weights: ' '}", "public.weights: expected a value, got"),
        ("rules_file: rules.md", "rules_file: ''", "rules_file: expected a value, got an empty"),
        ("tau: 0.25", "tau: 2", "private.tau: Expected a distance above 0, at most 1"),
        ("tau: 0.25", "taw: 2", "there is no key private.taw; did you mean tau"),
        ("epsilon: 1e-15", "epsilon: 0", "private.epsilon: Expected a small number"),
        ("public: {", "public: 3 #", "public: expected keys"),
        ("private: {", "#private: {", "private: is missing"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key_and_makes_nothing(made, before, after, words):
    from genmem.arena.competitions.models import Competition

    assert before in GOOD
    with pytest.raises(GenmemError, match=words) as caught:
        made(GOOD.replace(before, after))
    assert "\n" not in str(caught.value)
    assert not Competition.objects.exists()


def test_a_second_competition_of_the_same_short_name_is_refused(made):
    made(GOOD)
    with pytest.raises(InputError, match="slug: Competition with this Slug already exists"):
        made(GOOD)


@pytest.mark.parametrize("text", ["", "- a", "3"])
def test_what_is_no_mapping_is_refused(made, text):
    with pytest.raises(InputError, match="expected keys such as title"):
        made(text)


def test_a_missing_file_is_one_line(tmp_path):
    from genmem.arena.competitions.yaml_file import create_from_yaml

    with pytest.raises(InputError, match="cannot be read: no such file"):
        create_from_yaml(tmp_path / "none.yaml")
