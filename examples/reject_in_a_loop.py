"""Train a small GAN on digits with memorization rejection: three lines of the loop."""

import numpy as np
import torch
from torch import nn

from genmem.demo.digits import demo_digits, enlarge
from genmem.training import MemorizationRejection

torch.manual_seed(0)
digits, _, _ = demo_digits(seed=0)
images = torch.from_numpy(enlarge(digits).transpose(0, 3, 1, 2).copy())  # uint8 [n, 3, 32, 32]
real = images.float() / 127.5 - 1


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(16, 256),
            nn.ReLU(),
            nn.Linear(256, 8 * 8),
            nn.Tanh(),
            nn.Unflatten(1, (1, 8, 8)),
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        small = self.layers(z)
        return (
            nn.functional.interpolate(small, size=32, mode="bicubic")
            .clamp(-1, 1)
            .expand(-1, 3, -1, -1)
        )


generator = Generator()
discriminator = nn.Sequential(
    nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
)
step_generator = torch.optim.Adam(generator.parameters(), 2e-3, betas=(0.5, 0.9))
step_discriminator = torch.optim.Adam(discriminator.parameters(), 1e-3, betas=(0.5, 0.9))

thumbnails = nn.Sequential(nn.AvgPool2d(4), nn.Flatten())  # a feature space; or a backbone's name


class Thumbnails(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return thumbnails(255.0 - images.float())


reject = MemorizationRejection(images, backbone=Thumbnails(), tau="auto")  # once
for step in range(300):
    batch = real[torch.from_numpy(np.random.default_rng(step).integers(len(real), size=64))]
    fake = generator(torch.randn(64, 16))
    loss = nn.functional.softplus(-discriminator(batch)).mean()
    loss = loss + nn.functional.softplus(discriminator(fake.detach())).mean()
    step_discriminator.zero_grad()
    loss.backward()
    step_discriminator.step()

    fake = reject.sample(lambda n: generator(torch.randn(n, 16)), 64)  # in each generator step
    loss = nn.functional.softplus(-discriminator(fake)).mean()
    step_generator.zero_grad()
    loss.backward()
    step_generator.step()
    if step % 100 == 99:
        print(step + 1, reject.pop_statistics())
