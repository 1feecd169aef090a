"""What `jaragua compile` is given: model files, weights, samples."""
