"""Describe a training set once; score and query against it without touching the images again."""

from pathlib import Path

import genmem
from genmem.demo.digits import save_demo_images

digits = save_demo_images(Path("digits"))

genmem.build_reference(
    train=digits / "train",
    test=digits / "test",
    backbone="pixels",
    out="train.genmem",
)
for name in ("honest", "copying"):
    result = genmem.score(generated=digits / name, train="train.genmem")
    print(f"{name}: {result.verdict.sentence}")

suspect = next((digits / "copying").iterdir())
answer = genmem.query(images=[str(suspect)], train="train.genmem", neighbors=3)
for neighbor in answer.to_dict()["images"][0]["spaces"][0]["neighbors"]:
    print(
        f"{suspect.name} is {neighbor['distance']:.0f} from {neighbor['train_id']}: "
        f"{neighbor['closer']} of 400 held-out images are closer to theirs"
    )
