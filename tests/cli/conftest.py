"""A served arena and a small GAN training, for the commands that need one."""

from ..arena.live_server import arena_folder as arena_folder
from ..arena.live_server import arena_url as arena_url
from ..training.fixtures import images as images
from ..training.fixtures import small as small
