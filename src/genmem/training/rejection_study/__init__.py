"""`genmem study rejection`: models × τ × seeds, trained, measured and put side by side."""
