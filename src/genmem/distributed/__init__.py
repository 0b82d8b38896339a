"""Many workers by Ray: exact search by shards of the references.

cluster.py    `Cluster`: joins or starts a Ray cluster, and runs tasks on it
shards.py     shards of a feature array, opened where a task runs
search.py     exact nearest neighbors, one task per shard
threads.py    one thread per task
"""

from genmem.distributed.cluster import Cluster
from genmem.distributed.search import search
from genmem.distributed.shards import Shard

__all__ = ["Cluster", "Shard", "search"]
