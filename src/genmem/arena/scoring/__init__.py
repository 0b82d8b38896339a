"""Scoring what was received: durable steps, workers, runs of submitted code."""
