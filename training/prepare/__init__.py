"""From a data set's frames to what a model is trained on, by the runtime's own code, kept in a cache."""
