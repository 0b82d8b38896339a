"""Memorization rejection in a Lightning module.

    rejection = MemorizationRejection(train, backbone="inception", tau=0.13)
    Trainer(callbacks=[MemorizationRejectionCallback(rejection)])

and in the module's generator step `fake = self.rejection.sample(self.draw, 64)`.
"""

from __future__ import annotations

from typing import Any

from genmem.errors import UsageError
from genmem.training.rejection.rejection import MemorizationRejection

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise UsageError("this callback needs Lightning: pip install lightning.") from error


class MemorizationRejectionCallback(Callback):
    """Attaches a rejection to the module as `module.rejection`, logs it and checkpoints it.

    It is moved to the module's device before training. Logged, once every `log_every` batches:
    `rejection/acceptance`, `rejection/distance_mean`, `rejection/tau`, `rejection/redraws`.
    """

    def __init__(self, rejection: MemorizationRejection, *, log_every: int = 50) -> None:
        super().__init__()
        self.rejection = rejection
        self.log_every = log_every

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attach the rejection; it is no submodule, so the embedding is in no checkpoint."""
        del trainer
        self.rejection.to(pl_module.device)
        object.__setattr__(pl_module, "rejection", self.rejection)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log the statistics since the last time."""
        del trainer, outputs, batch
        if (batch_idx + 1) % self.log_every:
            return
        statistics = self.rejection.pop_statistics()
        values = {"tau": statistics.tau, "redraws": float(statistics.redraws)}
        if statistics.acceptance is not None and statistics.distance_mean is not None:
            values |= {
                "acceptance": statistics.acceptance,
                "distance_mean": statistics.distance_mean,
            }
        pl_module.log_dict({f"rejection/{name}": value for name, value in values.items()})

    def state_dict(self) -> dict[str, Any]:
        """The steps of warm-up and schedule."""
        return dict(self.rejection.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.rejection.load_state_dict(state_dict)
