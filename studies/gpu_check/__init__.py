"""Five minutes on a machine with a GPU: does everything that runs there give what a CPU gives?

__main__.py   the command line, the table and the exit code
checks.py     the device, features, searches and scores
training.py   short trainings of every model, and workers of a study; each in processes of its own
"""
