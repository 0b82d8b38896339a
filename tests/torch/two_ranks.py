"""A rank of `torch.distributed`: its half of the images, and what all ranks compute of them."""

import json
import sys
from pathlib import Path

import torch
import torch.multiprocessing

from genmem import InputError
from genmem.torch import FrechetDistance, MemorizationDistance


def rank(number, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=number, world_size=2
    )
    features = torch.load(f"{folder}/features.pt")
    values = []
    for kind in (FrechetDistance, MemorizationDistance):
        metric = kind("pixels")
        for role, rows in features.items():
            for batch in rows[number::2].split(17):
                metric.update(batch, real=role == "train")
        values.append(float(metric.compute()))
    for kind in (FrechetDistance, MemorizationDistance):  # rank 0 has all training images
        metric = kind("pixels")
        roles = ["train", "generated"] if number == 0 else ["generated"]
        for role in roles:
            rows = features[role] if role == "train" else features[role][number::2]
            metric.update(rows, real=role == "train")
        values.append(float(metric.compute()))
    metric.reset()
    metric.update(features["train"], real=True)
    try:
        metric.compute()
    except InputError as error:
        values.append(str(error))
    Path(folder, f"{number}.json").write_text(json.dumps(values))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    torch.multiprocessing.spawn(rank, (sys.argv[1],), nprocs=2)
