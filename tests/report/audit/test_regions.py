"""Regions that two pictures share, as a page and a dossier draw them."""

from types import SimpleNamespace

import numpy as np
import pytest

from genmem.auditing.local import Region
from genmem.report.audit.regions import shared_regions


def region(corners, share):
    points = np.array(corners, float)
    return Region(
        generated=points,
        train=points,
        transform=np.array([[1.0, 0, 0], [0, 1, 0]]),
        mirrored=False,
        sizes=((200, 100), (200, 100)),
        share=(share, share),
    )


def audit_of(found):
    return SimpleNamespace(
        local=SimpleNamespace(regions=[found], train=np.array([4])),
        nearest=lambda row: (None, 4, None, 0.1),
    )


def test_a_region_is_drawn_in_shares_of_both_pictures():
    (drawn,) = shared_regions(audit_of(region([(0, 0), (100, 0), (100, 50)], 0.125)), np.array([0]))
    assert drawn.generated == ((0, 0), (0.5, 0), (0.5, 0.5))


@pytest.mark.parametrize(
    ("corners", "share"),
    [([(3, 3), (50, 60)], 0.0), ([(3, 3), (4, 3), (4, 4)], 0.5 / 20_000)],
)
def test_points_on_a_line_and_specks_are_no_region(corners, share):
    assert shared_regions(audit_of(region(corners, share)), np.array([0])) == [None]
