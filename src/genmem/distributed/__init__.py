"""Many workers by Ray: features, moments and exact search by shards, to the bits of one process.

cluster.py    `Cluster`: joins or starts a Ray cluster, and runs tasks on it
backend.py    `RayBackend`, `use_workers`: what `genmem.score` and the commands hand to a cluster
shards.py     shards of a feature array, opened where a task runs
search.py     exact nearest neighbors, one task per shard
moments.py    mean and scatter, one task per run of blocks
features.py   features of images, one task per shard, written with a marker
sources.py    image sources that tasks open again, and their hashes
threads.py    one thread per task
"""

from genmem.distributed.backend import RayBackend, use_workers
from genmem.distributed.cluster import Cluster
from genmem.distributed.moments import moments
from genmem.distributed.search import search
from genmem.distributed.shards import Shard

__all__ = ["Cluster", "RayBackend", "Shard", "moments", "search", "use_workers"]
