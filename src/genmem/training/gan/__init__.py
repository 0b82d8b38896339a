"""DCGAN, SAGAN and BigGAN, with or without memorization rejection.

config.py       `GanConfig`: all settings of a training, and what each model decides
train.py        `train`: a training from its configuration to its last step
build.py        what a training is put together from: images, rejection, evaluator
trainer.py      `GanTrainer`: networks and optimizers, one step of all, checkpoints
networks.py     generators and discriminators of the three models
layers.py       spectral norm, conditional batch norm, self-attention
losses.py       the hinge loss
augment.py      DiffAugment
sampling.py     images from a generator or a run; grids; a zip file
evaluation.py   FD, memorization distance and C_T of samples during training
plots.py        curves.png
"""
