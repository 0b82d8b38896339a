"""Do many runs, each in a process of its own, on this machine or on a cluster.

run_spec.py        what one run is (`RunSpec`), and how it is done (`execute`)
runner.py          the loop over all runs of a study (`run_all`), and what a backend must do
local_backend.py   backends on this machine: worker processes, or this process
worker.py          the program of a worker process
ray_backend.py     a backend on a Ray cluster
"""
