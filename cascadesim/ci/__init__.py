"""What a build needs of a simulation: test reports, texts for a pull request, and revisions."""
