import warnings

import pytest
import torch
from torch import nn

from genmem.training import MemorizationRejection, MemorizationRejectionCallback

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lightning = pytest.importorskip("lightning.pytorch")


class Toy(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Linear(4, 3 * 4 * 4)
        self.rejection = None

    def training_step(self, batch, index):
        def draw(count):
            return torch.tanh(self.generator(torch.randn(count, 4))).view(count, 3, 4, 4)

        fake = self.rejection.sample(draw, 6)
        loss = fake.square().mean()
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def fit(rejection, path, **options):
    loader = torch.utils.data.DataLoader(torch.zeros(4, 1), batch_size=1)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[MemorizationRejectionCallback(rejection, log_every=2)],
    )
    module = Toy()
    trainer.fit(module, loader, **options)
    trainer.save_checkpoint(path)
    return trainer, module


@pytest.mark.filterwarnings("ignore")
def test_the_callback_rejects_logs_and_keeps_its_steps_in_checkpoints(tmp_path):
    train = torch.randint(0, 256, (20, 3, 4, 4), dtype=torch.uint8)
    rejection = MemorizationRejection(train, backbone="pixels", tau=0.01)
    trainer, module = fit(rejection, tmp_path / "one.ckpt")
    assert rejection.steps == 4
    assert trainer.callback_metrics["rejection/acceptance"] > 0
    assert trainer.callback_metrics["rejection/tau"] == pytest.approx(0.01)
    saved = torch.load(tmp_path / "one.ckpt", weights_only=True)
    assert saved["callbacks"]["MemorizationRejectionCallback"] == {"steps": 4}
    assert set(saved["state_dict"]) == {"generator.weight", "generator.bias"}
    assert module.rejection is rejection
