"""Measure diffusion models that were trained elsewhere.

evaluate.py         samples, memorization ratio and distance to the optimal denoiser
results.py          what an evaluation found
optimal_gap.py      distance to the optimal denoiser by noise level
pretrained.py       a run of `genmem train diffusion`, or a diffusers pipeline, as a denoiser
diffusers_unet.py   U-Nets of diffusers
diffusers_loading.py   files of a diffusers pipeline, checked before they are loaded
"""
