"""A study of memorization rejection: models × τ × seeds, trained, evaluated and compared.

grid.py             the runs of a study, built and checked before the first one starts
runs.py             training the runs
feature_spaces.py   the study's images in a backbone
evaluation.py       metrics of a run's samples
examples.py         samples beside training images, and maps
aggregate.py        means over seeds and differences to τ = 0
study.py            the steps of a study, and its files
"""
