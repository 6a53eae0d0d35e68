"""What surrounds one call: config, scope and deadline, callbacks, the run tree and its events."""
