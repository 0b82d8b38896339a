"""`genmem train` through the real command: what it writes, and one clear line for bad input."""

import json
import shlex
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genmem.cli.app import run
from genmem.cli.training import resume_command
from genmem.training.gan import train


@pytest.fixture
def genmem(tmp_path, monkeypatch, capsys):
    """Run a command line; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        code = run([*map(str, arguments)])
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def config(small, tmp_path):
    path = tmp_path / "small.json"
    path.write_text(json.dumps(small | {"steps": 2}))
    return path


def one_line(err):
    lines = [line for line in err.splitlines() if line.startswith("genmem:")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def test_a_run_is_trained_resumed_and_sampled(genmem, config, tmp_path):
    code, out, err = genmem("train", "gan", "--config", config, "--out", "run", "--tau", 0.06)
    assert (code, out) == (0, ""), err
    assert "run: run (step 2" in err
    assert json.loads((tmp_path / "run" / "config.json").read_text())["tau"] == 0.06
    code, _, err = genmem("train", "gan", "--out", "run", "--resume", "--steps", 3)
    assert code == 0, err
    assert "step 3" in err
    code, _, err = genmem("train", "sample", "run", "--samples", 5, "--out", "made.zip")
    assert code == 0, err
    with zipfile.ZipFile(tmp_path / "made.zip") as archive:
        names = archive.namelist()
    assert len(names) == 5
    assert {name.split("/")[0] for name in names} == {"cat", "dog"}


def test_the_configuration_of_a_run_gives_the_same_run(genmem, config, tmp_path):
    genmem("train", "gan", "--config", config, "--out", "one")
    code, _, err = genmem("train", "gan", "--config", "one/config.json", "--out", "two")
    assert code == 0, err
    first, second = (
        (tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("one", "two")
    )
    assert first == second


def one_image(path):
    path.mkdir()
    Image.new("RGB", (16, 16)).save(path / "single.png")
    return ["--train", path], ["at least 2 images", "got 1"]


def one_class(path):
    (path / "cat").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (16, 16)).save(path / "cat" / f"{number}.png")
    return ["--train", path], ["found one", "dcgan"]


def some_images_in_no_class(path):
    for number, name in enumerate(("cat", "dog")):
        (path / name).mkdir(parents=True)
        Image.new("RGB", (16, 16), (number, 0, 0)).save(path / name / "0.png")
    Image.new("RGB", (16, 16)).save(path / "1.png")
    return ["--train", path], ["folder of its class"]


def no_images(path):
    return ["--train", path], ["no such file or folder"]


def a_threshold_that_rejects_everything(path):
    return ["--tau", 2], ["acceptance 0 %", "with a lower --tau", "resumed keeps its tau"]


def a_threshold_that_is_no_distance(path):
    return ["--tau", "much"], ["--tau", "'much'"]


def an_unknown_embedding(path):
    return ["--backbone", "efficientnet-lite9"], ["efficientnet-lite0"]


def an_embedding_too_small(path):
    return ["--backbone", "efficientnet-lite0@8"], ["at least 32"]


def an_unknown_measure(path):
    return ["--evaluate-with", "pixel"], ["pixels"]


def a_size_that_no_model_has(path):
    return ["--size", 20], ["16, 32, 64"]


def an_output_in_the_data(path):
    rng = np.random.default_rng(0)
    for number in range(4):
        (path / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path / "ab"[number % 2] / f"{number}.png")
    return ["--train", path, "--out", path / "run"], ["--out", "lies inside"]


def a_configuration_that_is_none(path):
    path.write_text("[1]")
    return ["--config", path], ["expected an object"]


def a_configuration_with_a_strange_name(path):
    path.write_text('{"learning_rat": 1}')
    return ["--config", path], ["learning_rate"]


def nothing_to_resume(path):
    return ["--resume"], ["there is no run", "without --resume"]


@pytest.mark.parametrize(
    "make",
    [
        one_image,
        one_class,
        some_images_in_no_class,
        no_images,
        a_threshold_that_rejects_everything,
        a_threshold_that_is_no_distance,
        an_unknown_embedding,
        an_embedding_too_small,
        an_unknown_measure,
        a_size_that_no_model_has,
        an_output_in_the_data,
        a_configuration_that_is_none,
        a_configuration_with_a_strange_name,
        nothing_to_resume,
    ],
    ids=lambda make: make.__name__,
)
def test_bad_input_is_one_line_and_exit_code_2(make, genmem, config, tmp_path):
    given, words = make(tmp_path / "given")
    options = ["--config", config, "--out", "run", *given]
    if "--resume" in given:
        options = options[2:]
    code, out, err = genmem("train", "gan", *options)
    line = one_line(err)
    assert (code, out) == (2, "")
    assert all(word in line for word in words), line
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_a_checkpoint_of_another_model_is_one_line(genmem, config, tmp_path):
    genmem("train", "gan", "--config", config, "--out", "run")
    written = tmp_path / "run" / "config.json"
    written.write_text(written.read_text().replace('"sagan"', '"dcgan"'))
    code, _, err = genmem("train", "gan", "--out", "run", "--resume", "--steps", 4)
    assert code == 2
    assert "model = 'sagan'" in one_line(err)


def test_an_option_that_would_do_nothing_is_refused_at_once(genmem, images):
    plain = ["train", "gan", "--model", "dcgan", "--size", 16, "--train", images, "--out", "run"]
    code, _, err = genmem(*plain, "--backbone", "nope")
    assert code == 2
    assert "--backbone: has no effect without a tau" in one_line(err)
    code, _, err = genmem(*plain, "--evaluate-every", 0, "--test", "nope")
    assert code == 2
    assert "--test: has no effect, since evaluate_every is 0" in one_line(err)


def test_the_command_to_go_on_with_can_be_pasted_into_a_shell():
    found = resume_command("gan", Path("a b's"), device="cpu")
    assert shlex.split(found) == [
        *("genmem", "train", "gan", "--out", "a b's", "--resume", "--device", "cpu")
    ]
    assert resume_command("diffusion", Path("run"), device="auto") == (
        "genmem train diffusion --out run --resume"
    )
    assert resume_command("gan", Path("run"), device="auto", processes=2).startswith(
        'torchrun --nproc-per-node 2 "$(which genmem)" train gan --out run'
    )


def test_a_deeply_nested_configuration_is_one_line(genmem, tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    code, _, err = genmem("train", "gan", "--config", "deep.json", "--out", "run")
    assert code == 2
    assert "not JSON" in one_line(err)


def test_an_interrupted_run_says_how_to_go_on(genmem, config, tmp_path, monkeypatch):
    steps = train.GanTrainer.step

    def interrupted(self):
        signal.raise_signal(signal.SIGINT)
        return steps(self)

    monkeypatch.setattr(train.GanTrainer, "step", interrupted)
    code, _, err = genmem("train", "gan", "--config", config, "--out", "run")
    assert code == 130
    assert "genmem train gan --out run --resume" in one_line(err)
    assert "step 1" in err
    assert "note: stopping after this step" in err
    monkeypatch.setattr(train.GanTrainer, "step", steps)
    assert genmem("train", "gan", "--out", "run", "--resume")[0] == 0


def test_the_help_of_train_loads_neither_torch_nor_accelerate():
    program = (
        "import sys; from genmem.cli.app import run; run(['train', 'gan', '--help']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'accelerate', 'lightning')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--tau" in done.stdout


def test_the_command_is_in_the_programs_own_help():
    done = subprocess.run(
        [Path(sys.executable).parent / "genmem", "train", "--help"], capture_output=True, text=True
    )
    assert "gan" in done.stdout
    assert "sample" in done.stdout
