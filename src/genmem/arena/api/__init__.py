"""The programming interface: what the command line and other programs speak to."""
