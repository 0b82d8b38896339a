"""`python -m genmem` runs the `genmem` command."""

from __future__ import annotations

from genmem.cli.app import main

if __name__ == "__main__":
    main()
