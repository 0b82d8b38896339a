"""What teams send in: received, checked, kept, and shown with its steps."""
