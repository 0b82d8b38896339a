"""The pages' frame: addresses, base page, style sheet, words for times and sizes."""
