"""What is deployed for the trials of Function Compute."""
