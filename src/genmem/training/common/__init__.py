"""What GAN and diffusion training share.

dataset.py       training images: selection, classes, size
pixel_cache.py   decoded training images as one memory map
config.py        building and checking configurations
distributed.py   agreement of several processes, timeouts
signals.py       stopping at a signal
run_log.py       log.jsonl
checkpoint.py    checkpoints (safetensors)
ema.py           exponential moving average of weights
"""
