"""The engines keep to themselves."""

import os
import subprocess
import sys


def test_running_a_network_writes_nothing_to_the_home_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import numpy, genmem\n"
        "extractor = genmem.load_backbone('efficientnet-lite0', device='cpu')\n"
        "image = extractor.transform(numpy.zeros((32, 32, 3), numpy.uint8))\n"
        "print(extractor.run(image[None])[0].shape)"
    )
    environment = {**os.environ, "HOME": str(home), "GENMEM_CACHE": str(tmp_path / "cache")}
    environment.pop("XDG_CACHE_HOME", None)
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "(1, 1280)"
    assert [path.name for path in home.rglob("*")] == []
