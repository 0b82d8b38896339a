"""The cases: one file a group, each a function `rows(folder, sizes)` that yields table rows."""
