"""Words of this part for templates."""
