"""What GAN and diffusion training share.

config.py        base of the configurations, `ImageSelection`, error messages; reading a file
dataset.py       training images: selection, classes, size, duplicates
pixel_cache.py   decoded training images as one memory map
distributed.py   accelerator, timeout, and what several processes share
run_folder.py    files and checks of a run's folder, `TrainResult`, `DivergedError`
checkpoint.py    checkpoints (safetensors)
run_log.py       log.jsonl
signals.py       stopping at a signal
ema.py           exponential moving average of weights
"""
