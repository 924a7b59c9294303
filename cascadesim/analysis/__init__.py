"""What a person sees, computed from records."""
