"""Run many trials, each in a process of its own.

runner.py        the runs of a rejection study
pool.py          local worker processes
worker.py        what such a process runs
ray_backend.py   the same on a Ray cluster
"""
