"""The desk: review queue, labels, decisions, τ and the log, all only ever added to."""
