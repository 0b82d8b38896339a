"""Score a folder of generated images, and write the report as one HTML page."""

from pathlib import Path

import genmem
from genmem.demo.digits import save_demo_images

digits = save_demo_images(Path("digits"))

result = genmem.score(
    generated=digits / "copying",
    train=digits / "train",
    test=digits / "test",  # held-out images: how close do honest images come?
    backbone="efficientnet-lite0@64",
)
print(result.verdict.label, "-", result.verdict.sentence)
print("FD", float(result["fd"]))  # no interval: fewer images than features
for name in ("memorization_distance", "c_t", "copied_fraction"):
    metric = result[name]
    print(f"{name:22} {metric.value:8.3f}  {metric.interval.low:.3f} to {metric.interval.high:.3f}")
genmem.write_report(result, "report.html")
