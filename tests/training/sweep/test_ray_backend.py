"""Two machines of a Ray cluster, one of which is lost while it trains."""

import json
import threading
import time

import pytest

from genmem.training.emm.results import findings
from genmem.training.emm.study import Study
from genmem.training.sweep.pool import InProcess

from ..emm.small_models import build_request, save_images, with_training

ray = pytest.importorskip("ray", reason="Ray is not installed (the extra scale)")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of files it leaves to its processes


@pytest.fixture
def two_machines():
    """A cluster of two machines with one core each, and a head that does no work."""
    from ray.cluster_utils import Cluster as Machines

    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [machines.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=machines.address, log_to_driver=False, logging_level="error")
    yield machines, nodes
    ray.shutdown()
    machines.shutdown()


def test_a_machine_that_is_lost_while_it_trains_changes_no_number(tmp_path, two_machines):
    from genmem.training.sweep.ray_backend import Cluster

    machines, nodes = two_machines
    slow = with_training(steps=60, snapshots=20, samples=2)
    images = save_images(tmp_path / "images")
    request = build_request(images, base=slow, sizes=(4,), every_size=True)
    whole, cut = (Study(request, tmp_path / name, threads=1) for name in ("whole", "cut"))
    whole.go(InProcess(device="cpu"))
    lost = []

    def lose_one():
        while not list((tmp_path / "cut").glob("trials/*/snapshots/*")):
            time.sleep(0.1)
        lost.extend(path.parent for path in (tmp_path / "cut").glob("trials/*/task.json"))
        lost[:] = [path for path in lost if not (path / "outcome.json").exists()]
        machines.remove_node(nodes[0], allow_graceful=False)

    thread = threading.Thread(target=lose_one, daemon=True)
    thread.start()
    workers = Cluster("auto", device="cpu")
    assert workers.places == 2
    cut.go(workers)
    thread.join()
    assert len(lost) == 2  # both were still at it
    end = time.monotonic() + 120
    while workers.places != 1:  # until the cluster has noticed, by a missing answer
        assert time.monotonic() < end
        time.sleep(0.2)
    assert json.dumps(findings(cut)) == json.dumps(findings(whole))
