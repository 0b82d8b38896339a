"""Small images of noise."""

from ...training.diffusion.noise_images import made as made
