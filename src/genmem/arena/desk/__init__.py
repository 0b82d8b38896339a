"""The organiser's desk: so far the log that is only ever added to."""
