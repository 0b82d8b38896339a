"""The command line: one short file a command; results on stdout, progress and notes on stderr."""
