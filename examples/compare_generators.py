"""Two generators in one table: quality, copying, differences and ranks."""

from pathlib import Path

import genmem
from genmem.demo.digits import save_demo_images

digits = save_demo_images(Path("digits"))

result = genmem.compare(
    {"honest": digits / "honest", "copying": digits / "copying"},
    train=digits / "train",
    test=digits / "test",
    backbone="pixels",
    metrics=["fd", "kd", "precision", "recall", "memorization_distance", "c_t", "copied_fraction"],
)
print(genmem.comparison_markdown(result))
print("FD:", result.difference("fd", "honest", "copying"))
genmem.write_comparison(result, "comparison.html")
