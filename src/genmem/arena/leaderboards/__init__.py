"""Score versions that never change, ranks by the written rule, final selections."""
