"""A competition as files: submissions, scores, labels, ratings, history, a datasheet."""
