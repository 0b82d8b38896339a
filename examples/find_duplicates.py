"""Which training images repeat others, and which held-out images leak from the training set."""

import shutil
from pathlib import Path

import genmem
from genmem.demo.digits import save_demo_images

digits = save_demo_images(Path("digits"))
train, test = Path("few-train"), Path("few-test")
for folder, source in ((train, digits / "train"), (test, digits / "test")):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for image in sorted(source.iterdir())[:60]:
        shutil.copy(image, folder)
shutil.copy(train / "0003.png", train / "again.png")  # a repeat
shutil.copy(train / "0005.png", test / "leaked.png")  # a leak

with genmem.duplicates(train, against=test, backbone=["pixels@32"]) as result:
    genmem.write_duplicates(result, "duplicates")  # a page, tables and delete.txt
    print(Path("duplicates/delete.txt").read_text(encoding="utf-8"))
