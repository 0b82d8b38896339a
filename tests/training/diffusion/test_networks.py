import pytest
import torch
from torch.nn import functional

from genmem.errors import InputError, UsageError
from genmem.training.diffusion.config import UNetConfig, ncsnpp
from genmem.training.diffusion.layers import Attention, Block, Resample
from genmem.training.diffusion.networks import Fourier, Positional, UNet

SMALL = UNetConfig(
    image_size=16, channels=16, multipliers=(1, 2, 2), blocks=2, attention=(8,), dropout=0.0
)


def made(config, seed=0):
    torch.manual_seed(seed)
    network = UNet(config)
    for parameter in network.parameters():  # the last weights are nearly 0 at the start
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval()


def images(count=2, size=16):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


def test_ddpmpp_has_as_many_parameters_as_edm_reports():
    """55.7 million with 4 blocks a resolution (EDM, table 7)."""
    network = UNet(UNetConfig(blocks=4))
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == 55.7


@pytest.mark.parametrize("config", [SMALL, ncsnpp(SMALL), SMALL.replace(classes=5)])
def test_the_output_has_the_shape_of_the_input(config):
    labels = torch.tensor([0, 4]) if config.classes else None
    found = UNet(config)(images(), torch.tensor([0.1, 500.0]), labels)
    assert found.shape == (2, 3, 16, 16)
    assert found.isfinite().all()


def test_the_memorization_paper_s_network_has_nine_skip_connections():
    skips = UNetConfig().skips
    assert {side: len(names) for side, names in skips.items()} == {32: 3, 16: 3, 8: 3}


def skip_gradients(config):
    """How much each tensor that the encoder leaves moves the output, by the skip's name."""
    network, left = made(config), {}

    def watch(side):
        def hook(module, arguments, output):
            names, skips = config.skips[side], arguments[3]
            for name, tensor in zip(names, skips[-len(names) :], strict=True):
                # A leaf in the skip's place: the gradient is that of the connection alone.
                left[name] = tensor.detach().requires_grad_(True)
            skips[-len(names) :] = [left[name] for name in names]

        return hook

    for side, down in zip(config.resolutions, network.down, strict=True):
        down.register_forward_hook(watch(side))
    network(images(), torch.tensor([1.0, 2.0])).square().sum().backward()
    return {name: 0.0 if t.grad is None else float(t.grad.abs().sum()) for name, t in left.items()}


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        ((), set()),
        (("16",), {"16.0", "16.1", "16.2"}),
        (("8.1",), {"8.1"}),
        (("4", "16.0"), {"4.0", "4.1", "4.2", "16.0"}),
    ],
)
def test_skips_that_are_switched_off_have_no_gradient_and_the_others_do(off, expected):
    found = skip_gradients(SMALL.replace(without_skips=off))
    assert len(found) == 9
    assert {name for name, moved in found.items() if moved == 0} == expected


def test_switching_a_skip_off_keeps_every_weight_and_its_shape():
    plain, without = made(SMALL), made(SMALL.replace(without_skips=("16", "8", "4")))
    shapes = {name: tensor.shape for name, tensor in plain.state_dict().items()}
    assert {name: tensor.shape for name, tensor in without.state_dict().items()} == shapes
    told = torch.tensor([1.0, 1.0])
    assert not torch.allclose(plain(images(), told), without(images(), told))


@pytest.mark.parametrize("config", [SMALL, ncsnpp(SMALL)])
def test_the_noise_level_is_told(config):
    network = made(config)
    a, b = (network(images(), torch.full((2,), level)) for level in (0.3, 0.6))
    assert not torch.allclose(a, b)


def test_the_label_is_told():
    network = made(SMALL.replace(classes=3))
    x, level = images(1).expand(2, -1, -1, -1), torch.ones(2)
    found = network(x, level, torch.tensor([0, 2]))
    assert not torch.allclose(found[0], found[1])


def test_images_do_not_see_each_other():
    network = made(SMALL)
    x, level = images(3), torch.tensor([1.0, 2.0, 3.0])
    together = network(x, level)
    for row in range(3):
        alone = network(x[row : row + 1], level[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=1e-4)


def test_dropout_acts_in_training_only():
    network = made(SMALL.replace(dropout=0.5))
    told = torch.ones(2)
    assert torch.equal(network(images(), told), network(images(), told))
    network.train()
    assert not torch.equal(network(images(), told), network(images(), told))


def test_attention_is_softmax_over_all_places():
    torch.manual_seed(0)
    layer = Attention(8)
    layer.out.weight.data.normal_()
    x = torch.randn(2, 8, 3, 3)
    flat = layer.qkv(layer.norm(x)).flatten(2)
    q, k, v = flat[:, :8], flat[:, 8:16], flat[:, 16:]
    weights = torch.softmax(torch.einsum("bcq,bck->bqk", q, k) / 8**0.5, dim=2)
    found = torch.einsum("bqk,bck->bcq", weights, v).reshape(2, 8, 3, 3)
    assert torch.allclose(layer(x), (x + layer.out(found)) / 2**0.5, atol=1e-6)


def test_box_resampling_means_and_repeats():
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(Resample("down", "box")(x), functional.avg_pool2d(x, 2), atol=1e-6)
    twice = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.allclose(Resample("up", "box")(x), twice, atol=1e-6)


def test_filtered_resampling_weighs_neighbors_one_three_three_one():
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 3, 3] = 1.0
    down = Resample("down", "fir")(x)
    assert down.sum() == pytest.approx(1 / 4)
    assert down[0, 0, 1, 1] == pytest.approx(9 / 64)
    up = Resample("up", "fir")(torch.ones(1, 1, 8, 8))
    assert torch.allclose(up[..., 2:-2, 2:-2], torch.ones(1, 1, 12, 12))


def test_a_block_does_nearly_nothing_at_the_start_but_pass_on():
    block = Block(8, 8, embedding=4, dropout=0.0)
    x = torch.randn(2, 8, 4, 4)
    assert torch.allclose(block(x, torch.randn(2, 4)), x / 2**0.5, atol=0.05)


def test_positional_embeddings_are_cosines_and_sines():
    found = Positional(4)(torch.tensor([0.0, 2.0]))
    expected = torch.tensor([2.0, 0.02])
    assert torch.allclose(found[0], torch.tensor([1.0, 1.0, 0.0, 0.0]))
    assert torch.allclose(found[1], torch.cat([expected.cos(), expected.sin()]), atol=1e-6)


def test_fourier_frequencies_are_kept_with_the_weights():
    layer = Fourier(256)
    assert float(layer.frequencies.std()) == pytest.approx(16, rel=0.25)
    assert "frequencies" in layer.state_dict()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"image_size": 18}, "multiple of 4"),
        ({"channels": 6}, "channels: expected a multiple of 4, got 6"),
        ({"multipliers": ()}, "at least one whole number"),
        ({"blocks": 0}, "blocks: expected at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"without_skips": ("64",)}, "expected some of 16.*no skip connection '64'"),
        ({"without_skips": ("16.3",)}, "no skip connection"),
    ],
)
def test_networks_that_cannot_be_are_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        SMALL.replace(**wrong)


def test_images_and_labels_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"expected images of shape \[3, 16, 16\]"):
        UNet(SMALL)(images(size=8), torch.ones(2))
    with pytest.raises(InputError, match="has no classes"):
        UNet(SMALL)(images(), torch.ones(2), torch.tensor([0, 0]))
    with pytest.raises(InputError, match="labels are missing"):
        UNet(SMALL.replace(classes=2))(images(), torch.ones(2))
