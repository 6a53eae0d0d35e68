"""What each path takes and how a deployment answers it."""
