import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from genmem.cli.app import run
from genmem.errors import InputError, UsageError
from genmem.images import hub
from genmem.training.diffusion import evaluate_denoiser, open_model
from genmem.training.diffusion.evaluation.diffusers_unet import PipelineDenoiser
from genmem.training.diffusion.evaluation.pretrained import load_for
from genmem.training.diffusion.sampler import Sampling

diffusers = pytest.importorskip("diffusers", reason="needs the extra diffusers")


def unet(channels=3, outputs=3, **settings):
    torch.manual_seed(0)
    made = diffusers.UNet2DModel(
        in_channels=channels,
        out_channels=outputs,
        layers_per_block=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        **{"sample_size": 8, **settings},
    )
    # diffusers starts with an output near 0, on which a wrong sign would hardly show.
    torch.nn.init.normal_(made.conv_out.weight)
    return made


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of an unconditional pipeline of 8 × 8 images, with random weights."""
    folder = tmp_path_factory.mktemp("pipelines") / "random"
    diffusers.DDPMPipeline(unet(), diffusers.DDPMScheduler()).save_pretrained(folder)
    return folder


@pytest.fixture
def pipeline(saved, tmp_path):
    """A copy of it, to be spoilt."""
    folder = tmp_path / "pipeline"
    for path in saved.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(saved)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def images(made, tmp_path):
    """24 images in three folders, a class each."""
    np.save(tmp_path / "images.npy", made.pixels.transpose(0, 2, 3, 1))
    return tmp_path / "images.npy"


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def signal_kept(start=1e-4, end=0.02, steps=1000):
    """ᾱ_t of the linear schedule, float64."""
    return np.cumprod(1 - np.linspace(start, end, steps))


@pytest.mark.parametrize("step", [0, 3, 250, 700, 999])
@pytest.mark.parametrize("predicted", ["epsilon", "sample", "v_prediction"])
def test_the_denoiser_is_the_ddpm_s_formula_in_float64(pipeline, predicted, step):
    edit(pipeline / "scheduler" / "scheduler_config.json", prediction_type=predicted)
    network = diffusers.UNet2DModel.from_pretrained(pipeline, subfolder="unet")
    random = torch.Generator().manual_seed(step)
    kept = float(signal_kept()[step])
    clean = torch.rand(4, 3, 8, 8, generator=random, dtype=torch.float64) * 2 - 1
    noise = torch.randn(4, 3, 8, 8, generator=random, dtype=torch.float64)
    noisy = kept**0.5 * clean + (1 - kept) ** 0.5 * noise
    with torch.no_grad():
        output = network(noisy.float(), torch.full((4,), step)).sample.double()
    expected = {
        "epsilon": (noisy - (1 - kept) ** 0.5 * output) / kept**0.5,
        "sample": output,
        "v_prediction": kept**0.5 * noisy - (1 - kept) ** 0.5 * output,
    }[predicted]
    sigma = ((1 - kept) / kept) ** 0.5
    found = open_model(pipeline).denoiser.denoise(
        noisy / kept**0.5, torch.full((4,), sigma, dtype=torch.float64), None
    )
    # The step is recovered from σ in float64 and told in float32, hence the digits.
    assert (found - expected).abs().max() < 1e-4 * (1 + sigma)


@pytest.mark.parametrize("predicted", ["epsilon", "sample", "v_prediction"])
def test_a_network_that_knows_the_noise_gives_the_image_back(predicted):
    """v = √ᾱ·ε − √(1 − ᾱ)·y and z = √ᾱ·y + √(1 − ᾱ)·ε, by their definitions."""
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()

    class Knowing(torch.nn.Module):
        config = unet().config

        def forward(self, z, steps, return_dict):
            kept = torch.from_numpy(signal_kept())[steps.round().long()][:, None, None, None]
            noise = (z.double() - kept.sqrt() * image) / (1 - kept).sqrt()
            velocity = kept.sqrt() * noise - (1 - kept).sqrt() * image
            known = {"epsilon": noise, "v_prediction": velocity, "sample": image.expand_as(z)}
            return (known[predicted].float(),)

    scheduler = diffusers.DDPMScheduler(prediction_type=predicted)
    model = PipelineDenoiser(Knowing(), scheduler)
    for step in (0, 100, 600):
        kept = signal_kept()[step]
        sigma = float(np.sqrt((1 - kept) / kept))
        x = image + sigma * torch.randn(5, 3, 8, 8, dtype=torch.float64)
        assert (model.denoise(x, sigma) - image).abs().max() < 1e-5 * (1 + sigma)


def test_steps_between_are_found_by_the_logarithm_of_the_noise_level():
    model = PipelineDenoiser(unet(), diffusers.DDPMScheduler())
    whole = torch.from_numpy(model.sigmas)
    np.testing.assert_allclose(model.steps(whole), np.arange(1000), atol=1e-3)
    between = (whole[10] * whole[11]).sqrt()
    assert float(model.steps(between[None])) == pytest.approx(10.5, abs=1e-3)
    assert model.steps(torch.tensor([1e-4, 1e4])).tolist() == [0, 999]
    table = unet(time_embedding_type="learned", num_train_timesteps=1000)
    looked_up = PipelineDenoiser(table, diffusers.DDPMScheduler())
    assert looked_up.steps(whole[10:12] * 1.001).tolist() == [10, 11]
    assert looked_up.denoise(torch.zeros(2, 3, 8, 8), 1.0).shape == (2, 3, 8, 8)


def test_levels_at_which_nothing_is_left_of_the_image_are_left_out():
    scheduler = diffusers.DDPMScheduler(rescale_betas_zero_snr=True, prediction_type="v_prediction")
    model = PipelineDenoiser(unet(), scheduler)
    assert len(model.sigmas) in (999, 1000)
    assert np.isfinite(model.sigmas).all()
    assert model.schedule().sigma_max == 80


def test_noise_levels_that_the_network_does_not_know_are_not_sampled_at():
    scheduler = diffusers.DDPMScheduler(beta_start=1e-4, beta_end=0.005)
    schedule = PipelineDenoiser(unet(), scheduler).schedule()
    kept = signal_kept(end=0.005)
    assert schedule.sigma_max == pytest.approx(np.sqrt(1 / kept[-1] - 1), rel=1e-5)
    assert schedule.sigma_min == pytest.approx(np.sqrt(1 / kept[0] - 1), rel=1e-5)


def test_labels_go_to_the_network_and_are_asked_for():
    model = PipelineDenoiser(unet(num_class_embeds=3), diffusers.DDPMScheduler())
    x = torch.zeros(2, 3, 8, 8)
    one, other = (model.denoise(x, 1.0, torch.tensor(labels)) for labels in ([0, 1], [0, 2]))
    assert torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])
    with pytest.raises(InputError, match="conditioned on 3 classes; labels are missing"):
        model.denoise(x, 1.0)
    with pytest.raises(InputError, match="it has no classes"):
        PipelineDenoiser(unet(), diffusers.DDPMScheduler()).denoise(x, 1.0, torch.tensor([0, 0]))


def test_predicted_variances_are_passed_over():
    model = PipelineDenoiser(unet(outputs=6), diffusers.DDPMScheduler(variance_type="learned"))
    assert model.denoise(torch.zeros(2, 3, 8, 8), 1.0).shape == (2, 3, 8, 8)


def test_older_folders_with_all_files_side_by_side_are_read(pipeline, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in pipeline.rglob("*"):
        if path.is_file():
            (flat / path.name).write_bytes(path.read_bytes())
    x = torch.randn(2, 3, 8, 8)
    expected = open_model(pipeline).denoiser.denoise(x, torch.tensor([1.0, 2.0]), None)
    assert torch.equal(
        open_model(flat).denoiser.denoise(x, torch.tensor([1.0, 2.0]), None), expected
    )


def with_autoencoder(folder):
    edit(
        folder / "model_index.json",
        _class_name="StableDiffusionPipeline",
        vae=["diffusers", "AutoencoderKL"],
    )


def of_another_kind(folder):
    edit(folder / "model_index.json", _class_name="ConsistencyModelPipeline")


def with_another_network(folder):
    edit(folder / "model_index.json", unet=["diffusers", "UNet2DConditionModel"])


def with_another_scheduler(folder):
    edit(folder / "scheduler" / "scheduler_config.json", _class_name="EDMEulerScheduler")


def predicting_something_else(folder):
    edit(folder / "scheduler" / "scheduler_config.json", prediction_type="flow_prediction")


def without_weights(folder):
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()


def with_weights_cut_short(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def with_weights_of_another_network(folder):
    edit(folder / "unet" / "config.json", layers_per_block=2)


def with_a_weight_missing(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    kept = load_file(path)
    del kept["conv_in.weight"]
    save_file(kept, path, metadata={"format": "pt"})


def with_weights_of_another_width(folder):
    edit(folder / "unet" / "config.json", block_out_channels=[8, 32])


def with_a_network_that_cannot_be(folder):
    edit(folder / "unet" / "config.json", down_block_types=["Nothing", "Nothing"])


def not_json(folder):
    (folder / "unet" / "config.json").write_text("{")


def not_square(folder):
    edit(folder / "unet" / "config.json", sample_size=[8, 16])


def without_a_scheduler(folder):
    (folder / "scheduler" / "scheduler_config.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (with_autoencoder, "StableDiffusionPipeline denoises latents.* component 'vae'"),
        (of_another_kind, "got ConsistencyModelPipeline, which is not supported"),
        (with_another_network, "whose unet is a UNet2DModel"),
        (with_another_scheduler, "got EDMEulerScheduler"),
        (predicting_something_else, "predicts 'flow_prediction'"),
        (without_weights, r"expected the weights as diffusion_pytorch_model\.safetensors, found"),
        (with_weights_cut_short, "unet: cannot be read"),
        (with_weights_of_another_network, "unet: "),
        (with_a_weight_missing, "conv_in.weight"),
        (with_weights_of_another_width, "unet: "),
        (with_a_network_that_cannot_be, "unet: cannot be read"),
        (not_json, r"config\.json is not JSON"),
        (not_square, "square images, got 16 × 8"),
        (without_a_scheduler, "expected scheduler_config.json"),
    ],
)
def test_pipelines_that_cannot_be_measured_are_refused_by_name(pipeline, spoil, words):
    spoil(pipeline)
    with pytest.raises(InputError, match=words) as refusal:
        open_model(pipeline)
    assert "\n" not in str(refusal.value)
    assert logging.getLogger("diffusers").level != logging.CRITICAL


def test_a_pickle_is_never_opened(pipeline, tmp_path):
    class Program:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    without_weights(pipeline)
    torch.save(Program(), pipeline / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match=r"found diffusion_pytorch_model\.bin\. Other files"):
        open_model(pipeline)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"channels": 4, "outputs": 4}, "got 4 channels in and 4 out. Latents"),
        ({"channels": 6}, "got 6 channels in and 3 out"),
        ({"class_embed_type": "timestep"}, "class embedding 'timestep'"),
        ({"time_embedding_type": "fourier"}, "'fourier' time embedding"),
    ],
)
def test_networks_of_other_kinds_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        PipelineDenoiser(unet(**settings), diffusers.DDPMScheduler())


def test_without_diffusers_the_extra_is_named(pipeline, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UsageError, match=r"pip install 'genmem\[diffusers\]'"):
        open_model(pipeline)


@pytest.mark.parametrize("latent", [False, True])
def test_weights_are_fetched_from_the_hub_only_if_they_can_be_used(pipeline, monkeypatch, latent):
    if latent:
        with_autoencoder(pipeline)
    asked = []

    def fetch(repository, *, allow_patterns, local_files_only):
        asked.append((repository, tuple(allow_patterns), local_files_only))
        return str(pipeline)

    monkeypatch.setattr(hub, "find_hub_error", lambda: None)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    if latent:
        with pytest.raises(InputError, match="hf:some/model: StableDiffusionPipeline denoises"):
            open_model("hf:some/model")
    else:
        assert open_model("hf:some/model").name == "hf:some/model"
    assert asked[0] == ("some/model", ("*.json",), False)
    assert len(asked) == (1 if latent else 2)
    assert not any(".bin" in pattern for _, patterns, _ in asked for pattern in patterns)


def test_a_hub_out_of_reach_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "find_hub_error", lambda: OSError("no route"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="hf:nobody/nothing: the hub cannot be reached"):
        open_model("hf:nobody/nothing")


def test_the_command_writes_numbers_and_a_page_that_needs_nothing_else(
    pipeline, images, tmp_path, capsys
):
    done = ["study", "denoiser", str(pipeline), "--train", str(images), "--test", str(images)]
    done += ["--samples", "14", "--out", str(tmp_path / "out")]
    assert run(done) == 0
    written = json.loads((tmp_path / "out" / "denoiser.json").read_text())
    captured = capsys.readouterr()
    assert captured.out.startswith("None of 14 samples")
    assert written["memorization_ratio"]["n"] == {"generated": 14, "train": 24}
    assert written["test_memorization_ratio"]["value"] == 1.0
    model = open_model(pipeline)
    again = evaluate_denoiser(
        model.denoiser,
        load_for(model, images),
        samples=14,
        sampling=Sampling(schedule=model.schedule),
    )
    assert written["distance_to_optimal_denoiser"]["train"] == again.curves["train"].to_dict()
    page = (tmp_path / "out" / "denoiser.html").read_text()
    near = len(set(again.nearest.indices[:, 0].tolist()))
    assert page.count('<div class="trio">') == min(near, 12) + 12
    assert "<script" not in page
    assert str(tmp_path) not in page
    assert not [one for one in page.split('"') if one.startswith("http") and "w3.org" not in one]


def test_a_wrong_size_is_one_line_and_leaves_nothing_behind(pipeline, made, tmp_path, capsys):
    np.save(tmp_path / "large.npy", np.zeros((3, 16, 16, 3), np.uint8))
    done = ["study", "denoiser", str(pipeline), "--train", str(tmp_path / "large.npy")]
    assert run([*done, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "expected images of 8 × 8, as the model makes them, got 16 × 16" in said
    assert "--size 8" in said
    assert not (tmp_path / "out").exists()
