"""Training with less memorization: rejection in any GAN loop, and the models to study it with."""
