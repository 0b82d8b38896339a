"""A cluster of one machine, to which tests add others; one start for all tests of this folder."""

import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed (the extra scale)")


@pytest.fixture(scope="package")
def machines():
    from ray.cluster_utils import Cluster as Machines

    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 2})
    yield machines
    machines.shutdown()


@pytest.fixture(scope="package")
def cluster(machines):
    from genmem.distributed import Cluster

    with Cluster(machines.address) as cluster:
        yield cluster
