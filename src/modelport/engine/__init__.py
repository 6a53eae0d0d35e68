"""The guarantees: how hooks become every way to call, the same for every kind of model and every face."""
