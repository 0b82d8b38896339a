"""Two machines of a Ray cluster, one of which is lost while it trains."""

import threading
import time

import pytest

from genmem.training.emm.results import summarize_study
from genmem.training.emm.study import EmmStudy
from genmem.training.sweep.local_backend import InProcess

from ..emm.factories import build_study_config, save_images, with_training

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
    from genmem.training.sweep.ray_backend import RayBackend

    machines, nodes = two_machines
    slow = with_training(steps=60, snapshots=20, samples=2)
    images = save_images(tmp_path / "images")
    config = build_study_config(images, base=slow, sizes=(4,), every_size=True)
    whole, cut = (EmmStudy(config, tmp_path / name, threads=1) for name in ("whole", "cut"))
    whole.run(InProcess(), device="cpu")
    lost = []

    def files(pattern):
        return list((tmp_path / "cut").glob(f"trials/*/{pattern}"))

    def lose_one():
        while not files("snapshots/*") or len(files("trial.json")) < 2:
            time.sleep(0.1)
        lost.extend(path.parent for path in files("trial.json"))
        lost[:] = [path for path in lost if not (path / "result.json").exists()]
        machines.remove_node(nodes[0], allow_graceful=False)

    thread = threading.Thread(target=lose_one, daemon=True)
    thread.start()
    backend = RayBackend("auto", device="cpu")
    assert backend.places == 2
    cut.run(backend, device="cpu")
    thread.join()
    assert len(lost) == 2  # both were still running
    end = time.monotonic() + 120
    while backend.places != 1:  # until the cluster has noticed, by a missing answer
        assert time.monotonic() < end
        time.sleep(0.2)
    assert summarize_study(cut) == summarize_study(whole)
