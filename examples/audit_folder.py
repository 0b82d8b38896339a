"""Name the copies among generated images, with their training images; write a page and tables."""

from pathlib import Path

import genmem
from genmem.demo.digits import save_demo_images

digits = save_demo_images(Path("digits"))

with genmem.audit(
    generated=digits / "copying",
    train=digits / "train",
    test=digits / "test",
    backbone=["efficientnet-lite0@64", "pixels@32"],  # each misses what the other finds
    augment=["pixels@32:flip"],  # mirrored training images too, in pixels
) as audit:
    print(audit.verdict.sentence)
    for row in audit.flagged.nonzero()[0][:5]:
        space, train, augmentation, distance = audit.nearest(row)
        print(
            f"{audit.generated_ids[row]} copies {audit.train_ids[train]} "
            f"(q = {audit.q_values[row]:.4f}, {space.name}, {augmentation.name})"
        )
    genmem.write_audit(audit, "audit")  # audit.html, images.csv, copied.csv, audit.json
