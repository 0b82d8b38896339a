"""A served arena, for the commands that need one."""

from ..arena.live_server import arena_folder as arena_folder
from ..arena.live_server import arena_url as arena_url
