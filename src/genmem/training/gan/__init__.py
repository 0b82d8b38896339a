"""Three GANs to study rejection with, and the loop that trains them."""
