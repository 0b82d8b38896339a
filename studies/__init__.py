"""Slow studies: commands whose dated results are kept in docs/."""
