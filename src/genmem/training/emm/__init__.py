"""Effective model memorization: up to which training-set size a diffusion model memorizes.

"On Memorization in Diffusion Models" (Gu et al. 2023, arXiv 2310.02664). A `Request` says what is
to be found out, a `Study` trains for it, `findings` says what was found.
"""
