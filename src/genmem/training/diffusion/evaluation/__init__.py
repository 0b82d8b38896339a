"""Evaluate diffusion models: runs of `genmem train diffusion`, and diffusers pipelines.

evaluate.py         samples, memorization ratio and distance to the optimal denoiser
results.py          results of an evaluation
optimal_gap.py      distance to the optimal denoiser by noise level
pretrained.py       a run of `genmem train diffusion`, or a diffusers pipeline, as a denoiser
diffusers_unet.py   a U-Net of diffusers as a denoiser
diffusers_loading.py   loading a diffusers pipeline, with checks
"""
