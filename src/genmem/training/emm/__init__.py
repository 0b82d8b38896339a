"""Effective model memorization: up to which training-set size a diffusion model memorizes.

"On Memorization in Diffusion Models" (Gu et al. 2023, arXiv 2310.02664).

config.py              the options of a study (`EmmConfig`)
factors.py             the registry of factors, and the configuration of a trial
dataset.py             the training set of a trial
bisection.py           which training-set size to train next
trial.py               one training and the measurement of its snapshots
memorized_samples.py   images of a trial's samples beside the training images
study.py               which trials a study needs (`StudyConfig`), and running them (`EmmStudy`)
results.py             what a study found
"""
